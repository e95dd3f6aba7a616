using Fabrik.CronJobs.Decisions;
using Fabrik.CronJobs.Hosting;
using Fabrik.Storage;

namespace Fabrik.CronJobs;

/// <summary>Forgets single attempts at models, and what was audited, once they are old; what calls add up to is kept for longer.</summary>
public sealed class ForgetCalls(ModelCallStore calls, AuditStore audit, CronJobsOptions options, TimeProvider clock, SchedulerMetrics metrics, ILogger<ForgetCalls> logger) : OptimizerTask(metrics, logger)
{
    public static readonly TimeSpan Interval = TimeSpan.FromHours(1);

    /// <summary>In one transaction: whoever delivers usage meanwhile waits no longer than for this.</summary>
    private const int Batch = 2_000;

    public override async Task<bool> RunAsync(CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        while (calls.Forget(now - options.KeepCalls, now - ModelCallStore.SumsKept, Batch) >= Batch)
        {
            ct.ThrowIfCancellationRequested();
            await Task.Delay(TimeSpan.FromMilliseconds(50), clock, ct); // others write too
        }

        audit.Retain(now);
        return true;
    }
}
