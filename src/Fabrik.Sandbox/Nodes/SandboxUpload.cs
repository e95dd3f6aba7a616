using System.Net.Http.Headers;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using Fabrik.Kubernetes;

namespace Fabrik.Sandbox.Nodes;

/// <summary>
/// Hands what containers wrote and what they use to the sandbox's API server, which has no kubelet to ask. Other API servers do not know the
/// paths: there `kubectl logs` and `kubectl top` find nothing, and the attempts end after a few refusals.
/// </summary>
internal sealed class SandboxUpload : IDisposable
{
    private readonly Channel<(string Path, string Type, string Text)> waiting =
        Channel.CreateBounded<(string, string, string)>(new BoundedChannelOptions(10_000) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly HttpClient? http;

    public SandboxUpload(ClusterConfig config)
    {
        if (config.Token is not { } token || config.CertificateAuthority is not { } authority) return;
        var roots = new X509Certificate2Collection();
        roots.ImportFromPem(authority);
        var handler = new SocketsHttpHandler { AllowAutoRedirect = false };
        handler.SslOptions.CertificateChainPolicy = new X509ChainPolicy
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            RevocationMode = X509RevocationMode.NoCheck,
        };
        handler.SslOptions.CertificateChainPolicy.CustomTrustStore.AddRange(roots);
        http = new HttpClient(handler) { BaseAddress = config.Server, Timeout = TimeSpan.FromSeconds(10) };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
    }

    /// <param name="end">Nothing follows: who follows the log is let go.</param>
    public void Log(KubeObject pod, string container, string text, bool end) =>
        Send("logs", pod, $"?container={Uri.EscapeDataString(container)}{(end ? "&end=true" : "")}", "text/plain", text);

    public void Usage(KubeObject pod, JsonObject usage) => Send("usage", pod, "", "application/json", usage.ToJsonString());

    public async Task RunAsync(CancellationToken ct)
    {
        if (http is null) return;
        var (accepted, unknown) = (false, 0);
        await foreach (var (path, type, text) in waiting.Reader.ReadAllAsync(ct))
        {
            try
            {
                using var body = new StringContent(text, Encoding.UTF8, type);
                using var response = await http.PostAsync(new Uri(path, UriKind.Relative), body, ct);
                accepted |= response.IsSuccessStatusCode;

                // A Pod that is gone answers 404 as well as a server without this path: only the latter never accepts anything.
                if ((int)response.StatusCode is 401 or 403 or 405 || (!accepted && ++unknown == 20)) return;
            }
            catch (Exception error) when (error is HttpRequestException or TaskCanceledException && !ct.IsCancellationRequested)
            {
                // A lost line of a simulated log is no reason to stop the node.
            }
        }
    }

    public void Dispose() => http?.Dispose();

    private void Send(string what, KubeObject pod, string query, string type, string text)
    {
        if (http is not null) waiting.Writer.TryWrite(($"/sandbox/v1/{what}/{Uri.EscapeDataString(pod.Namespace ?? "default")}/{Uri.EscapeDataString(pod.Name)}{query}", type, text));
    }
}
