using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Dapper;
using Fabrik.Gateway.Budgets;
using Fabrik.Sandbox.Models;
using Fabrik.Tests.Api;
using Microsoft.AspNetCore.Http;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;

namespace Fabrik.Tests.Proxy;

/// <summary>Shipped gateways, killed by the system again and again under load, before the real API with its database and providers that keep their own bill.</summary>
public sealed class KilledGatewayTests
{
    /// <summary>FABRIK_KILLS asks for more.</summary>
    private static readonly int Kills = int.TryParse(Environment.GetEnvironmentVariable(Names.Variables.Kills), NumberStyles.None, CultureInfo.InvariantCulture, out var kills) ? kills : 100;

    /// <summary>Gateways at once: each waits for its own start, and budgets are shared by all.</summary>
    private const int Gateways = 4;
    private const int Clients = 8;
    private const long SmallLimit = 1_000;
    private const string Chat = "{\"model\":\"gpt-4o-mini\",\"max_tokens\":20,\"messages\":[{\"role\":\"user\",\"content\":\"say some words\"}]";
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(10);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task After_a_hundred_kills_under_load_the_ledger_is_the_providers_bill_each_attempt_once_every_difference_flagged_and_no_budget_passed()
    {
        await using var api = await ApiHost.StartAsync(more: services => services.AddSingleton(new LeaseDesk(DateTimeOffset.UnixEpoch)));
        api.Policy = new JsonObject
        {
            ["budgets"] = new JsonArray(
                new JsonObject { ["name"] = "all", ["scope"] = "cluster", ["period"] = "month", ["limit"] = "100", ["currency"] = "USD", ["hard"] = true },
                new JsonObject { ["name"] = "small", ["scope"] = "project/small", ["period"] = "month", ["limit"] = "0.001", ["currency"] = "USD", ["hard"] = true }),
        };
        var asked = new ConcurrentDictionary<(string Run, string Provider), int>();
        await using var first = await ProviderAsync("first", asked, failing: 7);
        await using var second = await ProviderAsync("second", asked, failing: 11);
        using var home = new GatewayHome("{}", ("first", first.Address), ("second", second.Address));

        var (addresses, heard) = (new Uri?[Gateways], new int[Gateways]);
        using var over = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        using var http = new HttpClient(new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromSeconds(5), ResponseDrainTimeout = TimeSpan.Zero }) { Timeout = TimeSpan.FromSeconds(20) };
        var load = Enumerable.Range(0, Clients).Select(client => Task.Run(() => CallAsync(client, http, addresses, heard, over.Token), Cancel)).ToList();
        await Task.WhenAll(Enumerable.Range(0, Gateways).Select(lane => KillAsync(home.Directory, api.Url, lane, addresses, heard)));
        await over.CancelAsync();
        var counts = await Task.WhenAll(load);
        var (answered, refused, left) = (counts.Sum(one => one.Answered), counts.Sum(one => one.Refused), counts.Sum(one => one.Left));

        // What the last kill left is settled by the next start, and sent at its end at the latest.
        foreach (var lane in Enumerable.Range(0, Gateways))
        {
            await using var last = await ShippedGateway.StartAsync(home.Directory, api.Url, Replica(lane));
            // The spool is sent in its order: once this call is in the ledger, all before it is.
            using (var request = Request(last.Address, $"last-{lane}", "search", "/openai/v1/chat/completions", Chat + "}"))
            using (var answer = await http.SendAsync(request, Cancel)) answer.IsSuccessStatusCode.ShouldBeTrue(await answer.Content.ReadAsStringAsync(Cancel));
            await Wait.UntilAsync("what was left to be sent", () => Task.FromResult(Rows(api).Any(row => row.RunId == $"last-{lane}" && row.Outcome == "completed")));
            last.Terminate();
            (await last.EndAsync()).ShouldBe(0, last.Output);
            File.Exists(Path.Combine(home.Spool(Replica(lane)), "refused.jsonl")).ShouldBeFalse();
        }

