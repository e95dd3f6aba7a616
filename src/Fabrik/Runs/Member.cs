using Fabrik.Experiments;

namespace Fabrik.Runs;

/// <summary>What an analysis of one change needs to know of one run.</summary>
/// <param name="Seq">Breaks ties of <paramref name="CreatedAt"/>: the order is by both.</param>
/// <param name="Id">UID of the Job.</param>
/// <param name="Arm">The run's own arm; of a run that counts as applied it says whether an experiment treated it besides.</param>
/// <param name="ArmChange">The change that the arm belongs to.</param>
/// <param name="FinishedAt">Null while it runs, and for one that is lost.</param>
/// <param name="Reason">See <see cref="Run.Reason"/>.</param>
/// <param name="Revision">Grows with every write; see the reader of updates.</param>
public sealed record Member(
    long Seq,
    string Id,
    string? RunId,
    string Stratum,
    MemberRole Role,
    Arm Arm,
    string? ArmChange,
    DateTimeOffset CreatedAt,
    DateTimeOffset? StartedAt,
    DateTimeOffset? FinishedAt,
    Outcome Outcome,
    bool OomKilled,
    string? Reason,
    double? DurationSeconds,
    int Attempts,
    RunResources Requested,
    RunResources Applied,
    long Revision);
