using System.Net;
using System.Text.Json;
using Fabrik.Tests.Proxy;
using Microsoft.AspNetCore.Http;

namespace Fabrik.Tests.Cli;

/// <summary>The command before real gateways and providers.</summary>
public sealed class GatewayStatusTests : IAsyncLifetime
{
    private GatewayBench bench = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => bench = await GatewayBench.StartAsync(two: true);

    public async ValueTask DisposeAsync() => await bench.DisposeAsync();

    [Fact]
    public async Task Status_says_which_keys_are_set_aside_and_why_what_waits_and_no_secret()
    {
        bench.Provider.Fault = (http, _) =>
        {
            http.Response.StatusCode = 401;
            return Task.FromResult(true);
        };
        using (var answer = await bench.ChatAsync()) answer.StatusCode.ShouldBe(HttpStatusCode.OK); // by the second
        bench.ApiFails = HttpStatusCode.ServiceUnavailable;
        using (var answer = await bench.ChatAsync()) answer.StatusCode.ShouldBe(HttpStatusCode.OK);

        var shown = await RunAsync("status");
        shown.Code.ShouldBe(0, shown.Error);
        var lines = shown.Out.Split(Environment.NewLine);
        lines[0].ShouldStartWith("REPLICA ");
        lines[1].Split(' ', StringSplitOptions.RemoveEmptyEntries)[..2].ShouldBe([Environment.MachineName, "serving"]);
        lines.Single(line => line.StartsWith("first ", StringComparison.Ordinal)).ShouldContain("set aside for ");
        lines.Single(line => line.StartsWith("first-messages ", StringComparison.Ordinal)).ShouldContain("good");
        lines.Single(line => line.StartsWith("second ", StringComparison.Ordinal)).ShouldContain("good");
        shown.Error.ShouldContain("next: try what is set aside: fabrik gateway test");
        await Wait.UntilAsync("what waits to be shown", async () => (await RunAsync("status")) is var now && now.Out.Contains(", oldest ", StringComparison.Ordinal) && now.Error.Contains($"usage waits on {Environment.MachineName}", StringComparison.Ordinal));

        var json = await RunAsync("status", "-o", "json");
        var first = JsonDocument.Parse(json.Out).RootElement.GetProperty("items")[0].GetProperty("providers").EnumerateArray().First(provider => provider.GetProperty("name").GetString() == "first");
        first.GetProperty("keys")[0].GetProperty("bench").GetProperty("why").GetString().ShouldNotBeNullOrEmpty();
        (json.Out + shown.Out).ShouldNotContain("sk-");
        (json.Out + shown.Out).ShouldNotContain("search"); // nothing of callers
        (await RunAsync("status", "-o", "name")).Out.Trim().ShouldBe($"gateway/{Environment.MachineName}");
    }

    [Fact]
    public async Task A_key_whose_file_is_missing_is_shown_and_so_is_what_is_left_of_budgets()
    {
        bench.Budgets = [new("search-day", Fabrik.Gateway.Budgets.BudgetScope.Parse("project/search")!, Fabrik.Gateway.Budgets.BudgetPeriod.Day, 20, "USD", Hard: false)];
        await bench.StopGatewayAsync();
        bench.Write("keys/first-key", "");
        await bench.StartGatewayAsync();
        using (var answer = await bench.ChatAsync()) answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        var shown = await RunAsync("status");
        shown.Out.Split(Environment.NewLine).Single(line => line.StartsWith("first ", StringComparison.Ordinal)).ShouldContain("no key");
        shown.Error.ShouldContain("write the key into file first-key");
        shown.Out.ShouldMatch("search-day +soft +60 %");
    }

    [Fact]
    public async Task Several_replicas_are_shown_together_and_one_that_does_not_answer_is_named()
    {
        var first = bench.Gateway;
        var second = await bench.StartGatewayAsync("gateway-1");
        var both = await Command.RunAsync(["gateway", "status", "--gateway", first.AbsoluteUri, "--gateway", second.AbsoluteUri]);
        both.Code.ShouldBe(0, both.Error);
        both.Out.Split("serving").Length.ShouldBe(3);
        await bench.StopGatewayAsync();
        var one = await Command.RunAsync(["gateway", "status", "--gateway", first.AbsoluteUri, "--gateway", second.AbsoluteUri]);
        (one.Code, one.Out.Split("serving").Length).ShouldBe((1, 2));
        one.Error.ShouldContain(second.AbsoluteUri);
        var none = await Command.RunAsync(["gateway", "status", "--gateway", second.AbsoluteUri]);
        (none.Code, none.Out).ShouldBe((1, ""));
        none.Error.ShouldContain("FAB-1001");
        (await Command.RunAsync(["gateway", "status", "--gateway", bench.Provider.Address.AbsoluteUri])).Error.ShouldContain("FAB-10");
        (await Command.RunAsync(["gateway", "status", "--gateway", "nonsense"])).Error.ShouldContain("FAB-1041");
    }

