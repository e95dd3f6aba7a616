using System.Net;
using System.Text;
using Fabrik.Gateway;
using Fabrik.Sandbox.Models;
using Microsoft.AspNetCore.Http;

namespace Fabrik.Tests.Proxy;

/// <summary>The first of two providers fails in every way there is; the second answers.</summary>
public sealed class FailoverTests : IAsyncLifetime
{
    private GatewayBench bench = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => bench = await GatewayBench.StartAsync(two: true, limits: """{"firstByteSeconds":2,"idleSeconds":1}""");

    public async ValueTask DisposeAsync() => await bench.DisposeAsync();

    [Theory]
    [InlineData(401, "", "", "key_refused")]
    [InlineData(402, "", "", "quota_exhausted")]
    [InlineData(403, "", "", "permission_denied")]
    [InlineData(408, "", "", "conflict")]
    [InlineData(429, "retry-after: 7", "", "rate_limited")]
    [InlineData(429, "retry-after-ms: 700", "", "rate_limited")]
    [InlineData(429, "retry-after: Fri, 27 Nov 2099 10:00:00 GMT", "", "rate_limited")]
    [InlineData(429, "", "", "rate_limited")]
    [InlineData(429, "", """{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}""", "quota_exhausted")]
    [InlineData(429, "", """{"type":"error","error":{"type":"rate_limit_error","message":"spend","details":{"error_code":"enforced_spend_limit_reached"}}}""", "quota_exhausted")]
    [InlineData(400, "", """{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the API."}}""", "quota_exhausted")]
    [InlineData(500, "", "", "server_error")]
    [InlineData(502, "", "<html>not json</html>", "server_error")]
    [InlineData(503, "retry-after: 3", "", "server_error")]
    [InlineData(504, "", "", "server_error")]
    [InlineData(529, "", """{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}""", "overloaded")]
    public async Task A_provider_that_refuses_is_left_for_the_next_and_both_attempts_are_one_operation(int status, string header, string body, string word)
    {
        Refuse(bench.Provider, status, header, body);
        using var answer = await bench.ChatAsync();
        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        (await answer.Content.ReadAsStringAsync(Cancel)).ShouldContain("word20");

        var rows = await bench.LedgerAsync(2);
        rows.Select(row => (row.Provider, row.Outcome, row.Error, row.Status)).ShouldBe([("first", AttemptOutcome.Failed, word, status), ("second", AttemptOutcome.Completed, null, 200)]);
        rows[0].OperationId.ShouldBe(rows[1].OperationId);
        (rows[0].CostMicros, rows[0].Tokens.All, rows[0].Estimated).ShouldBe((0, 0, false));
    }

    [Theory]
    [InlineData(400)]
    [InlineData(404)]
    [InlineData(413)]
    [InlineData(422)]
    public async Task What_the_request_is_at_fault_for_goes_back_at_once_as_the_provider_said_it(int status)
    {
        Refuse(bench.Provider, status, "", """{"error":{"message":"no such model","type":"invalid_request_error","param":"model","code":"model_not_found"}}""");
        using var answer = await bench.ChatAsync();
        ((int)answer.StatusCode, await answer.Content.ReadAsStringAsync(Cancel)).ShouldBe((status, """{"error":{"message":"no such model","type":"invalid_request_error","param":"model","code":"model_not_found"}}"""));
        bench.Second!.Requests.ShouldBe(0);
        (await bench.LedgerAsync(1)).ShouldHaveSingleItem().Outcome.ShouldBe(AttemptOutcome.Rejected);
    }

    [Fact]
    public async Task A_key_that_was_refused_is_not_asked_again_by_the_calls_that_follow()
    {
        Refuse(bench.Provider, 401, "", "");
        for (var call = 0; call < 10; call++)
        {
            using var answer = await bench.ChatAsync();
            answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        }

        bench.Provider.Requests.ShouldBe(1);
        bench.Second!.Requests.ShouldBe(10);
    }

    [Fact]
    public async Task A_retry_after_sets_the_key_aside_for_every_call_and_when_all_are_the_nearest_is_told()
    {
        Refuse(bench.Provider, 429, "retry-after: 30", "");
        Refuse(bench.Second!, 429, "retry-after: 20", "");
        using (var first = await bench.ChatAsync())
        {
            first.StatusCode.ShouldBe(HttpStatusCode.TooManyRequests);
            // Both were asked: the client's own retries would ask them again.
            first.Headers.GetValues(Names.Headers.ShouldRetry).ShouldBe(["false"]);
        }

        using var second = await bench.ChatAsync();
        second.StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
        second.Headers.RetryAfter!.Delta!.Value.TotalSeconds.ShouldBeInRange(15, 20);
        (await second.Content.ReadAsStringAsync(Cancel)).ShouldContain("providers_unavailable");
        (bench.Provider.Requests, bench.Second!.Requests).ShouldBe((1, 1));
    }

