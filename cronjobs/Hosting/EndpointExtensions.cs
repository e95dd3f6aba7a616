using System.Diagnostics.Metrics;
using Fabrik.CronJobs.Decisions;
using Fabrik.CronJobs.Runs;
using Fabrik.CronJobs.Usage;
using Fabrik.Metrics;
using Fabrik.Storage;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Fabrik.CronJobs.Hosting;

/// <summary>Health and metrics; nothing else is served here.</summary>
internal static class EndpointExtensions
{
    public static void AddFabrikEndpoint(this IServiceCollection services, CronJobsOptions options) => services.Configure<KestrelServerOptions>(kestrel =>
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxRequestBodySize = 1024;
        kestrel.Limits.MaxConcurrentConnections = 100;
        if (options.LoopbackOnly) kestrel.Listen(System.Net.IPAddress.Loopback, options.MetricsPort);
        else kestrel.ListenAnyIP(options.MetricsPort);
    });

    public static void MapHealth(this IEndpointRouteBuilder routes)
    {
        routes.MapGet(Names.Paths.Live, () => "ok\n");

        // Ready means able to take over as well as at work: a replica that waits for the Lease is ready, one that leads is so once all is listed. One that stands still
        // as nothing can be written is ready to be asked why, and goes on by itself: to take its Pod from the Services would take the API away with it.
        routes.MapGet(Names.Paths.Ready, (Database database, RunObserver observer, SchedulerMetrics scheduler) =>
        {
            using var connection = database.Read();
            if (scheduler.Paused is { } paused) return Results.Text($"ok, and all tasks stand still since {paused.Since:yyyy-MM-dd'T'HH:mm:ss'Z'}: {paused.Why}\n");
            return scheduler.Leading && !observer.Synchronised ? Results.Text("the watches are not synchronised yet\n", statusCode: 503) : Results.Text("ok\n");
        });
        var collector = new MetricCollector(Meters(routes.ServiceProvider));
        routes.ServiceProvider.GetRequiredService<IHostApplicationLifetime>().ApplicationStopped.Register(collector.Dispose);
        routes.MapGet(Names.Paths.Metrics, (HttpContext http) =>
        {
            var format = ExpositionFormat.For(http.Request.Headers.Accept);
            return Results.Text(Exposition.Write(collector.Collect(), format), format.ContentType);
        });
    }

    /// <summary>By reference: another set of processes may live in this one.</summary>
    private static Predicate<Meter> Meters(IServiceProvider services)
    {
        Meter[] own = [services.GetRequiredService<RunMetrics>().Meter, services.GetRequiredService<UsageMetrics>().Meter, services.GetRequiredService<SchedulerMetrics>().Meter, services.GetRequiredService<OptimizerMetrics>().Meter];
        return meter => own.Contains(meter) || MetricCollector.IsRuntime(meter);
    }
}