    [Fact]
    public async Task A_test_calls_each_provider_whole_and_streamed_and_says_tokens_cost_and_time()
    {
        var run = await RunAsync("test", "--token-key-file", bench.TokenKeyFile, "--project", "search");
        run.Code.ShouldBe(0, run.Error);
        var lines = run.Out.Split(Environment.NewLine, StringSplitOptions.RemoveEmptyEntries);
        lines.Length.ShouldBe(9);
        foreach (var provider in (string[])["first ", "first-messages ", "second ", "second-messages "])
        {
            lines.Single(line => line.StartsWith(provider, StringComparison.Ordinal) && line.Contains("whole", StringComparison.Ordinal)).ShouldMatch("answered +[0-9]+ in, 16 out +0\\.0000[0-9]+ USD +[0-9.]+ ms +[0-9.]+ ms");
            lines.Single(line => line.StartsWith(provider, StringComparison.Ordinal) && line.Contains("streamed", StringComparison.Ordinal)).ShouldMatch("answered +[0-9]+ in, 16 out +about 0\\.0000[0-9]+ USD +[0-9.]+ ms +[0-9.]+ ms");
        }

        (bench.Provider.Requests, bench.Second!.Requests).ShouldBe((4, 4));
        var rows = await bench.LedgerAsync(8);
        rows.ShouldAllBe(row => row.Namespace == Names.GatewayNamespace && row.Project == "search" && !row.Estimated);
    }

    [Theory]
    [InlineData("claude-haiku-4-5", 2)]
    [InlineData("first", 1)]
    public async Task A_model_or_a_provider_alone_can_be_tested(string what, int providers)
    {
        var run = await RunAsync("test", what, "--token-key-file", bench.TokenKeyFile, "-o", "json");
        run.Code.ShouldBe(0, run.Error);
        JsonDocument.Parse(run.Out).RootElement.GetProperty("items").GetArrayLength().ShouldBe(2 * providers);
    }

    [Fact]
    public async Task What_fails_is_said_with_what_to_do_and_ends_with_1()
    {
        bench.Provider.Fault = async (http, _) =>
        {
            http.Response.StatusCode = 401;
            await http.Response.WriteAsync("""{"error":{"message":"Incorrect API key","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}""");
            return true;
        };
        var run = await RunAsync("test", "first", "--token-key-file", bench.TokenKeyFile);
        run.Code.ShouldBe(1);
        run.Out.ShouldContain("401 invalid_api_key");
        run.Error.ShouldContain("error FAB-1045: first: 401 invalid_api_key");
        run.Error.ShouldContain("next: the provider refuses the key");
        run.Error.ShouldContain("next: see why it is set aside and until when: fabrik gateway status"); // the streamed one

        bench.Write("other.key", Convert.ToBase64String(new byte[32]));
        var foreign = await RunAsync("test", "second", "--token-key-file", bench.TokenKeyFile.Replace("token.key", "other.key", StringComparison.Ordinal));
        foreign.Code.ShouldBe(1);
        foreign.Error.ShouldContain("the gateway checks tokens with another key");
        (await RunAsync("test", "nobody", "--token-key-file", bench.TokenKeyFile)).Error.ShouldContain("FAB-1044");
        (await RunAsync("test", "--token-key-file", "/nonexistent")).Error.ShouldContain("FAB-1046");
    }

    [Fact]
    public async Task A_stream_that_breaks_off_is_no_success()
    {
        bench.Provider.Fault = async (http, body) =>
        {
            if (!System.Text.Encoding.UTF8.GetString(body).Contains("\"stream\":true", StringComparison.Ordinal)) return false;
            http.Response.ContentType = "text/event-stream";
            await http.Response.WriteAsync("data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n", Cancel);
            return true;
        };
        var run = await RunAsync("test", "first", "--token-key-file", bench.TokenKeyFile);
        run.Code.ShouldBe(1);
        run.Out.ShouldContain("answered");
        run.Out.ShouldContain("error in the stream");
    }

    private Task<Command> RunAsync(params string[] arguments) => Command.RunAsync(["gateway", .. arguments, "--gateway", bench.Gateway.AbsoluteUri]);
}