    [Theory]
    [InlineData("openai")]
    [InlineData("anthropic")]
    public async Task An_error_in_the_stream_before_any_content_is_no_answer_yet(string format)
    {
        bench.Provider.Streams(format == "openai"
            ? "data: {\"id\":\"1\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\ndata: {\"error\":{\"message\":\"broken\",\"type\":\"server_error\"}}\n\n"
            : "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":5,\"output_tokens\":1}}}\n\nevent: ping\ndata: {\"type\":\"ping\"}\n\nevent: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n");
        using var answer = format == "openai" ? await bench.ChatAsync(stream: true) : await bench.MessagesAsync(stream: true);
        var text = await answer.Content.ReadAsStringAsync(Cancel);
        text.ShouldContain("word20");
        text.ShouldNotContain("rror");
        (await bench.LedgerAsync(2)).Select(row => row.Outcome).ShouldBe([AttemptOutcome.Failed, AttemptOutcome.Completed]);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(10)]
    public async Task A_provider_that_breaks_off_before_any_content_is_left_for_the_next(int bytes)
    {
        bench.Provider.Fault = async (http, _) =>
        {
            if (bytes > 0)
            {
                http.Response.ContentType = "text/event-stream";
                await http.Response.Body.WriteAsync(Encoding.UTF8.GetBytes("data: {\"id\":\"1\",\"choices\":[]}\n\n").AsMemory(0, bytes));
                await http.Response.Body.FlushAsync();
            }

            http.Abort();
            return true;
        };
        using var answer = await bench.ChatAsync(stream: true);
        (await answer.Content.ReadAsStringAsync(Cancel)).ShouldEndWith("data: [DONE]\n\n");
        (await bench.LedgerAsync(2)).Select(row => row.Outcome).ShouldBe([AttemptOutcome.Failed, AttemptOutcome.Completed]);
    }

    [Theory]
    [InlineData("openai")]
    [InlineData("anthropic")]
    public async Task A_provider_whose_streams_break_off_within_their_content_is_set_aside_after_three(string format)
    {
        // An end without the event that ends it.
        bench.Provider.Streams(format == "openai"
            ? "data: {\"model\":\"gpt-4o-mini\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"one\"}}]}\n\n"
            : "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"one\"}}\n\n");
        for (var call = 0; call < 6; call++)
        {
            using var answer = format == "openai" ? await bench.ChatAsync(stream: true) : await bench.MessagesAsync(stream: true);
            (await answer.Content.ReadAsStringAsync(Cancel)).Contains("provider_cut", StringComparison.Ordinal).ShouldBe(call < 3);
        }

        bench.Provider.Requests.ShouldBe(3);
        bench.Second!.Requests.ShouldBe(3);
    }

    [Fact]
    public async Task A_provider_that_does_not_begin_in_time_is_left_for_the_next()
    {
        bench.Provider.Fault = async (http, _) =>
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, http.RequestAborted);
            return true;
        };
        using var answer = await bench.ChatAsync();
        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        (await bench.LedgerAsync(2))[0].Error.ShouldBe("timeout");
    }

    [Fact]
    public async Task A_provider_that_is_not_there_is_left_for_the_next_and_after_three_times_not_asked()
    {
        await bench.Provider.DisposeAsync();
        for (var call = 0; call < 5; call++)
        {
            using var answer = await bench.ChatAsync();
            answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        }

        (await bench.LedgerAsync(8)).Count(row => row.Error == "unreachable").ShouldBe(3);
    }

    [Fact]
    public async Task An_answer_that_is_compressed_in_spite_of_what_was_asked_is_given_plain_and_metered()
    {
        bench.Provider.Fault = async (http, _) =>
        {
            http.Response.ContentType = "application/json";
            http.Response.Headers.ContentEncoding = "gzip";
            await using var zip = new System.IO.Compression.GZipStream(http.Response.Body, System.IO.Compression.CompressionLevel.Fastest);
            await zip.WriteAsync("""{"model":"gpt-4o-mini","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":9}}"""u8.ToArray());
            return true;
        };
        using var answer = await bench.ChatAsync();
        (await answer.Content.ReadAsStringAsync(Cancel)).ShouldStartWith("{\"model\"");
        answer.Content.Headers.ContentEncoding.ShouldBeEmpty();
        var row = (await bench.LedgerAsync(1)).ShouldHaveSingleItem();
        (row.Tokens.Input, row.Tokens.Output, row.Estimated).ShouldBe((7, 9, false));
    }

    [Fact]
    public async Task An_answer_of_many_megabytes_passes_and_of_embeddings_is_metered_exactly()
    {
        var vector = string.Join(",", Enumerable.Repeat("0.12345678", 1_000_000));
        bench.Provider.Fault = async (http, _) =>
        {
            http.Response.ContentType = "application/json";
            await http.Response.WriteAsync("{\"object\":\"list\",\"data\":[{\"embedding\":[" + vector + "]}],\"model\":\"text-embedding-3-large\",\"usage\":{\"prompt_tokens\":1234567,\"total_tokens\":1234567}}");
            return true;
        };
        using var answer = await bench.SendAsync("/openai/v1/embeddings", """{"model":"text-embedding-3-large","input":"x"}""");
        (await answer.Content.ReadAsByteArrayAsync(Cancel)).Length.ShouldBeGreaterThan(10_000_000);
        var row = (await bench.LedgerAsync(1)).ShouldHaveSingleItem();
        (row.Tokens.Input, row.Estimated, row.CostMicros, row.Outcome, row.Error).ShouldBe((1234567, false, 160494, AttemptOutcome.Completed, null));
    }

    private static void Refuse(FakeProvider provider, int status, string header, string body) => provider.Fault = async (http, _) =>
    {
        http.Response.StatusCode = status;
        if (header.Length > 0) http.Response.Headers[header[..header.IndexOf(':')]] = header[(header.IndexOf(':') + 2)..];
        http.Response.ContentType = "application/json";
        await http.Response.WriteAsync(body);
        return true;
    };
}
