using Fabrik.Certificates;
using Fabrik.Kubernetes;
using Fabrik.Tests.Kubernetes;
using Fabrik.Tests.Webhook;
using Fabrik.Webhook;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Fabrik.Tests.EndToEnd;

/// <summary>One replica of the webhook as its Pod would be: its own identity, its certificate from the Secret, and a path of its own to the API server.</summary>
internal sealed class WebhookReplica : IAsyncDisposable
{
    private readonly WebApplication app;
    private readonly Relay path;
    private readonly HttpClient client = WebhookUnderTest.Client();
    private volatile bool gone;

    private WebhookReplica(WebApplication app, Relay path, string name, MemoryLog log) => (this.app, this.path, Name, Log) = (app, path, name, log);

    public string Name { get; }

    public MemoryLog Log { get; }

    /// <summary>Of the port for reviews.</summary>
    public int Port { get; private set; }

    private Uri Plain { get; set; } = null!;

    /// <param name="cluster">With the token of the webhook's ServiceAccount.</param>
    /// <param name="keys">Where the Secret with the assignment key is mounted.</param>
    /// <param name="killAt">Called with each write; true: the process dies when the write has taken place and before it hears of it.</param>
    public static async Task<WebhookReplica> StartAsync(ClusterConfig cluster, string name, string keys, CertificateTimes times, bool loopback, CancellationToken ct, Func<string, bool>? killAt = null)
    {
        var relay = await Relay.StartAsync(cluster);
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.Logging.ClearProviders();
        var log = new MemoryLog();
        builder.Logging.AddProvider(log).AddFilter("Microsoft", LogLevel.Warning);
        builder.Services.AddFabrikWebhook(new WebhookOptions
        {
            Cluster = relay.Config,
            TlsSecret = Names.Objects.WebhookTlsSecret,
            AssignmentKeyFile = Path.Combine(keys, "key"),
            Port = 0,
            MetricsPort = 0,
            LoopbackOnly = loopback,
            DrainGrace = TimeSpan.FromSeconds(2),
            Identity = name,
            CertificateTimes = times,
        });
        var made = builder.Build();
        made.MapFabrikWebhook();
        var replica = new WebhookReplica(made, relay, name, log);
        relay.Where = request => replica.gone ? Cut.BeforeTheRequest
            : killAt is not null && request.Method == "PATCH" && killAt(request.Path) ? Cut.BeforeTheAnswer
            : Cut.Nowhere;
        relay.WhenCut = () => replica.gone = true;
        await made.StartAsync(ct);
        var addresses = made.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Select(address => new Uri(address)).ToList();
        replica.Port = addresses.Single(address => address.Scheme == "https").Port;
        replica.Plain = new UriBuilder("http", "127.0.0.1", addresses.Single(address => address.Scheme == "http").Port).Uri;
        return replica;
    }

    /// <summary>Its path to the API server has been cut in the midst of a write.</summary>
    public bool IsCut => gone;

    /// <summary>As the kubelet asks; "" where nothing answers.</summary>
    public async Task<(bool Ready, string Why)> ReadyAsync()
    {
        try
        {
            using var answer = await client.GetAsync(new Uri(Plain, Names.Paths.Ready));
            return (answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
        }
        catch (Exception e) when (e is HttpRequestException or ObjectDisposedException or OperationCanceledException)
        {
            return (false, "");
        }
    }

    public Task<string> MetricsAsync() => client.GetStringAsync(new Uri(Plain, Names.Paths.Metrics));

    /// <summary>As on SIGTERM.</summary>
    public async Task StopAsync()
    {
        await app.StopAsync();
        await DisposeAsync();
    }

    /// <summary>As when the process is killed: nothing is drained, and nothing more reaches the API server, so the Lease is not given back.</summary>
    public async Task KillAsync()
    {
        gone = true;
        using var now = new CancellationTokenSource();
        await now.CancelAsync();
        try
        {
            await app.StopAsync(now.Token);
        }
        catch (Exception e) when (e is OperationCanceledException or AggregateException)
        {
            // It was not given the time to end well.
        }

        await DisposeAsync();
    }

    public async ValueTask DisposeAsync()
    {
        gone = true;
        client.Dispose();
        await app.DisposeAsync();
        await path.DisposeAsync();
    }
}
