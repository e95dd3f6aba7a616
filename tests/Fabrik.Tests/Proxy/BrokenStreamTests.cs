using System.Text;
using Fabrik.Gateway;
using Microsoft.AspNetCore.Http;

namespace Fabrik.Tests.Proxy;

/// <summary>Streams that end as they should not, from either side.</summary>
public sealed class BrokenStreamTests : IAsyncLifetime
{
    private GatewayBench bench = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => bench = await GatewayBench.StartAsync(limits: """{"firstByteSeconds":5,"idleSeconds":1}""");

    public async ValueTask DisposeAsync() => await bench.DisposeAsync();

    [Theory]
    [InlineData("openai", true)]
    [InlineData("openai", false)]
    [InlineData("anthropic", true)]
    [InlineData("anthropic", false)]
    public async Task A_stream_that_is_cut_or_stalls_within_its_content_ends_with_an_error_and_never_as_if_it_were_whole(string format, bool stalls)
    {
        bench.Provider.Fault = async (http, _) =>
        {
            http.Response.ContentType = "text/event-stream";
            await http.Response.WriteAsync(format == "openai"
                ? "data: {\"model\":\"gpt-4o-mini\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"eight by\"}}]}\n\ndata: {\"choi"
                : "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"claude-haiku-4-5\",\"usage\":{\"input_tokens\":50,\"output_tokens\":1}}}\n\nevent: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"eight by\"}}\n\nevent: content_b");
            await http.Response.Body.FlushAsync();
            if (stalls) await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, http.RequestAborted);
            return true;
        };
        using var answer = format == "openai" ? await bench.ChatAsync(stream: true) : await bench.MessagesAsync(stream: true);
        var text = await answer.Content.ReadAsStringAsync(Cancel);
        text.ShouldContain(stalls ? "provider_stalled" : "provider_cut");
        text.ShouldContain(format == "openai" ? "data: {\"error\":{" : "event: error\ndata: {\"type\":\"error\"");
        text.ShouldNotContain("[DONE]");
        text.ShouldNotContain("message_stop");
        var row = (await bench.LedgerAsync(1)).ShouldHaveSingleItem();
        (row.Outcome, row.Error, row.Estimated, row.Tokens.Output).ShouldBe((AttemptOutcome.Interrupted, stalls ? "stalled" : "cut", true, 2));
        if (format == "anthropic") row.Tokens.Input.ShouldBe(50);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    [InlineData(20)]
    public async Task A_client_that_hangs_up_stops_the_provider_at_once_and_what_passed_is_billed_as_an_estimate(int events)
    {
        bench.Provider.Pace = TimeSpan.FromMilliseconds(20);
        using var leaving = new CancellationTokenSource();
        using (var answer = await bench.MessagesAsync(stream: true, most: 1000, ct: leaving.Token))
        {
            using var reader = new StreamReader(await answer.Content.ReadAsStreamAsync(leaving.Token));
            for (var seen = 0; seen < events;)
                if ((await reader.ReadLineAsync(leaving.Token))!.Contains("content_block_delta", StringComparison.Ordinal)) seen++;
            await leaving.CancelAsync();
        }

        var row = (await bench.LedgerAsync(1)).ShouldHaveSingleItem();
        (row.Outcome, row.Estimated, row.Tokens.Input).ShouldBe((AttemptOutcome.ClientClosed, true, 3));
        await Wait.UntilAsync("the provider to stop", () => Task.FromResult(bench.Provider.Bill.Count == 1));
        var billed = bench.Provider.Bill.Single();
        billed.Output.ShouldBeLessThan(events + 30);
        row.Tokens.Output.ShouldBeInRange(1, 2 * billed.Output + 10);
    }

    [Fact]
    public async Task A_client_that_leaves_right_after_the_last_event_is_billed_exactly()
    {
        using (var answer = await bench.ChatAsync(stream: true))
        {
            var stream = await answer.Content.ReadAsStreamAsync(Cancel);
            var (text, buffer) = ("", new byte[4096]);
            while (!text.Contains("[DONE]", StringComparison.Ordinal)) text += Encoding.UTF8.GetString(buffer, 0, await stream.ReadAsync(buffer, Cancel));
        }

        var row = (await bench.LedgerAsync(1)).ShouldHaveSingleItem();
        (row.Outcome, row.Estimated, row.Tokens.Output).ShouldBe((AttemptOutcome.Completed, false, 20));
    }

    [Fact]
    public async Task A_line_that_is_split_after_every_byte_is_read_all_the_same()
    {
        bench.Provider.Fault = async (http, _) =>
        {
            http.Response.ContentType = "text/event-stream";
            foreach (var one in Encoding.UTF8.GetBytes("data: {\"model\":\"gpt-4o-mini\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"ü\"}}],\"usage\":null}\r\n\r\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":11,\"completion_tokens\":22}}\r\n\r\ndata: [DONE]\r\n\r\n"))
            {
                await http.Response.Body.WriteAsync(new[] { one });
                await http.Response.Body.FlushAsync();
            }

            return true;
        };
        using var answer = await bench.ChatAsync(stream: true);
        (await answer.Content.ReadAsStringAsync(Cancel)).ShouldBe("data: {\"model\":\"gpt-4o-mini\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"ü\"}}]}\r\n\r\ndata: [DONE]\r\n\r\n");
        var row = (await bench.LedgerAsync(1)).ShouldHaveSingleItem();
        (row.Tokens.Input, row.Tokens.Output, row.Estimated).ShouldBe((11, 22, false));
    }

    [Fact]
    public async Task Nonsense_in_a_chunk_and_a_missing_usage_are_passed_on_and_estimated()
    {
        bench.Provider.Streams("data: {\"model\":\"gpt-4o-mini\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"four\"}}]}\n\ndata: {nonsense\n\ndata: [DONE]\n\n");
        using var answer = await bench.ChatAsync(stream: true);
        (await answer.Content.ReadAsStringAsync(Cancel)).ShouldContain("data: {nonsense\n\n");
        var row = (await bench.LedgerAsync(1)).ShouldHaveSingleItem();
        (row.Outcome, row.Estimated, row.Tokens.Output).ShouldBe((AttemptOutcome.Completed, true, 1));
    }

    [Fact]
    public async Task A_usage_that_anthropic_tells_several_times_is_never_added()
    {
        bench.Provider.Streams(
            "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"claude-haiku-4-5\",\"usage\":{\"input_tokens\":10,\"cache_read_input_tokens\":0,\"cache_creation_input_tokens\":0,\"output_tokens\":1}}}\n\n"
            + "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"a\"}}\n\n"
            + "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{},\"usage\":{\"input_tokens\":10,\"cache_creation_input_tokens\":300,\"cache_read_input_tokens\":2000,\"cache_creation\":{\"ephemeral_5m_input_tokens\":100,\"ephemeral_1h_input_tokens\":200},\"output_tokens\":40}}\n\n"
            + "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{},\"usage\":{\"input_tokens\":null,\"output_tokens\":55}}\n\n"
            + "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
        using var answer = await bench.MessagesAsync(stream: true);
        await answer.Content.ReadAsStringAsync(Cancel);
        var row = (await bench.LedgerAsync(1)).ShouldHaveSingleItem();
        row.Tokens.ShouldBe(new TokenCounts(10, 2000, 100, 200, 55, 0, 0));

        // 10 x 1 + 2000 x 0.10 + 100 x 1.25 + 200 x 2 + 55 x 5 dollars a million.
        (row.CostMicros, row.Estimated).ShouldBe((1010, false));
    }
}
