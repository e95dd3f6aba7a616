using System.Net;
using System.Text;
using System.Text.Json;
using Fabrik.Experiments;
using Fabrik.Gateway.Budgets;

namespace Fabrik.Tests.Proxy;

/// <summary>Budgets as callers meet them.</summary>
public sealed class BudgetedCallTests : IAsyncLifetime
{
    private const string Body = """{"model":"gpt-4o-mini","max_tokens":20,"messages":[{"role":"user","content":"say some words"}]}""";

    /// <summary>3 tokens at 0.15 and 20 at 0.60 dollars a million.</summary>
    private const long CostOfACall = 12;
    private GatewayBench bench = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => bench = await GatewayBench.StartAsync();

    public async ValueTask DisposeAsync() => await bench.DisposeAsync();

    [Fact]
    public async Task A_spent_budget_refuses_in_the_words_of_its_api_and_says_when_it_begins_anew()
    {
        bench.Budgets = [Budget("search-day", "project/search", 0)];
        await RestartAsync();
        using var answer = await bench.SendAsync("/anthropic/v1/messages", """{"model":"claude-haiku-4-5","max_tokens":20,"messages":[]}""");
        answer.StatusCode.ShouldBe(HttpStatusCode.TooManyRequests);
        answer.Headers.GetValues(Names.Headers.ShouldRetry).ShouldBe(["false"]);
        var text = await answer.Content.ReadAsStringAsync(Cancel);
        text.ShouldStartWith("{\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\"");
        text.ShouldContain("The budget search-day (0.000000 USD) has 0.000000 USD left");
        text.ShouldContain("It begins anew at");
        bench.Provider.Requests.ShouldBe(0);

        using var other = await bench.SendAsync("/openai/v1/chat/completions", Body, GatewayBench.Token(project: "other"));
        other.StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Theory]
    [InlineData("requests", 3, "requests", "The limit a-minute (3 requests a minute) has 0 requests left, and this call may take 1 request. There is room for it again in ")]
    [InlineData("tokens", 400, "tokens", "The limit a-minute (400 tokens a minute) has ")]
    public async Task A_limit_per_minute_refuses_with_when_to_come_again_and_waiting_helps(string unit, long limit, string type, string says)
    {
        bench.Budgets = [Budget("a-minute", "project/search", limit) with { Period = BudgetPeriod.Minute, Unit = WireNames.Parse<BudgetUnit>(unit) }];
        await RestartAsync();
        HttpResponseMessage answer;
        for (var call = 0; (answer = await bench.SendAsync("/openai/v1/chat/completions", Body)).StatusCode == HttpStatusCode.OK; call++)
        {
            answer.Headers.GetValues(Names.Headers.BudgetLeft).ShouldHaveSingleItem().ShouldMatch($"^a-minute [0-9]+ {type[..^1]}s?$");
            answer.Dispose();
            call.ShouldBeLessThan(50);
        }

        using var refused = answer;
        refused.StatusCode.ShouldBe(HttpStatusCode.TooManyRequests);
        refused.Headers.GetValues(Names.Headers.ShouldRetry).ShouldBe(["true"]);
        refused.Headers.RetryAfter!.Delta!.Value.ShouldBeInRange(TimeSpan.FromSeconds(50), TimeSpan.FromSeconds(60));
        var error = JsonDocument.Parse(await refused.Content.ReadAsStringAsync(Cancel)).RootElement.GetProperty("error");
        (error.GetProperty("type").GetString(), error.GetProperty("code").GetString()).ShouldBe((type, "rate_limit_exceeded"));
        error.GetProperty("message").GetString()!.ShouldStartWith(says);
        using var other = await bench.SendAsync("/anthropic/v1/messages", """{"model":"claude-haiku-4-5","max_tokens":200,"messages":[]}""");
        (await other.Content.ReadAsStringAsync(Cancel)).ShouldStartWith("{\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\"");
    }

