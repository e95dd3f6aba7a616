using System.Net.Http.Headers;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using Fabrik.Kubernetes;
using Fabrik.Tests.Kubernetes;
using Fabrik.Tests.Support;
using Fabrik.Webhook;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Fabrik.Tests.Webhook;

/// <summary>The real webhook over TLS on the loopback, in front of a fake API server, on a clock that the test moves.</summary>
internal sealed class WebhookUnderTest : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private readonly FakeApiServer api;
    private readonly string directory;
    private readonly WebApplication app;

    private WebhookUnderTest(FakeApiServer api, FakeCluster cluster, string directory, WebApplication app, TestClock clock, MemoryLog log) =>
        (this.api, Cluster, this.directory, this.app, Clock, Log) = (api, cluster, directory, app, clock, log);

    public FakeCluster Cluster { get; }

    public TestClock Clock { get; }

    public MemoryLog Log { get; }

    public Uri Url { get; private set; } = null!;

    public Uri? PlainUrl { get; private set; }

    public static string Review => TestData.Text("admission/reviews/jobs-create-generate-name-indexed.json");

    /// <param name="empty">Without certificate and keys: they come later.</param>
    /// <param name="before">What the API server answers first; a null answer leaves it to the cluster.</param>
    public static async Task<WebhookUnderTest> StartAsync(Func<string, int?>? before = null, bool plainPort = false, TimeSpan? grace = null, bool empty = false, TimeSpan? warmUp = null)
    {
        var cluster = new FakeCluster();
        var server = await FakeApiServer.StartAsync(context =>
        {
            var path = context.Request.Path.Value!;
            if (before?.Invoke(path) is { } code) return FakeCluster.Fail(context, code, code == 404 ? "NotFound" : "InternalError", "not now");
            return path == Names.Paths.Version ? FakeApiServer.Reply(context, 200, """{"major":"1","minor":"36"}""") : cluster.Answer(context);
        });
        var clock = new TestClock(TimeProvider.System.GetUtcNow());
        var files = Directory.CreateTempSubdirectory("fabrik-webhook-").FullName;
        if (!empty)
        {
            WriteCertificate(files, "first");
            WriteKeys(files, "the first key of these tests, long enough");
            WriteTokenKeys(files, "the first token key of these tests, long enough");
        }

        await FillAsync(server.Config);

        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.Logging.ClearProviders();
        var log = new MemoryLog();
        builder.Logging.AddProvider(log);
        builder.Services.AddFabrikWebhook(new WebhookOptions
        {
            Cluster = server.Config,
            TlsDirectory = files,
            AssignmentKeyFile = Path.Combine(files, "keys"),
            GatewayUrl = new Uri("https://gateway.example"),
            RunTokenKeyFile = Path.Combine(files, "token-keys"),
            Port = 0,
            MetricsPort = plainPort ? 0 : null,
            LoopbackOnly = true,
            DrainGrace = grace ?? TimeSpan.Zero,
            WarmUp = warmUp ?? TimeSpan.Zero,
            Clock = clock,
        });
        var made = builder.Build();
        made.MapFabrikWebhook();
        var test = new WebhookUnderTest(server, cluster, files, made, clock, log);
        await made.StartAsync();
        var addresses = made.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Select(address => new Uri(address)).ToList();
        test.Url = addresses.Single(address => address.Scheme == "https");
        test.PlainUrl = addresses.SingleOrDefault(address => address.Scheme == "http");
        return test;
    }

    public static string WriteCertificate(string directory, string name)
    {
        var (certificate, pem, key) = new TestAuthority("ca").Issue(name, dns: "127.0.0.1");
        File.WriteAllText(Path.Combine(directory, "tls.crt"), pem);
        File.WriteAllText(Path.Combine(directory, "tls.key"), key);
        using (certificate) return certificate.Thumbprint;
    }

    public void WriteCertificateFile(string content) => File.WriteAllText(Path.Combine(directory, "tls.crt"), content);

    public string WriteCertificate(string name) => WriteCertificate(directory, name);

    public static void WriteKeys(string directory, params string[] keys) => File.WriteAllLines(Path.Combine(directory, "keys"), keys);

    public void WriteKeys(params string[] keys) => WriteKeys(directory, keys);

    public void WriteTokenKeys(params string[] keys) => WriteTokenKeys(directory, keys);

    private static void WriteTokenKeys(string directory, params string[] keys) => File.WriteAllLines(Path.Combine(directory, "token-keys"), keys);

    /// <summary>A client with a connection of its own; the certificate it saw is written into the list.</summary>
    public static HttpClient Client(List<string>? seen = null) => new(new SocketsHttpHandler
    {
        SslOptions = new SslClientAuthenticationOptions
        {
            RemoteCertificateValidationCallback = (_, certificate, _, _) =>
            {
                seen?.Add(((X509Certificate2)certificate!).Thumbprint);
                return true;
            },
        },
    });

    public Uri At(string path) => new(Url, path);

    public Task<HttpResponseMessage> PostAsync(HttpClient client, HttpContent body) => client.PostAsync(At(Names.Paths.MutateJobs), body);

    public static ByteArrayContent Json(string body, string type = "application/json")
    {
        var content = new ByteArrayContent(Encoding.UTF8.GetBytes(body));
        content.Headers.ContentType = MediaTypeHeaderValue.Parse(type);
        return content;
    }

    /// <summary>The patch as the value of one added label or annotation; null where it adds none.</summary>
    public async Task<string?> AddedAsync(HttpClient client, string name)
    {
        var operations = await PatchAsync(client, Review);
        return (string?)operations.FirstOrDefault(operation => ((string)operation!["path"]!).EndsWith("/metadata/labels/" + name.Replace("/", "~1"), StringComparison.Ordinal)
            || ((string)operation!["path"]!).EndsWith("/metadata/annotations/" + name.Replace("/", "~1"), StringComparison.Ordinal))?["value"];
    }

    /// <summary>The run token that the review's second container would get; null where it gets none.</summary>
    public async Task<string?> TokenAsync(HttpClient client)
    {
        var operations = await PatchAsync(client, Review.Replace("\"annotations\": {", $"\"annotations\": {{ \"{Names.Annotations.Gateway}\": \"true\",", StringComparison.Ordinal));
        var entries = (JsonArray?)operations.FirstOrDefault(operation => ((string)operation!["path"]!) == "/spec/template/spec/containers/1/env")?["value"];
        return (string?)entries?.FirstOrDefault(entry => (string)entry!["name"]! == Names.ClientVariables.OpenAiKey)?["value"];
    }

    private async Task<JsonArray> PatchAsync(HttpClient client, string review)
    {
        using var answer = await PostAsync(client, Json(review));
        answer.EnsureSuccessStatusCode();
        var response = JsonNode.Parse(await answer.Content.ReadAsStringAsync())!["response"]!;
        response["allowed"]!.GetValue<bool>().ShouldBeTrue();
        return response["patch"] is { } patch ? JsonNode.Parse(Convert.FromBase64String((string)patch!))!.AsArray() : [];
    }

    public async Task<(int Status, string Body)> GetAsync(HttpClient client, string path)
    {
        using var answer = await client.GetAsync(At(path));
        return ((int)answer.StatusCode, await answer.Content.ReadAsStringAsync());
    }

    /// <summary>Waits for the thing itself, and moves the clock a little so that coalesced work goes on.</summary>
    public async Task UntilAsync(Func<Task<bool>> holds)
    {
        var began = TimeProvider.System.GetTimestamp();
        while (!await holds())
        {
            TimeProvider.System.GetElapsedTime(began).ShouldBeLessThan(Patience);
            Clock.Advance(TimeSpan.FromMilliseconds(50));
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System);
        }
    }

    public Task ReadyAsync(HttpClient client) => UntilAsync(async () => (await GetAsync(client, Names.Paths.Ready)).Status == 200);

    public Task StopAsync() => app.StopAsync();

    public async ValueTask DisposeAsync()
    {
        await app.DisposeAsync();
        await api.DisposeAsync();
        Directory.Delete(directory, recursive: true);
    }

    private static async Task FillAsync(ClusterConfig config)
    {
        using var client = new KubernetesClient(config, TimeProvider.System);
        await client.CreateAsync(Kinds.Namespace, null, JsonNode.Parse("""{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"ci","labels":{"fabrik.dev/enabled":"true"}}}""")!, default);
        await client.CreateAsync(Kinds.OptimizerPolicy, null, JsonNode.Parse("""{"apiVersion":"fabrik.dev/v1","kind":"OptimizerPolicy","metadata":{"name":"default"},"spec":{}}""")!, default);
        await client.CreateAsync(Kinds.OptimizationChange, Names.SystemNamespace, JsonNode.Parse("""
            {"apiVersion":"fabrik.dev/v1","kind":"OptimizationChange","metadata":{"name":"memory","namespace":"fabrik-system","generation":1},
             "spec":{"type":"resource","change":{"memoryLimit":"4Gi"}},"status":{"phase":"experiment_running","slot":0,"share":0.1}}
            """)!, default);
    }
}
