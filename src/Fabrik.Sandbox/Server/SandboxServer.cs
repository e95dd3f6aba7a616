using System.Net;
using System.Security.Cryptography;
using System.Text;
using Fabrik.Sandbox.Access;
using Fabrik.Sandbox.Store;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Fabrik.Sandbox.Server;

/// <summary>
/// A Kubernetes API server in this process, on loopback, for trying things out and for tests; a real cluster is the real thing.
/// Its objects live in memory and end with it. Controllers and nodes are ordinary clients of it; garbage collection and the emptying of
/// deleted namespaces belong to the server.
/// </summary>
public sealed class SandboxServer : IAsyncDisposable
{
    private readonly WebApplication app;
    private readonly Cluster cluster;
    private readonly CancellationTokenSource stopping = new();
    private readonly Task housekeeping;

    private SandboxServer(WebApplication app, Cluster cluster, Uri url, string adminToken)
    {
        this.app = app;
        this.cluster = cluster;
        Url = url;
        AdminToken = adminToken;
        housekeeping = new GarbageCollector(cluster, app.Services.GetRequiredService<ILogger<GarbageCollector>>()).RunAsync(stopping.Token);
    }

    /// <summary>https://127.0.0.1:PORT</summary>
    public Uri Url { get; }

    /// <summary>The certificate authority that signed the serving certificate.</summary>
    public string CaPem => cluster.CaPem;

    /// <summary>Bearer token of user <c>admin</c> in group system:masters.</summary>
    public string AdminToken { get; }

    /// <summary>A kubeconfig of the administrator, ready to be written to a file.</summary>
    public string Kubeconfig => KubeconfigFor(AdminToken);

    /// <summary>The same kubeconfig with another token, for example one that a TokenRequest gave.</summary>
    public string KubeconfigFor(string token) => $"""
        apiVersion: v1
        kind: Config
        clusters:
        - name: fabrik-sandbox
          cluster:
            server: {Url.GetLeftPart(UriPartial.Authority)}
            certificate-authority-data: {Convert.ToBase64String(Encoding.ASCII.GetBytes(CaPem))}
        users:
        - name: admin
          user:
            token: {token}
        contexts:
        - name: fabrik-sandbox
          context:
            cluster: fabrik-sandbox
            user: admin
            namespace: default
        current-context: fabrik-sandbox

        """;

    public static async Task<SandboxServer> StartAsync(SandboxServerOptions options, CancellationToken ct)
    {
        var (caPem, serving) = Certificates.Make(options.Clock);
        var parts = new Cluster(options, caPem);
        Bootstrap.Fill(parts);
        var adminToken = options.AdminToken ?? Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(24));
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Logging.SetMinimumLevel(LogLevel.Warning).AddSimpleConsole();
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(2));
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = RequestBody.Limit + 1;
            kestrel.Limits.MinResponseDataRate = null;
            kestrel.Limits.Http2.MaxStreamsPerConnection = 1000;
            kestrel.Listen(IPAddress.Loopback, options.Port, listen =>
            {
                listen.Protocols = HttpProtocols.Http1AndHttp2;
                listen.UseHttps(serving);
            });
        });
        var web = builder.Build();
        var handler = new RequestHandler(parts, new Authenticator(parts.Tokens, adminToken), web.Services.GetRequiredService<ILogger<RequestHandler>>(), web.Lifetime.ApplicationStopping);
        web.UseWebSockets();
        web.Run(handler.HandleAsync);
        try
        {
            await web.StartAsync(ct);
        }
        catch
        {
            await web.DisposeAsync();
            throw;
        }

        var address = web.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
        return new SandboxServer(web, parts, new Uri(address), adminToken);
    }

    public async ValueTask DisposeAsync()
    {
        await stopping.CancelAsync();
        await app.StopAsync();
        await app.DisposeAsync();
        await housekeeping;
        cluster.Tokens.Dispose();
        cluster.Admission.Dispose();
        stopping.Dispose();
    }
}
