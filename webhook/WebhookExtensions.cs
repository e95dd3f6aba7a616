using System.Net;
using Fabrik.Kubernetes;
using Fabrik.Kubernetes.Serving;
using Fabrik.Webhook.Certificates;
using Fabrik.Webhook.Files;
using Fabrik.Webhook.Hosting;
using Fabrik.Webhook.Reviews;
using Fabrik.Webhook.Snapshots;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;

namespace Fabrik.Webhook;

/// <summary>The admission webhook as a pair, so that it can run alone or beside others.</summary>
public static class WebhookExtensions
{
    /// <summary>Handshakes and headers of an API server take milliseconds; whoever needs longer holds a connection for nothing.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    public static IServiceCollection AddFabrikWebhook(this IServiceCollection services, WebhookOptions options)
    {
        services.AddSingleton(options);
        services.AddSingleton(options.Clock);
        services.AddSingleton(_ => new KubernetesClient(options.Cluster, options.Clock));
        services.AddSingleton(provider => options.TlsSecret is not null
            ? new ServingCertificate()
            : new ServingCertificate(options.TlsDirectory ?? throw new WebhookException("neither a Secret nor a directory is named to serve from"), options.Clock, provider.GetRequiredService<ILogger<ServingCertificate>>()));
        services.AddSingleton<SigningKeys>();
        services.AddSingleton<SnapshotKeeper>();
        services.AddSingleton<WebhookMetrics>();
        services.AddSingleton<WarmUp>();
        services.AddSingleton<ReviewEndpoint>();
        services.AddSingleton(provider => new Drain(options.DrainGrace, options.Clock, provider.GetRequiredService<ILogger<Drain>>()));
        services.AddHostedService(provider => provider.GetRequiredService<SnapshotKeeper>());
        services.AddHostedService(provider => provider.GetRequiredService<Drain>());
        services.AddHostedService(provider => provider.GetRequiredService<WarmUp>());
        if (options.TlsSecret is not null)
        {
            services.AddSingleton<CertificateWatch>();
            services.AddHostedService(provider => provider.GetRequiredService<CertificateWatch>());
            services.AddHostedService<CertificateKeeper>();
        }

        // A review is computed, never waited for: it may run where the socket was read, without another hop between threads.
        services.Configure<SocketTransportOptions>(sockets => sockets.UnsafePreferInlineScheduling = true);
        services.AddOptions<KestrelServerOptions>().Configure<ServingCertificate>((kestrel, certificate) => Listen(kestrel, options, certificate));
        return services;
    }

    /// <exception cref="CertificateException">The certificate cannot be used.</exception>
    /// <exception cref="WebhookException">A key cannot be used.</exception>
    public static WebApplication MapFabrikWebhook(this WebApplication app)
    {
        // Made here, so that what is wrong with files is said before anything listens.
        app.Services.GetRequiredService<ServingCertificate>();
        var reviews = app.Services.GetRequiredService<ReviewEndpoint>();
        app.MapPost(Names.Paths.MutateJobs, reviews.HandleAsync);
        app.MapHealth();
        return app;
    }

    private static void Listen(KestrelServerOptions kestrel, WebhookOptions options, ServingCertificate certificate)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxRequestBodySize = null; // the endpoint counts, without the framing of chunks, and answers in words
        kestrel.Limits.MaxConcurrentConnections = 4096;
        kestrel.Limits.RequestHeadersTimeout = Patience;
        Listen(options.Port, listen => listen.UseHttps(new TlsHandshakeCallbackOptions
        {
            HandshakeTimeout = Patience,
            OnConnection = _ => ValueTask.FromResult(certificate.Current),
        }));
        if (options.MetricsPort is { } port) Listen(port, listen => listen.Protocols = HttpProtocols.Http1);

        void Listen(int number, Action<ListenOptions> configure)
        {
            if (options.LoopbackOnly) kestrel.Listen(IPAddress.Loopback, number, configure);
            else kestrel.ListenAnyIP(number, configure);
        }
    }
}
