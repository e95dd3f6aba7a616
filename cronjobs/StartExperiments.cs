using Fabrik.CronJobs.Decisions;
using Fabrik.CronJobs.Hosting;
using Fabrik.Decisions;

namespace Fabrik.CronJobs;

/// <summary>Puts what is proposed or queued on trial as far as the guardrails allow, and lets the share of a trial grow.</summary>
public sealed class StartExperiments(OptimizerTurn turn, SchedulerMetrics metrics, ILogger<StartExperiments> logger) : OptimizerTask(metrics, logger)
{
    public static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);

    public override Task<bool> RunAsync(CancellationToken ct) => turn.TakeAsync(Starting.Plan, ct);
}