    [Fact]
    public async Task A_call_that_no_minute_has_room_for_is_told_so_and_not_asked_to_wait()
    {
        bench.Budgets = [Budget("a-minute", "cluster", 100) with { Period = BudgetPeriod.Minute, Unit = BudgetUnit.Tokens }];
        await RestartAsync();
        using var refused = await bench.SendAsync("/openai/v1/chat/completions", """{"model":"gpt-4o-mini","messages":[]}""");
        refused.StatusCode.ShouldBe(HttpStatusCode.TooManyRequests);
        refused.Headers.GetValues(Names.Headers.ShouldRetry).ShouldBe(["false"]);
        refused.Headers.RetryAfter.ShouldBeNull();
        (await refused.Content.ReadAsStringAsync(Cancel)).ShouldContain("more than the whole budget a-minute (100 tokens a minute). Give it a smaller max_tokens");
    }

    [Fact]
    public async Task What_is_left_of_the_tightest_budget_is_told()
    {
        bench.Budgets = [Budget("cluster", "cluster", 5_000_000), Budget("search-day", "project/search", 1_000_000)];
        await RestartAsync();
        using var answer = await bench.SendAsync("/openai/v1/chat/completions", Body);
        answer.Headers.GetValues(Names.Headers.BudgetLeft).ShouldHaveSingleItem().ShouldStartWith("search-day 0.9999");
    }

    [Fact]
    public async Task Without_an_answer_of_the_api_hard_budgets_stop_with_503_and_soft_ones_go_on()
    {
        bench.Budgets = [Budget("soft", "cluster", 10) with { Hard = false }];
        await RestartAsync();
        using (var answer = await bench.SendAsync("/openai/v1/chat/completions", Body)) answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        bench.ApiFails = HttpStatusCode.ServiceUnavailable;
        using (var answer = await bench.SendAsync("/openai/v1/chat/completions", Body)) answer.StatusCode.ShouldBe(HttpStatusCode.OK);

        bench.ApiFails = null;
        bench.Budgets = [Budget("hard", "run", 1_000_000)];
        await RestartAsync();
        bench.ApiFails = HttpStatusCode.ServiceUnavailable;
        using var refused = await bench.SendAsync("/openai/v1/chat/completions", Body);
        refused.StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
        refused.Headers.RetryAfter.ShouldNotBeNull();
        (await refused.Content.ReadAsStringAsync(Cancel)).ShouldContain("budget_unknown");
    }

    [Fact]
    public async Task Two_hundred_callers_at_two_gateways_do_not_pass_a_limit_together()
    {
        const long limit = 1_000 * CostOfACall;
        bench.Budgets = [Budget("search-day", "project/search", limit)];
        await RestartAsync();
        var first = bench.Gateway;
        var second = await bench.StartGatewayAsync("gateway-1");
        var (served, refused) = (0, 0);
        await Parallel.ForEachAsync(Enumerable.Range(0, 200), new ParallelOptions { MaxDegreeOfParallelism = 200, CancellationToken = Cancel }, async (caller, ct) =>
        {
            for (var call = 0; call < 10; call++)
            {
                using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(caller % 2 == 0 ? first : second, "/openai/v1/chat/completions")) { Content = new StringContent(Body, Encoding.UTF8, "application/json") };
                request.Headers.Authorization = new("Bearer", GatewayBench.Token($"run-{caller}"));
                using var answer = await bench.Http.SendAsync(request, ct);
                if (answer.StatusCode == HttpStatusCode.OK) Interlocked.Increment(ref served);
                else if (answer.StatusCode == HttpStatusCode.TooManyRequests) Interlocked.Increment(ref refused);
                else throw new InvalidOperationException($"{answer.StatusCode} {await answer.Content.ReadAsStringAsync(ct)}");
            }
        });

        refused.ShouldBeGreaterThan(0);
        var rows = await bench.LedgerAsync(served);
        rows.Sum(row => row.CostMicros).ShouldBeLessThanOrEqualTo(limit);
        rows.Count.ShouldBe(bench.Provider.Bill.Count);
        // The bound of one call is its bytes and 20 tokens; what is refused for it at the end is little.
        rows.Sum(row => row.CostMicros).ShouldBeGreaterThan(limit / 2);
    }

    private static ModelBudget Budget(string name, string scope, long limit) => new(name, BudgetScope.Parse(scope)!, BudgetPeriod.Day, limit, "USD", Hard: true);

    /// <summary>A gateway learns of budgets within seconds; the test does not wait for that.</summary>
    private async Task RestartAsync()
    {
        await bench.StopGatewayAsync();
        await bench.StartGatewayAsync();
    }
}
