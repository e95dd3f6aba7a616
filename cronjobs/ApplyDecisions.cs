using Fabrik.CronJobs.Decisions;
using Fabrik.CronJobs.Hosting;
using Fabrik.Decisions;

namespace Fabrik.CronJobs;

/// <summary>Does what people have said, applies what is approved, and ends the holdback of what has held.</summary>
public sealed class ApplyDecisions(OptimizerTurn turn, SchedulerMetrics metrics, ILogger<ApplyDecisions> logger) : OptimizerTask(metrics, logger)
{
    public static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);

    public override Task<bool> RunAsync(CancellationToken ct) => turn.TakeAsync(Applying.Plan, ct);
}