        var rows = Rows(api);
        var bills = new Dictionary<(string, string), Billed>();
        foreach (var (provider, name) in new[] { (first, "first"), (second, "second") })
            foreach (var one in provider.Bill) bills.Add((one.RequestId!, name), one);

        TestContext.Current.TestOutputHelper?.WriteLine($"{Kills} kills, {answered} calls answered, {refused} refused, {left} left, {asked.Count} attempts at providers, {bills.Count} billed, {rows.Count} rows, {rows.Count(row => row.Estimated)} estimated, {rows.Count(row => row.Outcome == "lost")} lost");
        answered.ShouldBeGreaterThan(Kills);
        refused.ShouldBeGreaterThan(0);
        left.ShouldBeGreaterThan(0);

        // The providers saw each attempt once, and the ledger has each once.
        asked.Values.ShouldAllBe(times => times == 1);
        var ledger = rows.ToLookup(row => (row.RunId, row.Provider));
        rows.GroupBy(row => (row.RunId, row.Provider)).ShouldAllBe(group => group.Count() == 1);
        foreach (var attempt in asked.Keys) ledger[attempt].Count().ShouldBe(1, $"{attempt}");

        foreach (var row in rows)
        {
            var bill = bills.GetValueOrDefault((row.RunId, row.Provider));
            if (!row.Estimated) (row.RunId, row.Outcome, row.Input, row.Output).ShouldBe((row.RunId, row.Outcome, bill?.Input ?? 0, bill?.Output ?? 0));
            else if (!asked.ContainsKey((row.RunId, row.Provider))) row.Outcome.ShouldBeOneOf("lost", "client_closed", "failed");
        }

