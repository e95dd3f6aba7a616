using System.Net;
using Fabrik.Gateway;
using Fabrik.Gateway.Budgets;
using Fabrik.Gateway.Failover;
using Fabrik.Kubernetes.Serving;
using Fabrik.Proxy.Budgets;
using Fabrik.Proxy.Callers;
using Fabrik.Proxy.Calls;
using Fabrik.Proxy.Forwarding;
using Fabrik.Proxy.Hosting;
using Fabrik.Proxy.Providers;
using Fabrik.Proxy.Spool;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Fabrik.Proxy;

/// <summary>The LLM gateway as a pair, so that it can run alone or beside others.</summary>
public static class ProxyExtensions
{
    public static IServiceCollection AddFabrikProxy(this IServiceCollection services, ProxyOptions options)
    {
        services.AddSingleton(options);
        services.AddSingleton(options.Clock);
        services.AddSingleton(provider => new UsageSpool(options.SpoolDirectory, options.Clock, provider.GetRequiredService<ILogger<UsageSpool>>()));
        services.AddSingleton<Benches>();
        services.AddSingleton<ProviderFiles>();
        services.AddSingleton<CallerFiles>();
        services.AddSingleton(_ => new EndedRuns());
        services.AddSingleton<RunEndsFeed>();
        services.AddSingleton<StatusPage>();
        services.AddHostedService(provider => provider.GetRequiredService<RunEndsFeed>());
        services.AddSingleton<PriceFile>();
        services.AddSingleton<ProxyMetrics>();
        services.AddSingleton<Ledger>();
        services.AddSingleton<ApiClient>();
        services.AddSingleton(_ => new BudgetBook(options.Clock));
        services.AddSingleton<BudgetKeeper>();
        services.AddSingleton<FailoverInvoker>();
        services.AddSingleton<CallEndpoint>();
        services.AddSingleton<UsageSender>();
        services.AddSingleton<Closing>();
        services.AddSingleton(provider => new Drain(options.DrainGrace, options.Clock, provider.GetRequiredService<ILogger<Drain>>()));
        services.AddHostedService(provider => provider.GetRequiredService<BudgetKeeper>());
        services.AddHostedService(provider => provider.GetRequiredService<UsageSender>());
        services.AddHostedService(provider => provider.GetRequiredService<Closing>());
        services.AddHostedService(provider => provider.GetRequiredService<Drain>());
        services.AddHostedService<OtlpExport>();
        services.AddHttpForwarder();
        services.Configure<KestrelServerOptions>(kestrel => Listen(kestrel, options));
        return services;
    }

    /// <exception cref="ProxyException">A file that it needs cannot be used.</exception>
    /// <exception cref="IOException">The spool's directory cannot be used.</exception>
    public static WebApplication MapFabrikProxy(this WebApplication app)
    {
        // Made here, so that what is wrong with files is said before anything listens.
        var calls = app.Services.GetRequiredService<CallEndpoint>();
        app.Services.GetRequiredService<StatusPage>();
        app.MapHealth();
        app.MapFallback("{*path}", calls.HandleAsync); // without the pattern names with a dot, as gpt-4.1, are taken for files
        return app;
    }

    private static void Listen(KestrelServerOptions kestrel, ProxyOptions options)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxRequestBodySize = null; // the call counts, and answers in its API's words
        kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(10);
        kestrel.Limits.MaxConcurrentConnections = 20_000;
        // Whoever sends a body or takes an answer more slowly holds a connection for nothing.
        kestrel.Limits.MinRequestBodyDataRate = new MinDataRate(bytesPerSecond: 240, gracePeriod: TimeSpan.FromSeconds(5));
        if (options.LoopbackOnly) kestrel.Listen(IPAddress.Loopback, options.Port);
        else kestrel.ListenAnyIP(options.Port);
    }
}
