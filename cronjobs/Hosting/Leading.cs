using Fabrik.CronJobs.Audit;
using Fabrik.CronJobs.Runs;
using Fabrik.Kubernetes;
using Quartz;

namespace Fabrik.CronJobs.Hosting;

/// <summary>Lets one replica at a time observe. Two at once would be harmless but wasteful: every write is an upsert of what the cluster says.</summary>
public sealed class Leading(CronJobsOptions options, KubernetesClient cluster, RunObserver observer, EditRecorder edits, SchedulerMetrics metrics, ISchedulerFactory tasks, TimeProvider clock, ILogger<Leading> logger) : BackgroundService
{
    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        new LeaderElector(cluster, clock, new LeaderElectorOptions
        {
            Namespace = Names.SystemNamespace,
            Name = Names.Objects.Leader,
            Identity = options.Identity,
            Logger = logger,
        }).RunAsync(LeadAsync, stoppingToken);

    private async Task LeadAsync(CancellationToken ct)
    {
        metrics.Leads(true);
        try
        {
            // Each task was due when the process began, and did nothing, as another replica led: with long intervals and a short life it would never run.
            var scheduler = await tasks.GetScheduler(ct);
            foreach (var task in await scheduler.GetJobKeys(GroupMatcher<JobKey>.AnyGroup(), ct)) await scheduler.TriggerJob(task, ct);
            await Task.WhenAll(observer.RunAsync(ct), edits.RunAsync(ct));
        }
        finally
        {
            metrics.Leads(false);
        }
    }
}