        // Not everything is an estimate: only what a kill, or a client that left, has cut off.
        rows.Count(row => !row.Estimated && row.Outcome == "completed").ShouldBeGreaterThan(rows.Count / 4);
        rows.Where(row => row.Outcome == "client_closed").ShouldNotBeEmpty();
        rows.Count(row => row.Outcome == "lost").ShouldBeGreaterThan(Kills / 4);
        rows.Where(row => row.Project == "small").Sum(row => row.Cost).ShouldBeInRange(1, SmallLimit);
        Sums(api).ShouldBe(rows.Sum(row => row.Cost));
    }

    private static string Replica(int lane) => $"gateway-{lane}";

    private static async Task KillAsync(string home, Uri api, int lane, Uri?[] addresses, int[] heard)
    {
        for (var kill = 0; kill < Kills / Gateways; kill++)
        {
            await using var gateway = await ShippedGateway.StartAsync(home, api, Replica(lane));
            Volatile.Write(ref addresses[lane], gateway.Address);

            // On a machine that is slow today it is not killed before it has answered anything.
            var (began, before) = (TimeProvider.System.GetTimestamp(), Volatile.Read(ref heard[lane]));
            while (Volatile.Read(ref heard[lane]) == before && TimeProvider.System.GetElapsedTime(began) < Longest) await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System, Cancel);
            await Task.Delay(TimeSpan.FromMilliseconds(Random.Shared.Next(0, 600)), TimeProvider.System, Cancel);
            gateway.Kill();
            Volatile.Write(ref addresses[lane], null);
        }
    }

    /// <summary>Calls of every kind, each under a run of its own, by which ledger and bill know it; one of ten leaves before its answer's end.</summary>
    private static async Task<(int Answered, int Refused, int Left)> CallAsync(int client, HttpClient http, Uri?[] addresses, int[] heard, CancellationToken over)
    {
        var random = new Random(client);
        var (answered, refused, left) = (0, 0, 0);
        for (var number = 0; !over.IsCancellationRequested; number++)
        {
            var lane = random.Next(addresses.Length);
            if (Volatile.Read(ref addresses[lane]) is not { } gateway)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System, CancellationToken.None);
                continue;
            }

            var run = $"run-{client}-{number}";
            var small = number % 5 == 0;
            var stream = number % 3 != 0 ? ",\"stream\":true" : "";
            var (path, body) = random.Next(3) switch
            {
                0 => ("/openai/v1/chat/completions", Chat + stream + "}"),
                1 => ("/openai/v1/responses", "{\"model\":\"gpt-4o-mini\",\"max_output_tokens\":20,\"input\":\"say some words\"" + stream + "}"),
                _ => ("/anthropic/v1/messages", "{\"model\":\"claude-haiku-4-5\",\"max_tokens\":20,\"messages\":[{\"role\":\"user\",\"content\":\"say some words\"}]" + stream + "}"),
            };
            using var request = Request(gateway, run, small ? "small" : "search", path, body);
            try
            {
                using var answer = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, CancellationToken.None);
                if (random.Next(10) == 0)
                {
                    var begun = await (await answer.Content.ReadAsStreamAsync(CancellationToken.None)).ReadAtLeastAsync(new byte[300], 300, throwOnEndOfStream: false, CancellationToken.None);
                    left += begun > 0 ? 1 : 0;
                    continue;
                }

                var text = await answer.Content.ReadAsStringAsync(CancellationToken.None);
                Interlocked.Increment(ref heard[lane]);
                if (answer.IsSuccessStatusCode) answered++;
                else if ((int)answer.StatusCode == 429 && text.Contains("budget_exhausted", StringComparison.Ordinal)) refused++;
            }
            catch (Exception e) when (e is HttpRequestException or IOException or OperationCanceledException)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System, CancellationToken.None);
            }
        }

        return (answered, refused, left);
    }

    private static HttpRequestMessage Request(Uri gateway, string run, string project, string path, string body)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, new Uri(gateway, path)) { Content = new StringContent(body, Encoding.UTF8, "application/json") };
        request.Headers.Authorization = new("Bearer", GatewayBench.Token(run, project));
        request.Headers.Add(FakeProvider.RequestIdHeader, run);
        return request;
    }

    /// <param name="failing">Of so many requests one is answered with 500, which is not billed.</param>
    private static async Task<FakeProvider> ProviderAsync(string name, ConcurrentDictionary<(string, string), int> asked, int failing)
    {
        var provider = await FakeProvider.StartAsync(Cancel);
        provider.Pace = TimeSpan.FromMilliseconds(2);
        var count = 0;
        provider.Fault = (http, _) =>
        {
            asked.AddOrUpdate((http.Request.Headers[FakeProvider.RequestIdHeader].ToString(), name), 1, (_, times) => times + 1);
            if (Interlocked.Increment(ref count) % failing != 0) return Task.FromResult(false);
            http.Response.StatusCode = StatusCodes.Status500InternalServerError;
            return Task.FromResult(true);
        };
        return provider;
    }

    private static List<Row> Rows(ApiHost api)
    {
        using var connection = new SqliteConnection($"Data Source={api.Database.File};Mode=ReadOnly;Pooling=False");
        return [.. connection.Query<(string RunId, string Project, string Provider, string Outcome, bool Estimated, long Input, long Output, long Cost)>("SELECT run_id, project, provider, outcome, estimated, input_tokens, output_tokens, cost_micros FROM model_calls")
            .Select(row => new Row(row.RunId, row.Project, row.Provider.Replace("-messages", "", StringComparison.Ordinal), row.Outcome, row.Estimated, row.Input, row.Output, row.Cost))];
    }

    private static long Sums(ApiHost api)
    {
        using var connection = new SqliteConnection($"Data Source={api.Database.File};Mode=ReadOnly;Pooling=False");
        return connection.ExecuteScalar<long>("SELECT SUM(cost_micros) FROM run_model_calls");
    }

    private sealed record Row(string RunId, string Project, string Provider, string Outcome, bool Estimated, long Input, long Output, long Cost);
}
