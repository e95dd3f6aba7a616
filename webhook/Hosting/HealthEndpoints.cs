using Fabrik.Kubernetes.Serving;
using Fabrik.Metrics;
using Fabrik.Webhook.Certificates;
using Fabrik.Webhook.Reviews;
using Fabrik.Webhook.Snapshots;

namespace Fabrik.Webhook.Hosting;

/// <summary>Probes and metrics, on every port.</summary>
internal static class HealthEndpoints
{
    public static void MapHealth(this IEndpointRouteBuilder routes)
    {
        routes.MapGet(Names.Paths.Live, context => context.Response.WriteAsync("ok\n"));
        routes.MapGet(Names.Paths.Ready, context =>
        {
            var services = context.RequestServices;
            var why = services.GetRequiredService<Drain>().IsDraining ? "draining" : string.Join("; ", Missing(services));
            context.Response.StatusCode = why.Length == 0 ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable;
            context.Response.ContentType = "text/plain; charset=utf-8";
            return context.Response.WriteAsync(why.Length == 0 ? "ok\n" : $"not ready: {why}\n");
        });
        routes.MapGet(Names.Paths.Metrics, context =>
        {
            var format = ExpositionFormat.For(context.Request.Headers.Accept);
            context.Response.ContentType = format.ContentType;
            return context.Response.WriteAsync(context.RequestServices.GetRequiredService<WebhookMetrics>().Expose(format));
        });
    }

    private static IEnumerable<string> Missing(IServiceProvider services)
    {
        var snapshots = services.GetRequiredService<SnapshotKeeper>();
        if (snapshots.Current is null) yield return snapshots.Why();
        if (services.GetService<CertificateWatch>() is { } watch)
        {
            if (watch.Problem is { } problem) yield return problem;
        }
        else if (services.GetRequiredService<ServingCertificate>().Pem is null)
        {
            yield return $"waits for tls.crt and tls.key in {services.GetRequiredService<WebhookOptions>().TlsDirectory}";
        }

        if (!services.GetRequiredService<WarmUp>().IsDone) yield return "warms up";
    }
}
