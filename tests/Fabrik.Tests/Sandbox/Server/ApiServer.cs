using System.Net;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using Fabrik.Sandbox.Server;

namespace Fabrik.Tests.Sandbox.Server;

/// <summary>A running server and a plain HTTP client of its administrator, for tests that look at the wire.</summary>
public sealed class ApiServer : IAsyncDisposable
{
    private readonly HttpClient http;

    private ApiServer(SandboxServer server)
    {
        Server = server;
        var trust = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        trust.CustomTrustStore.ImportFromPem(server.CaPem);
        http = new HttpClient(new SocketsHttpHandler { SslOptions = { CertificateChainPolicy = trust } }) { BaseAddress = server.Url };
    }

    public SandboxServer Server { get; }

    public static async Task<ApiServer> StartAsync(SandboxServerOptions? options = null) =>
        new(await SandboxServer.StartAsync(options ?? new(), TestContext.Current.CancellationToken));

    /// <param name="body">JSON text, a node, or bytes.</param>
    /// <param name="token">Null: the administrator's; empty: none.</param>
    public async Task<Answer> SendAsync(string method, string path, object? body = null, string type = "application/json", string? accept = null, string? token = null)
    {
        using var response = await RequestAsync(method, path, body, type, accept, token);
        var text = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        return new((int)response.StatusCode, text, response.Headers.Concat(response.Content.Headers).ToDictionary(header => header.Key, header => string.Join(", ", header.Value), StringComparer.OrdinalIgnoreCase));
    }

    /// <summary>The answer with its headers only, for streams.</summary>
    public async Task<HttpResponseMessage> RequestAsync(string method, string path, object? body = null, string type = "application/json", string? accept = null, string? token = null)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        if (body is not null)
        {
            request.Content = new ByteArrayContent(body as byte[] ?? Encoding.UTF8.GetBytes(body as string ?? ((JsonNode)body).ToJsonString()));
            request.Content.Headers.TryAddWithoutValidation("Content-Type", type);
        }

        if (accept is not null) request.Headers.TryAddWithoutValidation("Accept", accept);
        var shown = token ?? Server.AdminToken;
        if (shown.Length > 0) request.Headers.TryAddWithoutValidation("Authorization", "Bearer " + shown);
        return await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
    }

    public Task<Answer> GetAsync(string path, string? token = null) => SendAsync("GET", path, token: token);

    public Task<Answer> PostAsync(string path, object body, string? token = null) => SendAsync("POST", path, body, token: token);

    /// <summary>A Job with one container, in namespace default unless the path says otherwise.</summary>
    /// <param name="spec">More properties of the spec, as JSON.</param>
    public static JsonObject Job(string name, string spec = "{}")
    {
        var job = (JsonObject)JsonNode.Parse("""
            {"apiVersion":"batch/v1","kind":"Job","metadata":{},"spec":{"template":{"spec":{"restartPolicy":"Never","containers":[{"name":"main","image":"busybox"}]}}}}
            """)!;
        job["metadata"]!["name"] = name;
        foreach (var (key, value) in JsonNode.Parse(spec)!.AsObject()) job["spec"]![key] = value?.DeepClone();
        return job;
    }

    public async ValueTask DisposeAsync()
    {
        http.Dispose();
        await Server.DisposeAsync();
    }
}

public sealed record Answer(int Code, string Text, IReadOnlyDictionary<string, string> Headers)
{
    public JsonObject Json => JsonNode.Parse(Text) as JsonObject ?? throw new InvalidOperationException(Text);

    public string Message => Json["message"]?.GetValue<string>() ?? "";

    public Answer ShouldBe(int code)
    {
        Code.ShouldBe(code, Text);
        return this;
    }
}
