using System.Runtime.InteropServices;
using Fabrik.Runs;

namespace Fabrik.CronJobs.Usage;

/// <summary>How often Prometheus was asked about a run that has ended, and when to ask next. By the clock of this process: the cluster's may differ.</summary>
[StructLayout(LayoutKind.Auto)]
public readonly record struct Attempt(DateTimeOffset SeenAt, int Tries, DateTimeOffset Next);

/// <summary>When to stop waiting for samples of a run that has ended.</summary>
/// <param name="Settle">Two samples of the source in use: then what will come has come.</param>
public sealed record Patience(TimeSpan Settle)
{
    /// <summary>So often Prometheus is asked before a run counts as one it has no samples of.</summary>
    public const int Tries = 3;

    /// <summary>So long it may be away. The names of a run's Pods are known for an hour after its Job is gone.</summary>
    public static readonly TimeSpan Away = TimeSpan.FromMinutes(30);

    public Attempt First(DateTimeOffset now) => new(now, 0, now + Settle);

    /// <summary>Prometheus answered, but not with all that there should be.</summary>
    /// <returns>Null: that is all there will be.</returns>
    public Attempt? Answered(Attempt attempt, DateTimeOffset now) =>
        attempt.Tries + 1 >= Tries ? null : attempt with { Tries = attempt.Tries + 1, Next = now + Settle };

    /// <summary>Prometheus did not answer.</summary>
    /// <param name="failingSince">When it began not to.</param>
    /// <param name="sampled">Whether there is something else to go by.</param>
    /// <returns>Null: goes by what there is. So it does at once where Prometheus was away all the time and something else looked instead.</returns>
    public Attempt? Failed(Attempt attempt, DateTimeOffset now, Run run, DateTimeOffset? failingSince, bool sampled) =>
        now - attempt.SeenAt >= Away || (sampled && failingSince <= (run.StartedAt ?? run.CreatedAt)) ? null : attempt with { Next = now + SourceStates.AskAgain };
}
