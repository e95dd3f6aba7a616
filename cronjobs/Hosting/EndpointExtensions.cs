using Fabrik.CronJobs.Runs;
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
        routes.MapGet(Names.Paths.Ready, (Database database) =>
        {
            using var connection = database.Read();
            return "ok\n";
        });
    }
}
