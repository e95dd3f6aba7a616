using System.Net;
using System.Text.Json;
using Fabrik.Gateway;

namespace Fabrik.Tests.Proxy;

/// <summary>A token dies with its run.</summary>
public sealed class EndedRunTests : IAsyncLifetime
{
    private const string Chat = """{"model":"gpt-4o-mini","messages":[{"role":"user","content":"say some words"}]}""";
    private GatewayBench bench = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => bench = await GatewayBench.StartAsync();

    public async ValueTask DisposeAsync() => await bench.DisposeAsync();

    [Fact]
    public async Task Soon_after_its_run_has_ended_a_token_is_refused_in_the_words_of_its_api_and_nobody_is_asked()
    {
        (await CallAsync("gone")).ShouldBe(HttpStatusCode.OK);
        foreach (var run in (string[])["other", "another", "gone"]) End(run);
        await RefusedAsync("gone");

        var asked = bench.Provider.Requests;
        using var answer = await bench.SendAsync("/anthropic/v1/messages", """{"model":"claude-haiku-4-5","max_tokens":20,"messages":[]}""", GatewayBench.Token("gone"));
        answer.StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
        answer.Headers.GetValues(Names.Headers.ShouldRetry).ShouldBe(["false"]);
        var error = JsonDocument.Parse(await answer.Content.ReadAsStringAsync(Cancel)).RootElement.GetProperty("error");
        error.GetProperty("type").GetString().ShouldBe("authentication_error");
        error.GetProperty("message").GetString()!.ShouldEndWith("(ended_token)");
        bench.Provider.Requests.ShouldBe(asked);
        (await CallAsync("alive")).ShouldBe(HttpStatusCode.OK);
        (await bench.Http.GetStringAsync(new Uri(bench.Gateway, Names.Paths.Metrics), Cancel)).ShouldContain("fabrik_gateway_refused_total{code=\"ended_token\"}");
    }

    [Fact]
    public async Task A_run_that_turns_up_again_may_call_again()
    {
        End("lost");
        await RefusedAsync("lost");
        End("lost", ended: false);
        await Wait.UntilAsync("the run to be served", async () => await CallAsync("lost") == HttpStatusCode.OK);
    }

    [Fact]
    public async Task While_the_api_is_away_those_that_had_ended_are_refused_and_no_others_over_a_restart_too_and_over_what_it_left_half_written()
    {
        End("gone");
        await RefusedAsync("gone");
        bench.ApiFails = HttpStatusCode.ServiceUnavailable;
        await bench.StopGatewayAsync();
        var kept = Path.Combine(bench.SpoolDirectory(), "run-ends.jsonl");
        await File.AppendAllTextAsync(kept, """{"ends":[{"runId":"half","ended":tr""", Cancel);
        await bench.StartGatewayAsync();

        (await CallAsync("gone")).ShouldBe(HttpStatusCode.Unauthorized);
        (await CallAsync("alive")).ShouldBe(HttpStatusCode.ServiceUnavailable); // for want of budgets
        End("later");
        bench.ApiFails = null;
        await RefusedAsync("later");
        (await File.ReadAllTextAsync(kept, Cancel)).ShouldNotContain("half");
    }

    private void End(string run, bool ended = true) => bench.RunEnds.Enqueue(new RunEnd(run, ended, TimeProvider.System.GetUtcNow().AddDays(31)));

    private Task RefusedAsync(string run) => Wait.UntilAsync("the token to be refused", async () => await CallAsync(run) == HttpStatusCode.Unauthorized, TimeSpan.FromSeconds(10));

    private async Task<HttpStatusCode> CallAsync(string run)
    {
        using var answer = await bench.SendAsync("/openai/v1/chat/completions", Chat, GatewayBench.Token(run));
        return answer.StatusCode;
    }
}
