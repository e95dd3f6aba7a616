using System.Net.Http.Headers;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Threading.Channels;
using Fabrik.Kubernetes;

namespace Fabrik.Sandbox.Nodes;

/// <summary>
/// Hands what containers wrote to the sandbox's API server, which has no kubelet to ask. Other API servers do not know the path:
/// there `kubectl logs` finds nothing, and the attempts end after a few refusals.
/// </summary>
internal sealed class LogUpload : IDisposable
{
    private readonly Channel<(string Namespace, string Pod, string Container, string Text, bool End)> lines =
        Channel.CreateBounded<(string, string, string, string, bool)>(new BoundedChannelOptions(5_000) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly HttpClient? http;

    public LogUpload(ClusterConfig config)
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
    public void Write(KubeObject pod, string container, string text, bool end)
    {
        if (http is not null) lines.Writer.TryWrite((pod.Namespace ?? "default", pod.Name, container, text, end));
    }

    public async Task RunAsync(CancellationToken ct)
    {
        if (http is null) return;
        var (accepted, unknown) = (false, 0);
        await foreach (var (ns, pod, container, text, end) in lines.Reader.ReadAllAsync(ct))
        {
            try
            {
                using var body = new StringContent(text, Encoding.UTF8, "text/plain");
                var path = $"/sandbox/v1/logs/{Uri.EscapeDataString(ns)}/{Uri.EscapeDataString(pod)}?container={Uri.EscapeDataString(container)}{(end ? "&end=true" : "")}";
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
}
