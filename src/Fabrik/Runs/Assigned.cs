using Fabrik.Experiments;

namespace Fabrik.Runs;

/// <summary>What the signed annotation of a Job says, after its signature was checked.</summary>
/// <param name="RunId">Minted for this one Job. Two Jobs that carry the same one are a Job and its copies.</param>
/// <param name="Requested">The Pod's resources as the author wrote them.</param>
public sealed record Assigned(Arm Arm, string? Change, string RunId, RunResources Requested)
{
    /// <summary>Resource version of the Job that carried it: the earliest counts, so that nobody can swap it later.</summary>
    public long Version { get; init; }

    internal static Assigned? Merge(Assigned? a, Assigned? b)
    {
        if (a is null || b is null) return a ?? b;
        return a.Version != b.Version ? a.Version < b.Version ? a : b : string.CompareOrdinal(a.RunId, b.RunId) <= 0 ? a : b;
    }
}
