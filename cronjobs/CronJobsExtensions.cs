using Fabrik.CronJobs.Audit;
using Fabrik.CronJobs.Budgets;
using Fabrik.CronJobs.Decisions;
using Fabrik.CronJobs.Hosting;
using Fabrik.CronJobs.Runs;
using Fabrik.CronJobs.Usage;
using Fabrik.Kubernetes;
using Fabrik.Storage;
using Quartz;

namespace Fabrik.CronJobs;

/// <summary>The scheduler as a pair, so that it can run alone or beside others.</summary>
public static class CronJobsExtensions
{
    public static IServiceCollection AddFabrikCronJobs(this IServiceCollection services, CronJobsOptions options)
    {
        services.AddSingleton(options);
        services.AddSingleton(options.Clock);
        services.AddSingleton(_ => new KubernetesClient(options.Cluster, options.Clock));
        services.AddSingleton(_ => Database.Open(options.DataDirectory, options.Clock, Names.Components.Scheduler));
        services.AddSingleton<StorageTold>();
        services.AddSingleton<RunStore>();
        services.AddSingleton<RunMetrics>();
        services.AddSingleton<SchedulerMetrics>();
        services.AddSingleton<RunObserver>();
        services.AddSingleton<AuditStore>();
        services.AddSingleton<EditRecorder>();
        services.AddHostedService<Leading>();
        services.AddUsage(options);
        services.AddSingleton<MemberReader>();
        services.AddSingleton<AnalysisStore>();
        services.AddSingleton<TransitionStore>();
        services.AddSingleton<ProfileStore>();
        services.AddSingleton<OptimizerObjects>();
        services.AddSingleton<OptimizerMetrics>();
        services.AddSingleton(services => ActivatorUtilities.CreateInstance<OptimizerTurn>(services, options.ClusterClock));
        services.AddSingleton<ModelCallStore>();
        services.AddSingleton<BudgetStore>();
        services.AddSingleton<BudgetTurn>();
        services.AddSingleton<PeerTurn>();
        services.AddSingleton(services => ActivatorUtilities.CreateInstance<ClaimTurn>(services, options.ClusterClock));
        services.AddScheduledTasks(options);
        services.AddFabrikEndpoint(options);
        return services;
    }

    public static WebApplication MapFabrikCronJobs(this WebApplication app)
    {
        app.MapHealth();
        return app;
    }

    private static void AddUsage(this IServiceCollection services, CronJobsOptions options)
    {
        services.AddSingleton<UsageStore>();
        services.AddSingleton<UsageMetrics>();
        services.AddSingleton<SourceStates>();
        services.AddSingleton<ClusterReadings>();
        services.AddSingleton<UsageSampler>();
        services.AddSingleton<UsageSettler>();
        if (options.Prometheus is not { } prometheus) return;
        services.AddSingleton(services => new PrometheusClient(prometheus, services.GetRequiredService<UsageMetrics>(), options.Clock));
        services.AddSingleton<PrometheusReadings>();
    }

    private static void AddScheduledTasks(this IServiceCollection services, CronJobsOptions options)
    {
        services.AddQuartz(quartz =>
        {
            quartz.Every<ObserveRuns>(ObserveRuns.Interval);
            quartz.Every<MeasureRuns>(options.MeasureEvery);
            quartz.Every<AnalyseExperiments>(options.Pace(AnalyseExperiments.Interval));
            quartz.Every<ProposeChanges>(options.Pace(ProposeChanges.Interval));
            quartz.Every<StartExperiments>(options.Pace(StartExperiments.Interval));
            quartz.Every<DecideExperiments>(options.Pace(DecideExperiments.Interval));
            quartz.Every<ApplyDecisions>(options.Pace(ApplyDecisions.Interval));
            quartz.Every<WatchBudgets>(WatchBudgets.Interval);
            quartz.Every<LinkPeers>(LinkPeers.Interval);
            quartz.Every<ClaimVolumes>(ClaimVolumes.Interval);
            quartz.Every<ForgetCalls>(ForgetCalls.Interval);
            quartz.Every<WatchStorage>(WatchStorage.Interval);
        });
        services.AddQuartzHostedService(hosted => hosted.WaitForJobsToComplete = true);
    }

    private static void Every<T>(this IQuartzBuilder quartz, TimeSpan interval)
        where T : class, IJob => quartz.ScheduleJob<T>(
            trigger => trigger.WithIdentity(typeof(T).Name).StartNow().WithSimpleSchedule(schedule => schedule.WithInterval(interval).RepeatForever()),
            job => job.WithIdentity(typeof(T).Name));
}
