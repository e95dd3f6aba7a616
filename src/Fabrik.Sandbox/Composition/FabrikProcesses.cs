using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Fabrik.Api;
using Fabrik.CronJobs;
using Fabrik.Kubernetes;
using Fabrik.Proxy;
using Fabrik.Sandbox.Server;
using Fabrik.Webhook;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Fabrik.Sandbox.Composition;

/// <summary>
/// The webhook, the scheduler and the API, composed in this process for one API server, whichever it is, and made known to it.
/// In a cluster each is a process of its own; here as there it calls with its ServiceAccount and may do what its roles give.
/// </summary>
public sealed class FabrikProcesses : IAsyncDisposable
{
    /// <summary>Simulated Pods may live for less than a second; their use is shown for some seconds more.</summary>
    private static readonly TimeSpan MeasureEvery = TimeSpan.FromSeconds(2);

    private readonly List<WebApplication> running = [];

    public required Uri Webhook { get; init; }
    public required Uri Api { get; init; }
    public required Uri Scheduler { get; init; }

    /// <summary>Null where none was composed.</summary>
    public Uri? Gateway { get; init; }

    /// <summary>The file with the keys of run tokens, in the same directory.</summary>
    public static string RunTokenKeyFile(string directory) => Path.Combine(directory, "run-token.key");

    /// <param name="directory">Holds keys, certificates and the control database.</param>
    /// <param name="clusterClock">Time as the objects are stamped with it; null: the same.</param>
    /// <param name="pace">How often to do what is done at an interval; null: at that interval.</param>
    /// <param name="gatewayUrl">Where runs reach the LLM gateway; null: no Job gets a run token, unless <paramref name="provider"/> is given.</param>
    /// <param name="provider">Where models are: a gateway is composed before it, and runs are given its address. Null: there is no gateway here.</param>
    /// <param name="address">Of this machine, by which the API server reaches the webhook and Pods reach the gateway; null: both are on this machine, and nothing else reaches them.</param>
    public static async Task<FabrikProcesses> StartAsync(
        ClusterConfig cluster, string directory, TimeProvider clock, Action<ILoggingBuilder> logging, CancellationToken ct, TimeProvider? clusterClock = null, Func<TimeSpan, TimeSpan>? pace = null, Uri? gatewayUrl = null, Uri? provider = null,
        IPAddress? address = null)
    {
        var reached = address ?? IPAddress.Loopback;
        var tls = Path.Combine(directory, "tls");
        var keyFile = Path.Combine(directory, "assignment.key");
        var caPem = WriteCertificate(tls, reached, clock);
        foreach (var secret in (string[])[keyFile, RunTokenKeyFile(directory)])
            if (!File.Exists(secret)) WriteSecret(secret, Convert.ToBase64String(RandomNumberGenerator.GetBytes(32)));

        using var client = new KubernetesClient(cluster, clock);
        await ClusterSetup.InstallAsync(client, clock, ct);
        var webhookAccount = await ClusterSetup.AsAsync(client, cluster, Names.Objects.Webhook, ct);
        var controlAccount = await ClusterSetup.AsAsync(client, cluster, Names.Objects.Control, ct);
        var started = new List<WebApplication>();
        try
        {
            var api = await StartAsync(
                builder => builder.Services.AddFabrikApi(new ApiOptions { Cluster = controlAccount, DataDirectory = directory, TlsDirectory = tls, Port = 0, LoopbackOnly = true, Clock = clock }),
                app => app.MapFabrikApi(), IPAddress.Loopback, logging, started, ct);
            Uri? gateway = null;
            if (provider is not null)
            {
                var options = await GatewaySetup.OptionsAsync(client, directory, provider, api, caPem, RunTokenKeyFile(directory), loopbackOnly: address is null, clock, ct);
                await ClusterSetup.KeepTokenKeyAsync(client, await File.ReadAllTextAsync(RunTokenKeyFile(directory), ct), ct);
                gateway = await StartAsync(builder => builder.Services.AddFabrikProxy(options), app => app.MapFabrikProxy(), reached, logging, started, ct);
            }

            var webhook = await StartAsync(
                builder => builder.Services.AddFabrikWebhook(new WebhookOptions { Cluster = webhookAccount, TlsDirectory = tls, AssignmentKeyFile = keyFile, GatewayUrl = gateway ?? gatewayUrl, RunTokenKeyFile = RunTokenKeyFile(directory), Port = 0, LoopbackOnly = address is null, DrainGrace = TimeSpan.Zero, Clock = clock }),
                app => app.MapFabrikWebhook(), reached, logging, started, ct);
            var scheduler = await StartAsync(
                builder => builder.Services.AddFabrikCronJobs(new CronJobsOptions { Cluster = controlAccount, DataDirectory = directory, AssignmentKeyFile = keyFile, MetricsPort = 0, LoopbackOnly = true, MeasureEvery = MeasureEvery, Clock = clock, ClusterClock = clusterClock ?? clock, Pace = pace ?? (interval => interval) }),
                app => app.MapFabrikCronJobs(), IPAddress.Loopback, logging, started, ct);
            await ReadyAsync(webhook, caPem, clock, ct);
            await ReadyAsync(scheduler, caPem, clock, ct);
            await ReadyAsync(api, caPem, clock, ct);
            await ClusterSetup.RegisterWebhookAsync(client, webhook, caPem, ct);
            await ClusterSetup.AnnounceAsync(client, api, caPem, gateway, ct);
            var processes = new FabrikProcesses { Webhook = webhook, Api = api, Scheduler = scheduler, Gateway = gateway };
            processes.running.AddRange(started);
            return processes;
        }
        catch
        {
            await StopAsync(started);
            throw;
        }
    }

