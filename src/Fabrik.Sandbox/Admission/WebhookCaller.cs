using System.Collections.Concurrent;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.Sandbox.Schema;
using Fabrik.Sandbox.Server;
using Fabrik.Sandbox.Store;

namespace Fabrik.Sandbox.Admission;

/// <summary>The call could not be made or its answer is none: what then happens is the webhook's failurePolicy.</summary>
public sealed class WebhookFailedException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>A webhook's verdict.</summary>
/// <param name="Patch">The operations, or null.</param>
public sealed record WebhookAnswer(bool Allowed, JsonNode? Status, JsonArray? Patch, IReadOnlyList<string> Warnings);

/// <summary>Calls webhooks over HTTPS, trusting exactly their caBundle. Connections are kept per webhook address and bundle.</summary>
/// <param name="services">Where service references lead, before what the cluster itself says.</param>
/// <param name="seed">Not null: what the UIDs of creations are made from, with the object's name and how often it was created.</param>
public sealed class WebhookCaller(IReadOnlyDictionary<string, Uri> services, string? seed = null, Func<string, string, long, Uri?>? resolve = null) : IDisposable
{
    private const int AnswerLimit = 3 * 1024 * 1024;

    private readonly ConcurrentDictionary<(string Bundle, string Host), HttpClient> clients = new();
    private readonly ConcurrentDictionary<string, int> created = new(StringComparer.Ordinal);

    public async Task<WebhookAnswer> CallAsync(Webhook webhook, AdmissionRequest request, bool mayPatch, CancellationToken ct)
    {
        var uid = Uid(request);
        var body = AdmissionReviewWriter.Write(request, uid);
        using var timer = new CancellationTokenSource(webhook.Timeout, TimeProvider.System);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(ct, timer.Token);
        try
        {
            var (client, address, host) = Client(webhook);
            var separator = address.Query.Length > 0 ? '&' : '?';
            using var message = new HttpRequestMessage(HttpMethod.Post, $"{address}{separator}timeout={webhook.Timeout.TotalSeconds:0}s") { Content = new ByteArrayContent(body) };
            message.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
            message.Headers.Accept.ParseAdd("application/json");
            message.Headers.Host = host; // the name that its certificate must have
            message.Headers.UserAgent.ParseAdd("kube-apiserver-admission");
            using var response = await client.SendAsync(message, HttpCompletionOption.ResponseHeadersRead, linked.Token);
            if ((int)response.StatusCode is < 200 or >= 300) throw new WebhookFailedException($"the server answered with status {(int)response.StatusCode}");
            return Read(await response.Content.ReadAsByteArrayAsync(linked.Token), uid, mayPatch);
        }
        catch (OperationCanceledException error) when (!ct.IsCancellationRequested)
        {
            throw new WebhookFailedException("context deadline exceeded", error);
        }
        catch (HttpRequestException error)
        {
            throw new WebhookFailedException(error.InnerException?.Message ?? error.Message, error);
        }
    }

    public void Dispose()
    {
        foreach (var client in clients.Values) client.Dispose();
    }

    private string Uid(AdmissionRequest request)
    {
        if (seed is null || request.Operation != "CREATE" || request.Context.DryRun) return Guid.NewGuid().ToString();
        var name = $"{request.Type.Plural}/{request.Namespace}/{request.Name}";
        var time = created.AddOrUpdate(name, 1, (_, before) => before + 1);
        return new Guid(SHA256.HashData(Encoding.UTF8.GetBytes($"{seed}/{name}/{time}")).AsSpan(0, 16)).ToString();
    }

    private static WebhookAnswer Read(byte[] bytes, string uid, bool mayPatch)
    {
        JsonNode? review;
        try
        {
            review = JsonNode.Parse(bytes);
        }
        catch (JsonException error)
        {
            throw new WebhookFailedException("the answer is not JSON: " + error.Message, error);
        }

        if (review.Text("kind") != "AdmissionReview" || review.Text("apiVersion") != "admission.k8s.io/v1") throw new WebhookFailedException($"expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got {review.Text("apiVersion")}, Kind={review.Text("kind")}");
        if (review.At("response") is not JsonObject response) throw new WebhookFailedException("webhook response was absent");
        if (response.Text("uid") != uid) throw new WebhookFailedException($"expected response.uid=\"{uid}\", got \"{response.Text("uid")}\"");
        var patch = mayPatch ? Patch(response) : null;
        return new(response.Flag("allowed") == true, response["status"], patch, [.. response.Texts("warnings")]);
    }

    private static JsonArray? Patch(JsonObject response)
    {
        var (text, type) = (response.Text("patch"), response.Text("patchType"));
        if (string.IsNullOrEmpty(text)) return type is null ? null : throw new WebhookFailedException("webhook response contains patchType but not patch");
        if (type is null) throw new WebhookFailedException("webhook returned response.patch but not response.patchType");
        if (type != "JSONPatch") throw new WebhookFailedException($"webhook returned invalid response.patchType of \"{type}\"");
        try
        {
            return JsonNode.Parse(Convert.FromBase64String(text)) as JsonArray ?? throw new WebhookFailedException("the patch is not a list of operations");
        }
        catch (Exception error) when (error is JsonException or FormatException)
        {
            throw new WebhookFailedException("the patch cannot be decoded: " + error.Message, error);
        }
    }

    private (HttpClient Client, Uri Address, string? Host) Client(Webhook webhook)
    {
        var config = webhook.ClientConfig;
        var bundle = config.Text("caBundle") ?? "";
        if (config.Text("url") is { } url) return (clients.GetOrAdd((bundle, ""), Make), new Uri(url), null);
        var (ns, name) = (config.Text("service", "namespace") ?? "", config.Text("service", "name") ?? "");
        var port = config.Number("service", "port") ?? 443;
        var key = $"{ns}/{name}:{port}";
        if ((services.GetValueOrDefault(key) ?? resolve?.Invoke(ns, name, port)) is not { } target) throw new WebhookFailedException($"service \"{name}\" not found: nothing stands for {key} here");
        var host = $"{name}.{ns}.svc";
        return (clients.GetOrAdd((bundle, host), Make), new Uri(target, config.Text("service", "path") ?? "/"), host);
    }

    private static HttpClient Make((string Bundle, string Host) key)
    {
        var handler = new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false, UseProxy = false, PooledConnectionLifetime = TimeSpan.FromMinutes(5) };
        if (key.Bundle.Length > 0)
        {
            var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
            try
            {
                policy.CustomTrustStore.ImportFromPem(Encoding.ASCII.GetString(Convert.FromBase64String(key.Bundle)));
            }
            catch (Exception error) when (error is FormatException or System.Security.Cryptography.CryptographicException)
            {
                throw new WebhookFailedException("unable to load root certificates: unable to parse bytes as PEM block", error);
            }

            handler.SslOptions.CertificateChainPolicy = policy;
        }

        return new HttpClient(handler) { Timeout = Timeout.InfiniteTimeSpan, MaxResponseContentBufferSize = AnswerLimit };
    }
}
