using System.Net;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.Cli.Installing;
using Fabrik.Kubernetes;

namespace Fabrik.Cli.Connections;

/// <summary>
/// Fabrik's own API as the caller reaches it: where the cluster says it is, trusted by the cluster's word,
/// with a ten-minute token made for this audience alone, so that no cluster credential ever leaves the cluster's API.
/// </summary>
public sealed class ApiConnection : IDisposable
{
    private const int MaximumAnswer = 64 * 1024 * 1024;
    private static readonly TimeSpan TokenLife = TimeSpan.FromMinutes(10);

    private readonly HttpClient http;

    private ApiConnection(Uri server, string token, X509Certificate2Collection? authorities, PodTunnel? tunnel)
    {
        var handler = new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromSeconds(tunnel is null ? 5 : 15), AllowAutoRedirect = false };
        if (tunnel is not null)
        {
            handler.UseProxy = false;
            handler.ConnectCallback = (_, cancel) => tunnel.OpenAsync(cancel);
        }

        if (authorities is not null)
        {
            handler.SslOptions.CertificateChainPolicy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
            handler.SslOptions.CertificateChainPolicy.CustomTrustStore.AddRange(authorities);
        }

        http = new HttpClient(handler) { BaseAddress = server, Timeout = TimeSpan.FromSeconds(30), MaxResponseContentBufferSize = MaximumAnswer };
        http.DefaultRequestHeaders.Authorization = new("Bearer", token);
    }

    public static async Task<ApiConnection> OpenAsync(KubernetesClient cluster, string? server, CancellationToken cancel)
    {
        X509Certificate2Collection? authorities = null;
        PodTunnel? tunnel = null;
        var offered = await cluster.FindAsync(Kinds.ConfigMap, Names.SystemNamespace, Names.Objects.ApiDiscovery, cancel);
        if (server is null || offered is not null && SameHost(offered, server))
        {
            var found = offered ?? throw new CommandException(
                ExitCode.NotFound,
                "FAB-1010",
                "Fabrik's API was not found in this cluster",
                $"there is no ConfigMap {Names.Objects.ApiDiscovery} in namespace {Names.SystemNamespace}",
                "choose the right cluster with --context, name the API with --server, or try Fabrik out: fabrik sandbox");
            server ??= Value(found, "server") ?? throw new CommandException(ExitCode.Error, "FAB-1011", "the cluster does not say where Fabrik's API is", $"ConfigMap {Names.SystemNamespace}/{Names.Objects.ApiDiscovery} has no key server", "name the API with --server");
            if (Value(found, "certificate-authority-data") is { Length: > 0 } pem)
            {
                // While an authority is being replaced there are two.
                authorities = [];
                authorities.ImportFromPem(Encoding.UTF8.GetString(Convert.FromBase64String(pem)));
            }

            if (server == Value(found, "server") && PodTunnel.IsInCluster(server)) tunnel = new PodTunnel(cluster, Names.SystemNamespace, Names.Objects.Control, "https");
        }

        if (!Uri.TryCreate(server.TrimEnd('/') + "/", UriKind.Absolute, out var address) || address.Scheme is not ("http" or "https"))
            throw new CommandException(ExitCode.Usage, "FAB-1012", $"'{server}' is not an address", "an address looks like https://host:port", "correct --server");
        return new ApiConnection(address, await TokenAsync(cluster, cancel), authorities, tunnel);
    }

    /// <param name="path">Relative path with its query.</param>
    public async Task<JsonDocument> GetAsync(string path, CancellationToken cancel)
    {
        using var answer = await http.GetAsync(path.TrimStart('/'), cancel);
        var body = await answer.Content.ReadAsByteArrayAsync(cancel);
        if (answer.IsSuccessStatusCode) return JsonDocument.Parse(body);
        throw Refusal(answer.StatusCode, body);
    }

    public void Dispose() => http.Dispose();

    private static CommandException Refusal(HttpStatusCode status, byte[] body)
    {
        string? id = null, title = null, detail = null, next = null;
        try
        {
            using var problem = JsonDocument.Parse(body);
            string? Text(string name) => problem.RootElement.ValueKind == JsonValueKind.Object && problem.RootElement.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
            (id, title, detail, next) = (Text("code"), Text("title"), Text("detail"), Text("next"));
        }
        catch (JsonException)
        {
            // Not our API's own answer: a proxy or another server. The status still tells.
        }

        var code = status switch
        {
            HttpStatusCode.NotFound => ExitCode.NotFound,
            HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden => ExitCode.Forbidden,
            HttpStatusCode.RequestTimeout or HttpStatusCode.GatewayTimeout => ExitCode.Timeout,
            HttpStatusCode.BadRequest => ExitCode.Usage,
            _ => ExitCode.Error,
        };
        return new CommandException(code, id ?? "FAB-1013", title ?? $"Fabrik's API answered {(int)status}", detail ?? "the answer says no more", next ?? "check --server: is it Fabrik's API?");
    }

    /// <summary>Of the reader's ServiceAccount, for the API's audience alone; good for ten minutes.</summary>
    public static Task<string> TokenAsync(KubernetesClient cluster, CancellationToken cancel) => cluster.TokenAsync(Names.SystemNamespace, Names.Objects.Reader, cancel, Names.Audience, TokenLife);

    private static bool SameHost(KubeObject offered, string server) =>
        Value(offered, "server") is { } known && Uri.TryCreate(known, UriKind.Absolute, out var one) && Uri.TryCreate(server, UriKind.Absolute, out var other) && one.Authority == other.Authority;

    private static string? Value(KubeObject map, string key) => map.Json.TryGetProperty("data", out var data) && data.TryGetProperty(key, out var value) ? value.GetString() : null;
}