    public async ValueTask DisposeAsync() => await StopAsync(running);

    private static async Task<Uri> StartAsync(Action<WebApplicationBuilder> add, Action<WebApplication> map, IPAddress reached, Action<ILoggingBuilder> logging, List<WebApplication> started, CancellationToken ct)
    {
        // The empty arguments keep each process to the options it is given; environment and files are for the processes that run alone.
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { EnvironmentName = Environments.Production });
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.Logging.ClearProviders();
        logging(builder.Logging);
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(5));
        add(builder);
        var app = builder.Build();
        map(app);
        started.Add(app);
        await app.StartAsync(ct);
        var address = new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First());
        return new UriBuilder(address) { Host = reached.ToString() }.Uri;
    }

    /// <summary>A Job created before the webhook has its first snapshot would be nobody's.</summary>
    private static async Task ReadyAsync(Uri process, string caPem, TimeProvider clock, CancellationToken ct)
    {
        using var authority = X509Certificate2.CreateFromPem(caPem);
        using var handler = new SocketsHttpHandler();
        handler.SslOptions.CertificateChainPolicy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, CustomTrustStore = { authority }, RevocationMode = X509RevocationMode.NoCheck };
        using var http = new HttpClient(handler);
        for (var attempt = 0; attempt < 600; attempt++)
        {
            using var answer = await http.GetAsync(new Uri(process, Names.Paths.Ready), ct);
            if (answer.IsSuccessStatusCode) return;
            if (attempt == 599) throw new InvalidOperationException($"{process} did not become ready: {await answer.Content.ReadAsStringAsync(ct)}");
            await Task.Delay(TimeSpan.FromMilliseconds(50), clock, ct);
        }
    }

    private static async Task StopAsync(List<WebApplication> apps)
    {
        foreach (var app in Enumerable.Reverse(apps)) await app.StopAsync();
        foreach (var app in Enumerable.Reverse(apps)) await app.DisposeAsync();
    }

    private static string WriteCertificate(string directory, IPAddress address, TimeProvider clock)
    {
        var (caPem, certificatePem, keyPem) = Server.Certificates.MakePem(clock, address);
        Directory.CreateDirectory(directory);
        File.WriteAllText(Path.Combine(directory, "tls.crt"), certificatePem);
        WriteSecret(Path.Combine(directory, "tls.key"), keyPem);
        return caPem;
    }

    private static void WriteSecret(string path, string text)
    {
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        using var writer = new StreamWriter(path, options);
        writer.Write(text);
    }
}
