using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Fabrik.Checks;
using Fabrik.Cli.Installing;
using Fabrik.Gateway;
using Fabrik.Kubernetes;

namespace Fabrik.Cli.Connections;

/// <summary>LLM gateways as the caller reaches them.</summary>
public sealed class GatewayConnection : IDisposable
{
    private const int LongestStatus = 4 << 20;
    private readonly Func<KubernetesClient> cluster;
    private readonly HttpClient http;
    private KubernetesClient? client;

    /// <param name="cluster">Is asked only where the address is one that Pods alone can reach: then it is forwarded to a Pod.</param>
    public GatewayConnection(Func<KubernetesClient> cluster)
    {
        this.cluster = cluster;
        var handler = new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromSeconds(5), AllowAutoRedirect = false, UseProxy = false, ConnectCallback = ConnectAsync };
        http = new HttpClient(handler) { Timeout = TimeSpan.FromMinutes(2), MaxResponseContentBufferSize = LongestStatus };
    }

    /// <summary>Those that were named, else the one that the environment or the cluster names.</summary>
    /// <param name="named">Addresses, of each replica one.</param>
    public static async Task<IReadOnlyList<Uri>> AddressesAsync(IReadOnlyList<string> named, Func<string, string?> variable, Func<KubernetesClient> cluster, CancellationToken cancel)
    {
        if (named.Count == 0 && variable(Names.Variables.GatewayUrl) is { Length: > 0 } told) named = [told];
        if (named.Count == 0)
        {
            using var asked = cluster();
            named = await OfferedAsync(asked, cancel) is { Length: > 0 } offered ? [offered] : throw new CommandException(
                ExitCode.NotFound, "FAB-1040", "the gateway was not found",
                $"neither --gateway nor {Names.Variables.GatewayUrl} names it, and ConfigMap {Names.SystemNamespace}/{Names.Objects.ApiDiscovery} has no key {Names.Objects.GatewayAddress}",
                $"reach it from here with kubectl -n {Names.GatewayNamespace} port-forward service/{Names.Objects.Gateway} 8080, then give --gateway http://127.0.0.1:8080");
        }

        return [.. named.Select(text => Uri.TryCreate(text.TrimEnd('/') + "/", UriKind.Absolute, out var address) && address.Scheme is "http" or "https" ? address
            : throw new CommandException(ExitCode.Usage, "FAB-1041", $"'{text}' is not an address", "an address looks like http://host:port", "correct --gateway"))];
    }

    public async Task<GatewayStatus> StatusAsync(Uri gateway, CancellationToken cancel)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        patience.CancelAfter(TimeSpan.FromSeconds(10));
        using var answer = await http.GetAsync(new Uri(gateway, Names.Paths.GatewayStatus.TrimStart('/')), patience.Token);
        if (!answer.IsSuccessStatusCode) throw new CommandException(ExitCode.Error, "FAB-1042", $"{gateway} answered {(int)answer.StatusCode}", "it is no gateway of Fabrik, or of another version", "check --gateway, and compare versions: fabrik version");
        return JsonSerializer.Deserialize(await answer.Content.ReadAsByteArrayAsync(patience.Token), GatewayJson.Default.GatewayStatus) is { Providers: not null, Spool: not null, Budgets: not null, RunEnds: not null } status
            ? status : throw new JsonException("it is no gateway's status");
    }

    /// <returns>Once its headers are there.</returns>
    public Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancel) => http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancel);

    /// <summary>What signs run tokens, for who may read the Secret.</summary>
    public static async Task<RunTokenKeys> TokenKeysAsync(KubernetesClient cluster, CancellationToken cancel)
    {
        try
        {
            var secret = await cluster.GetAsync(Kinds.Secret, Names.GatewayNamespace, Names.Objects.RunTokenKeySecret, cancel);
            if (secret.Json.TryGetProperty("data", out var data) && data.TryGetProperty(Names.Objects.RunTokenKeyFile, out var content)) return Keys(content.GetBytesFromBase64());
        }
        catch (KubernetesException e) when (e.IsNotFound)
        {
        }

        throw NoKeys($"Secret {Names.GatewayNamespace}/{Names.Objects.RunTokenKeySecret} has no key {Names.Objects.RunTokenKeyFile}");
    }

    public static RunTokenKeys Keys(byte[] content)
    {
        try
        {
            return RunTokenKeys.Parse(content);
        }
        catch (FormatException e)
        {
            throw NoKeys(e.Message);
        }
    }

    public void Dispose()
    {
        http.Dispose();
        client?.Dispose();
    }

    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancel)
    {
        if (PodTunnel.IsInCluster($"http://{context.DnsEndPoint.Host}"))
            return await new PodTunnel(client ??= cluster(), Names.GatewayNamespace, Names.Objects.Gateway, "http").OpenAsync(cancel);
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(context.DnsEndPoint, cancel);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private static CommandException NoKeys(string why) =>
        new(ExitCode.NotFound, "FAB-1043", "no token can be made for the test", why, "give the gateway's file of keys with --token-key-file, or a virtual key in a file with --key-file: fabrik gateway keys create");

    private static async Task<string?> OfferedAsync(KubernetesClient cluster, CancellationToken cancel) =>
        (await cluster.FindAsync(Kinds.ConfigMap, Names.SystemNamespace, Names.Objects.ApiDiscovery, cancel))?.Json.Text("data", Names.Objects.GatewayAddress);
}
