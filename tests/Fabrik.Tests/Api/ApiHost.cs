using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.Api;
using Fabrik.Tests.Kubernetes;
using Fabrik.Tests.Storage;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Fabrik.Tests.Api;

/// <summary>The API on a port of its own, over a real database, beside an API server that reviews callers as the test says.</summary>
internal sealed class ApiHost : IAsyncDisposable
{
    private readonly WebApplication app;
    private readonly HttpClient http;

    private ApiHost(WebApplication app, FakeApiServer cluster, TemporaryDatabase database, Uri url) =>
        (this.app, Cluster, Database, http) = (app, cluster, database, new HttpClient { BaseAddress = url });

    public FakeApiServer Cluster { get; }

    public TemporaryDatabase Database { get; }

    public IServiceProvider Services => app.Services;

    /// <summary>The audiences a token is good for; a token that is not here is not known.</summary>
    public Dictionary<string, string[]> Tokens { get; } = new(StringComparer.Ordinal) { ["reader"] = [Names.Audience], ["of-ci"] = [Names.Audience], ["gateway"] = [Names.Audience], ["nobody"] = [Names.Audience], ["other"] = ["https://kubernetes.default.svc"] };

    /// <summary>Spec of the policy; null: there is none.</summary>
    public JsonObject? Policy { get; set; }

    public static async Task<ApiHost> StartAsync(string? tls = null, TimeProvider? clock = null, Action<IServiceCollection>? more = null)
    {
        var cluster = await FakeApiServer.StartAsync();
        var database = new TemporaryDatabase();
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.Services.AddFabrikApi(new ApiOptions { Cluster = cluster.Config, DataDirectory = database.Path, TlsDirectory = tls, LoopbackOnly = true, Port = 0, Clock = clock ?? TimeProvider.System });
        more?.Invoke(builder.Services);
        var api = builder.Build();
        api.MapFabrikApi();
        await api.StartAsync();
        var host = new ApiHost(api, cluster, database, new Uri(api.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single()));
        cluster.Answer = host.ReviewAsync;
        return host;
    }

    public Uri Url => http.BaseAddress!;

    public Task<HttpResponseMessage> SendAsync(string path, string? token = "reader", HttpMethod? method = null, HttpContent? content = null)
    {
        var request = new HttpRequestMessage(method ?? HttpMethod.Get, path) { Content = content };
        request.Headers.ExpectContinue = content is not null; // a refusal before the body is read must not meet a body that is still written
        if (token is not null) request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        return http.SendAsync(request);
    }

    public async Task<JsonElement> JsonAsync(string path, string token = "reader")
    {
        using var answer = await SendAsync(path, token);
        var text = await answer.Content.ReadAsStringAsync();
        answer.IsSuccessStatusCode.ShouldBeTrue($"{(int)answer.StatusCode} {text}");
        return JsonDocument.Parse(text).RootElement;
    }

    /// <summary>Status and stable id of an error.</summary>
    public async Task<(int Status, string Code)> ProblemAsync(string path, string? token = "reader", HttpMethod? method = null)
    {
        using var answer = await SendAsync(path, token, method);
        answer.Content.Headers.ContentType?.MediaType.ShouldBe("application/problem+json", $"{(int)answer.StatusCode}");
        var problem = JsonDocument.Parse(await answer.Content.ReadAsStringAsync()).RootElement;
        foreach (var field in (string[])["type", "title", "detail", "next"]) problem.GetProperty(field).GetString().ShouldNotBeNullOrEmpty();
        problem.GetProperty("status").GetInt32().ShouldBe((int)answer.StatusCode);
        return ((int)answer.StatusCode, problem.GetProperty("code").GetString()!);
    }

    public async ValueTask DisposeAsync()
    {
        http.Dispose();
        await app.StopAsync();
        await app.DisposeAsync();
        await Cluster.DisposeAsync();
        Database.Dispose();
    }

    /// <summary>reader may read everything, of-ci reads namespace ci alone, gateway delivers usage, the others nothing.</summary>
    private Task ReviewAsync(Microsoft.AspNetCore.Http.HttpContext context)
    {
        if (context.Request.Method == "GET")
            return Policy is null ? FakeApiServer.Reply(context, 404, """{"kind":"Status","status":"Failure","reason":"NotFound","code":404}""") : FakeApiServer.Reply(context, 200, new JsonObject { ["apiVersion"] = $"{Names.Group}/v1", ["kind"] = "OptimizerPolicy", ["metadata"] = new JsonObject { ["name"] = Names.PolicyName }, ["spec"] = Policy.DeepClone() }.ToJsonString());
        var review = JsonNode.Parse((string)context.Items["body"]!)!.AsObject();
        var spec = review["spec"]!;
        if ((string?)review["kind"] == "TokenReview")
        {
            var token = (string)spec["token"]!;
            var known = Tokens.TryGetValue(token, out var audiences);
            var shared = new JsonArray([.. (audiences ?? []).Where(audience => spec["audiences"]!.AsArray().Any(asked => (string?)asked == audience)).Select(audience => (JsonNode)JsonValue.Create(audience)!)]);
            review["status"] = known && shared.Count > 0
                ? new JsonObject { ["authenticated"] = true, ["audiences"] = shared, ["user"] = new JsonObject { ["username"] = $"system:serviceaccount:x:{token}", ["uid"] = "1", ["groups"] = new JsonArray("system:authenticated") } }
                : new JsonObject { ["error"] = "not known" };
        }
        else
        {
            var (user, resource) = ((string)spec["user"]!, spec["resourceAttributes"]!);
            var reads = (string?)resource["group"] == Names.Group && (string?)resource["resource"] == "runs" && (string?)resource["verb"] is "get" or "list";
            var delivers = (string?)resource["group"] == Names.Group && (string?)resource["resource"] == "usage" && (string?)resource["verb"] == "create" && user.EndsWith(":gateway", StringComparison.Ordinal);
            review["status"] = new JsonObject { ["allowed"] = delivers || (reads && (user.EndsWith(":reader", StringComparison.Ordinal) || (user.EndsWith(":of-ci", StringComparison.Ordinal) && (string?)resource["namespace"] == "ci"))) };
        }

        return FakeApiServer.Reply(context, 201, review.ToJsonString());
    }
}
