using System.Net;
using Fabrik.Gateway;
using Microsoft.AspNetCore.Http;

namespace Fabrik.Tests.Proxy;

/// <summary>Anthropic's usage.iterations: one call that several models were asked in, by the provider itself.</summary>
public sealed class ServerSideFallbackTests : IAsyncLifetime
{
    /// <summary>The first refused after it had read, the second answered; the answer's own sum is of the second alone.</summary>
    private const string Usage = """
        {"input_tokens":1000,"output_tokens":100,"iterations":[
          {"type":"message","model":"claude-opus-4-1","input_tokens":1000,"output_tokens":2,"cache_creation":{"ephemeral_5m_input_tokens":10,"ephemeral_1h_input_tokens":20},"cache_creation_input_tokens":30,"cache_read_input_tokens":0},
          {"type":"fallback_message","model":"claude-haiku-4-5","input_tokens":1000,"output_tokens":100,"cache_creation":null,"cache_creation_input_tokens":0,"cache_read_input_tokens":40}]}
        """;

    /// <summary>Opus at 15 in, 75 out, 18.75 and 30 written; Haiku at 1 in, 5 out, 0.10 read, dollars a million.</summary>
    private const long Cost = (15_000 + 150 + 188 + 600) + (1_000 + 500 + 4);
    private GatewayBench bench = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => bench = await GatewayBench.StartAsync();

    public async ValueTask DisposeAsync() => await bench.DisposeAsync();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Each_model_that_was_asked_is_charged_at_its_own_price(bool streamed)
    {
        bench.Provider.Fault = async (http, _) =>
        {
            var one = Usage.ReplaceLineEndings("");
            http.Response.ContentType = streamed ? "text/event-stream" : "application/json";
            await http.Response.WriteAsync(streamed
                ? "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"claude-haiku-4-5\",\"usage\":{\"input_tokens\":1000,\"output_tokens\":1,\"iterations\":null}}}\n\n"
                    + "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"ok\"}}\n\n"
                    + $"event: message_delta\ndata: {{\"type\":\"message_delta\",\"delta\":{{\"stop_reason\":\"end_turn\"}},\"usage\":{one}}}\n\n"
                    + "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
                : $$"""{"type":"message","model":"claude-haiku-4-5","content":[{"type":"text","text":"ok"}],"usage":{{one}}}""");
            return true;
        };
        using var answer = await bench.MessagesAsync(streamed);
        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        await answer.Content.ReadAsStringAsync(Cancel);
        var row = (await bench.LedgerAsync(1)).ShouldHaveSingleItem();
        (row.ServedModel, row.Outcome, row.Estimated, row.PriceUnknown).ShouldBe(("claude-haiku-4-5", AttemptOutcome.Completed, false, false));
        row.Tokens.ShouldBe(new TokenCounts(2000, 40, 10, 20, 102, 0, 0));
        row.CostMicros.ShouldBe(Cost);
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("""[{"type":"message","model":"claude-opus-4-1","input_tokens":7,"output_tokens":7}]""")]
    [InlineData("""[1,"x",{"model":5},{"input_tokens":-1}]""")]
    public async Task What_is_of_one_model_or_cannot_be_read_is_charged_by_the_answers_own_sum(string iterations)
    {
        bench.Provider.Fault = async (http, _) =>
        {
            http.Response.ContentType = "application/json";
            await http.Response.WriteAsync($$$"""{"type":"message","model":"claude-haiku-4-5","content":[],"usage":{"input_tokens":1000,"iterations":{{{iterations}}},"output_tokens":100}}""");
            return true;
        };
        using var answer = await bench.MessagesAsync();
        var row = (await bench.LedgerAsync(1)).ShouldHaveSingleItem();
        (row.Tokens.AllInput, row.Tokens.Output, row.CostMicros, row.Estimated).ShouldBe((1000, 100, 1500, false));
    }
}
