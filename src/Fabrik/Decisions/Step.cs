using Fabrik.Experiments;

namespace Fabrik.Decisions;

/// <summary>A step of one change that is to be taken: pure rules plan it, the scheduler's turn records and writes it.</summary>
/// <param name="Change">As it was read; the step is taken only while it is still so.</param>
/// <param name="Next">The whole status after the step.</param>
/// <param name="Reasons">Sentences for people.</param>
public sealed record Step(OptimizationChange Change, ChangeStatus Next, IReadOnlyList<string> Reasons)
{
    /// <summary>Who takes a step that no person asked for.</summary>
    public const string Scheduler = "fabrik";

    public const int LongestReason = 4096;

    public string Actor { get; init; } = Scheduler;

    /// <summary>Figures that the step rests on, by name.</summary>
    public IReadOnlyDictionary<string, double> Evidence { get; init; } = new Dictionary<string, double>();

    /// <summary>What set an emergency rollback off, as one word; null for any other step.</summary>
    public string? Incident { get; init; }

    public Phase From => Change.Phase;
    public Phase To => Next.Phase ?? Phase.Proposed;

    /// <summary>The status of a change that moves into a phase, or stays in it for another reason. Buckets are given by the caller; none are kept.</summary>
    public static Step Into(OptimizationChange change, Phase phase, DateTimeOffset now, params IReadOnlyList<string> reasons) =>
        new(change, Status(change, phase, now, string.Join("; ", reasons)), reasons);

    /// <summary>The same with what only a person can give: the condition says so until the next step.</summary>
    public Step ThatNeedsApproval(DateTimeOffset now) => this with
    {
        Next = Next with { Conditions = Conditions.With(Next.Conditions, Names.Conditions.ApprovalRequired, "True", "WaitsForPerson", Next.Reason, Change.Metadata.Generation, now) },
    };

    /// <summary>Whether anything that people see would be another than it is.</summary>
    public bool ChangesAnything => From != To || Next.Share != Change.Status.Share || Next.Holdback != Change.Status.Holdback || Next.Slot != Change.Status.Slot
        || Next.Reason != Change.Status.Reason || Conditions.NeedsApproval(Next) != Conditions.NeedsApproval(Change.Status);

    private static ChangeStatus Status(OptimizationChange change, Phase phase, DateTimeOffset now, string reason)
    {
        var cut = reason.Length <= LongestReason ? reason : reason[..LongestReason];
        var conditions = Conditions.Without(change.Status.Conditions, Names.Conditions.ApprovalRequired);
        if (change.Status.Phase != phase || !conditions.Any(one => one.Type == Names.Conditions.PhaseReached))
            conditions = Conditions.With(conditions, Names.Conditions.PhaseReached, "True", phase.ToString(), cut, change.Metadata.Generation, now);
        return change.Status with
        {
            Phase = phase,
            Reason = cut,
            Slot = null,
            Holdback = null,
            Share = null,
            Transition = null,
            ObservedGeneration = change.Metadata.Generation,
            Conditions = conditions,
        };
    }
}
