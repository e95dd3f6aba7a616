using System.Collections.Concurrent;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Fabrik.Gateway;
using Fabrik.Sandbox.Models;
using Fabrik.Storage;
using Fabrik.Tests.Api;
using Fabrik.Tests.Kubernetes;

namespace Fabrik.Tests.Proxy;

/// <summary>Two gateways, each a process of its own, the API with its database, and a policy as the cluster has it.</summary>
public sealed class TwoGatewaysTests : IAsyncLifetime
{
    private const int Callers = 200;
    private const string Body = """{"model":"gpt-4o-mini","max_tokens":20,"messages":[{"role":"user","content":"say some words"}]}""";

    private readonly string directory = Directory.CreateTempSubdirectory("fabrik-gateways-").FullName;
    private readonly HttpClient http = new() { Timeout = TimeSpan.FromSeconds(60) };
    private ApiHost api = null!;
    private FakeProvider provider = null!;
    private JsonArray budgets = [];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("requests", 500, 500)]
    [InlineData("tokens", 20_000, 20_000)]
    [InlineData("money", 12_000, 12_000)]
    public async Task Two_hundred_callers_at_two_gateways_pass_no_limit_together(string unit, long limit, long bound)
    {
        var isMoney = unit == "money";
        budgets = [new JsonObject { ["name"] = "a", ["scope"] = "project/search", ["unit"] = unit, ["period"] = isMoney ? "day" : "minute", ["limit"] = isMoney ? "0.012" : $"{limit}", ["hard"] = true }];
        await using var first = await GatewayAsync(0);
        await using var second = await GatewayAsync(1);
        var began = TimeProvider.System.GetTimestamp();
        var (answers, waits) = (new ConcurrentDictionary<(int Gateway, HttpStatusCode), int>(), new ConcurrentBag<TimeSpan?>());
        await Parallel.ForEachAsync(Enumerable.Range(0, Callers), new ParallelOptions { MaxDegreeOfParallelism = Callers, CancellationToken = Cancel }, async (caller, ct) =>
        {
            for (var call = 0; call < 10; call++)
            {
                var gateway = (caller + call) % 2;
                using var request = new HttpRequestMessage(HttpMethod.Post, new Uri((gateway == 0 ? first : second).Url, "/openai/v1/chat/completions")) { Content = new StringContent(Body, Encoding.UTF8, "application/json") };
                request.Headers.Authorization = new("Bearer", GatewayBench.Token($"run-{caller}"));
                using var answer = await http.SendAsync(request, ct);
                answers.AddOrUpdate((gateway, answer.StatusCode), 1, (_, count) => count + 1);
                if (answer.StatusCode != HttpStatusCode.TooManyRequests) continue;
                waits.Add(answer.Headers.RetryAfter?.Delta);
                answer.Headers.GetValues(Names.Headers.ShouldRetry).ShouldBe([answer.Headers.RetryAfter is null ? "false" : "true"]);
            }
        });

        var took = TimeProvider.System.GetElapsedTime(began);
        answers.Keys.Select(key => key.Item2).Distinct().ShouldBe([HttpStatusCode.OK, HttpStatusCode.TooManyRequests], ignoreOrder: true);
        var served = answers.Where(one => one.Key.Item2 == HttpStatusCode.OK).ToArray();
        served.Length.ShouldBe(2, "both gateways have served");
        var calls = served.Sum(one => one.Value);
        var store = new ModelCallStore(api.Database.Database);
        await Wait.UntilAsync("the ledger", () => Task.FromResult(store.Totals(new CallQuery()).Total.Calls >= calls));
        var total = store.Totals(new CallQuery()).Total;
        total.Attempts.ShouldBe(provider.Requests);
        var used = unit switch { "requests" => total.Calls, "tokens" => total.Tokens.All, _ => total.Costs.Single().Micros };
        TestContext.Current.TestOutputHelper!.WriteLine($"{unit}: {used} of {limit} used by {calls} calls, {waits.Count} refused, within {took}");
        took.ShouldBeLessThan(TimeSpan.FromSeconds(58), "else it is more than one minute's");
        used.ShouldBeLessThanOrEqualTo(bound);

        // What one call more may take at most is its bytes and 20 tokens; so much is left at each of two gateways at most.
        used.ShouldBeGreaterThan(limit * 3 / 4);
        if (isMoney) waits.ShouldContain((TimeSpan?)null);
        else waits.ShouldAllBe(wait => wait > TimeSpan.Zero && wait <= TimeSpan.FromSeconds(60));
    }

    public async ValueTask InitializeAsync()
    {
        provider = await FakeProvider.StartAsync(Cancel);
        api = await ApiHost.StartAsync();
        var reviews = api.Cluster.Answer;
        api.Cluster.Answer = context => context.Request.Path.Value!.EndsWith($"/optimizerpolicies/{Names.PolicyName}", StringComparison.Ordinal)
            ? FakeApiServer.Reply(context, 200, new JsonObject { ["metadata"] = new JsonObject { ["name"] = Names.PolicyName, ["resourceVersion"] = "1" }, ["spec"] = new JsonObject { ["budgets"] = budgets.DeepClone() } }.ToJsonString())
            : reviews(context);
        Directory.CreateDirectory(Path.Combine(directory, "keys"));
        Write("token.key", GatewayBench.TokenKey);
        Write("api-token", "gateway");
        Write("keys/one", "sk-one");
        Write("config.json", $$"""{"providers":[{"name":"one","format":"openai","url":"{{new Uri(provider.Address, "v1")}}","keys":[{"name":"one"}]}]}""");
    }

    public async ValueTask DisposeAsync()
    {
        http.Dispose();
        await api.DisposeAsync();
        await provider.DisposeAsync();
        Directory.Delete(directory, recursive: true);
    }

    private Task<GatewayProcess> GatewayAsync(int number) => GatewayProcess.StartAsync(
        http,
        (Names.Variables.GatewayConfig, Path.Combine(directory, "config.json")), (Names.Variables.ProviderKeyDirectory, Path.Combine(directory, "keys")), (Names.Variables.RunTokenKeyFile, Path.Combine(directory, "token.key")),
        (Names.Variables.SpoolDirectory, Path.Combine(directory, $"spool-{number}")), (Names.Variables.ApiUrl, api.Url.AbsoluteUri), (Names.Variables.ApiTokenFile, Path.Combine(directory, "api-token")));

    private void Write(string name, string text) => File.WriteAllText(Path.Combine(directory, name), text);
}
