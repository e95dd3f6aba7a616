using System.Text.Json;
using Fabrik.Gateway;
using Fabrik.Kubernetes.Serving;
using Fabrik.Metrics;

namespace Fabrik.Proxy.Hosting;

/// <summary>Probes, metrics and the status. Ready depends neither on a provider nor on the API: a Pod less would mend neither.</summary>
internal static class HealthEndpoints
{
    public static void MapHealth(this IEndpointRouteBuilder routes)
    {
        routes.MapGet(Names.Paths.Live, context => context.Response.WriteAsync("ok\n"));
        routes.MapGet(Names.Paths.Ready, context =>
        {
            var draining = context.RequestServices.GetRequiredService<Drain>().IsDraining;
            context.Response.StatusCode = draining ? StatusCodes.Status503ServiceUnavailable : StatusCodes.Status200OK;
            context.Response.ContentType = "text/plain; charset=utf-8";
            return context.Response.WriteAsync(draining ? "not ready: draining\n" : "ok\n");
        });
        routes.MapGet(Names.Paths.GatewayStatus, context =>
        {
            context.Response.ContentType = "application/json";
            return JsonSerializer.SerializeAsync(context.Response.Body, context.RequestServices.GetRequiredService<StatusPage>().Now(), GatewayJson.Default.GatewayStatus, context.RequestAborted);
        });
        routes.MapGet(Names.Paths.Metrics, context =>
        {
            var format = ExpositionFormat.For(context.Request.Headers.Accept);
            context.Response.ContentType = format.ContentType;
            return context.Response.WriteAsync(context.RequestServices.GetRequiredService<ProxyMetrics>().Expose(format));
        });
    }
}
