using Fabrik.CronJobs.Decisions;
using Fabrik.CronJobs.Hosting;
using Fabrik.Decisions;

namespace Fabrik.CronJobs;

/// <summary>Rolls out what has shown its worth and ends what has run its time. Harm does not wait for this: see <see cref="AnalyseExperiments"/>.</summary>
public sealed class DecideExperiments(OptimizerTurn turn, SchedulerMetrics metrics, ILogger<DecideExperiments> logger) : OptimizerTask(metrics, logger)
{
    public static readonly TimeSpan Interval = TimeSpan.FromMinutes(15);

    public override Task<bool> RunAsync(CancellationToken ct) => turn.TakeAsync(Deciding.Plan, ct);
}
