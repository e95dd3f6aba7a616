using System.Net;
using Fabrik.Kubernetes.Serving;
using Fabrik.Metrics;
using Fabrik.Storage;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.Options;

namespace Fabrik.Api.Hosting;

/// <summary>Where and how the process listens, and what every answer carries.</summary>
internal static class EndpointExtensions
{
    public static void AddFabrikEndpoint(this IServiceCollection services, ApiOptions options)
    {
        if (options.TlsDirectory is { } tls)
            services.AddSingleton(provider => new ServingCertificate(tls, options.Clock, provider.GetRequiredService<ILogger<ServingCertificate>>()));
        services.AddSingleton<IConfigureOptions<KestrelServerOptions>>(provider => new ConfigureOptions<KestrelServerOptions>(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = 64 * 1024;
            kestrel.Limits.MaxConcurrentConnections = 1000;
            kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(10);
            if (options.TlsDirectory is not null)
            {
                var certificate = provider.GetRequiredService<ServingCertificate>();
                if (options.LoopbackOnly) kestrel.Listen(IPAddress.Loopback, options.Port, Secure);
                else kestrel.ListenAnyIP(options.Port, Secure);

                void Secure(ListenOptions listen) => listen.UseHttps(new TlsHandshakeCallbackOptions { OnConnection = _ => ValueTask.FromResult(certificate.Current) });
            }
            else
            {
                // Tokens must not cross a network in the clear.
                kestrel.Listen(IPAddress.Loopback, options.Port);
            }
        }));
    }

    public static void UseFabrikHeaders(this IApplicationBuilder app) => app.Use((context, next) =>
    {
        var headers = context.Response.Headers;
        headers.XContentTypeOptions = "nosniff";
        headers.CacheControl = "no-store";
        headers.ContentSecurityPolicy = "default-src 'none'; frame-ancestors 'none'";
        headers["Referrer-Policy"] = "no-referrer";
        if (context.Request.IsHttps) headers.StrictTransportSecurity = "max-age=31536000";
        return next(context);
    });

    public static void UseProblems(this WebApplication app)
    {
        var logger = app.Logger;
        var (metrics, clock) = (app.Services.GetRequiredService<ApiMetrics>(), app.Services.GetRequiredService<TimeProvider>());
        app.Use(async (context, next) =>
        {
            var began = clock.GetTimestamp();
            await next(context);
            metrics.Answered(context.GetEndpoint() is RouteEndpoint route ? route.RoutePattern.RawText ?? "" : "", context.Response.StatusCode, clock.GetElapsedTime(began));
        });
        app.Use(async (context, next) =>
        {
            try
            {
                await next(context);
            }
            catch (Exception e) when (!context.Response.HasStarted)
            {
                if (context.RequestAborted.IsCancellationRequested) return;
                await Failures.Of(e, context.TraceIdentifier, logger).WriteAsync(context);
                return;
            }

            if (context.Response is { HasStarted: false, ContentLength: null, ContentType: null } response)
            {
                var problem = response.StatusCode switch
                {
                    404 => Problem.NoSuchPath(context.Request.Path),
                    405 => Problem.ReadOnly(context.Request.Method),
                    >= 400 and < 500 => Problem.BadRequest(response.StatusCode, "the server refused it"),
                    _ => null,
                };
                if (problem is not null) await problem.WriteAsync(context);
            }
        });
    }

    public static void MapHealth(this IEndpointRouteBuilder routes)
    {
        routes.MapGet(Names.Paths.Live, () => TypedResults.Text("ok\n")).WithName("live").WithSummary("Whether the process runs").WithTags("health").Produces<string>(200, "text/plain");
        routes.MapGet(Names.Paths.Ready, (Database database) =>
        {
            using var connection = database.Read();
            return TypedResults.Text("ok\n");
        }).WithName("ready").WithSummary("Whether the database can be read").WithTags("health").Produces<string>(200, "text/plain").ProducesProblem(503);

        var meter = routes.ServiceProvider.GetRequiredService<ApiMetrics>().Meter;
        var collector = new MetricCollector(one => one == meter || MetricCollector.IsRuntime(one));
        routes.ServiceProvider.GetRequiredService<IHostApplicationLifetime>().ApplicationStopped.Register(collector.Dispose);
        routes.MapGet(Names.Paths.Metrics, (HttpContext http) =>
        {
            var format = ExpositionFormat.For(http.Request.Headers.Accept);
            return Results.Text(Exposition.Write(collector.Collect(), format), format.ContentType);
        }).WithName("metrics").WithSummary("Measurements for Prometheus").WithTags("health").Produces<string>(200, "text/plain");
    }
}
