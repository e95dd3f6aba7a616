using Fabrik.CronJobs.Decisions;
using Fabrik.CronJobs.Hosting;
using Fabrik.CronJobs.Runs;

namespace Fabrik.CronJobs;

/// <summary>Makes the claims that the Pods of Jobs wait for which go on where an earlier Pod came to.</summary>
public sealed class ClaimVolumes(ClaimTurn turn, SchedulerMetrics metrics, ILogger<ClaimVolumes> logger) : OptimizerTask(metrics, logger)
{
    /// <summary>How long the Pods of a new Job may wait for their volume.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(2);

    public override Task<bool> RunAsync(CancellationToken ct) => turn.TakeAsync(ct);
}
