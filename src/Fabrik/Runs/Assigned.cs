using Fabrik.Experiments;

namespace Fabrik.Runs;

/// <summary>What the signed annotation of a Job says, after its signature was checked.</summary>
/// <param name="RunId">Minted for this one Job. Two Jobs that carry the same one are a Job and its copies.</param>
/// <param name="Requested">The Pod's resources as the author wrote them.</param>
public sealed record Assigned(Arm Arm, string? Change, string RunId, RunResources Requested)
{
    /// <summary>Resource version of the Job that carried it: the earliest counts, so that nobody can swap it later.</summary>
    public long Version { get; init; }

    /// <summary>As <see cref="Run.Experiments"/>; null in evidence that was stored before these were kept.</summary>
    public NameList? Experiments { get; init; }

    /// <summary>As <see cref="Run.AppliedChanges"/>; null likewise.</summary>
    public NameList? Applied { get; init; }

    /// <summary>Where the lists were not kept, what is certain: the change of the arm.</summary>
    internal NameList KnownExperiments => Experiments ?? (Arm is Arm.Treatment or Arm.Control && Change is { } one ? [one] : []);

    internal NameList KnownApplied => Applied ?? (Arm is Arm.Applied && Change is { } one ? [one] : []);

    /// <summary>One that has its lists goes before one that lost them, else the earlier one holds.</summary>
    internal static Assigned? Merge(Assigned? a, Assigned? b)
    {
        if (a is null || b is null) return a ?? b;
        if (a.Experiments is null != b.Experiments is null) return a.Experiments is null ? b : a;
        return a.Version != b.Version ? a.Version < b.Version ? a : b : string.CompareOrdinal(a.RunId, b.RunId) <= 0 ? a : b;
    }
}
