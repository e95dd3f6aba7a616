using Fabrik.CronJobs.Decisions;
using Fabrik.CronJobs.Hosting;
using Fabrik.CronJobs.Runs;

namespace Fabrik.CronJobs;

/// <summary>Lets the Pods of Jobs that say so talk to each other, in namespaces where Pods reach nothing by default.</summary>
public sealed class LinkPeers(PeerTurn turn, SchedulerMetrics metrics, ILogger<LinkPeers> logger) : OptimizerTask(metrics, logger)
{
    /// <summary>How long the Pods of a new Job may wait for their peers.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(2);

    public override Task<bool> RunAsync(CancellationToken ct) => turn.TakeAsync(ct);
}
