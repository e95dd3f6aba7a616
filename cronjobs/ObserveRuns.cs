using Fabrik.CronJobs.Hosting;
using Fabrik.CronJobs.Runs;
using Quartz;

namespace Fabrik.CronJobs;

/// <summary>
/// Compares the runs that are followed with the Jobs that exist, and lets go of what is settled. The watches themselves do not wait for a
/// schedule: they run as long as this replica leads (<see cref="RunObserver"/>), because a change between two looks would be lost.
/// </summary>
[DisallowConcurrentExecution]
public sealed class ObserveRuns(RunObserver observer, SchedulerMetrics metrics) : IJob
{
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(15);

    public ValueTask Execute(IJobExecutionContext context, CancellationToken cancellationToken = default)
    {
        if (metrics.Paused is null && observer.Reconcile()) metrics.Succeeded(nameof(ObserveRuns));
        return ValueTask.CompletedTask;
    }
}
