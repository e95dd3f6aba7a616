using System.Net;
using Fabrik.Gateway.Failover;
using Fabrik.Proxy.Calls;
using Fabrik.Proxy.Hosting;
using Fabrik.Proxy.Providers;

namespace Fabrik.Proxy.Forwarding;

/// <summary>The connections to all providers.</summary>
internal sealed class FailoverInvoker(Ledger ledger, Benches benches, ProviderFiles providers, ProxyMetrics metrics, Closing closing, ProxyOptions options)
    : HttpMessageInvoker(new FailoverHandler(Network(TimeSpan.FromSeconds(providers.Current.Config.Limits.ConnectSeconds)), ledger, benches, metrics, closing, options.Clock))
{
    private static SocketsHttpHandler Network(TimeSpan connect) => new()
    {
        UseProxy = false,
        UseCookies = false,
        AllowAutoRedirect = false,
        AutomaticDecompression = DecompressionMethods.None,
        ConnectTimeout = connect,
        // A client that has gone must not let the provider go on: the connection is closed, not read to its end.
        ResponseDrainTimeout = TimeSpan.Zero,
        MaxResponseDrainSize = 0,
        EnableMultipleHttp2Connections = true,
        // Providers move behind their names.
        PooledConnectionLifetime = TimeSpan.FromMinutes(5),
        ActivityHeadersPropagator = null,
    };
}
