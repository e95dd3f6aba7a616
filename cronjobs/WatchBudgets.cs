using Fabrik.CronJobs.Budgets;
using Fabrik.CronJobs.Decisions;
using Fabrik.CronJobs.Hosting;

namespace Fabrik.CronJobs;

/// <summary>Tells people how far budgets of model calls are used up, and writes into the policy's status which are spent.</summary>
public sealed class WatchBudgets(BudgetTurn turn, SchedulerMetrics metrics, ILogger<WatchBudgets> logger) : OptimizerTask(metrics, logger)
{
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(15);

    public override Task<bool> RunAsync(CancellationToken ct) => turn.TakeAsync(ct);
}
