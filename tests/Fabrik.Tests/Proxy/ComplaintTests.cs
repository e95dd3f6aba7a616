using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Fabrik.Gateway;
using Fabrik.Gateway.Budgets;
using Microsoft.AspNetCore.Http;

namespace Fabrik.Tests.Proxy;

/// <summary>
/// What users of other gateways have complained about, where no other test of these folders is the proof already: docs/gateway.md has all of
/// them with the test that keeps each so.
/// </summary>
public sealed class ComplaintTests : IAsyncLifetime
{
    private TestClock clock = null!;
    private GatewayBench bench = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => bench = await GatewayBench.StartAsync(two: true);

    public async ValueTask DisposeAsync() => await bench.DisposeAsync();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_passed_before_a_client_left_is_priced_at_the_model_that_answered_and_not_at_nothing(bool anthropic)
    {
        bench.Provider.Fault = async (http, _) =>
        {
            http.Response.ContentType = "text/event-stream";
            await http.Response.WriteAsync(anthropic
                ? "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"claude-opus-5\",\"usage\":{\"input_tokens\":1000,\"output_tokens\":1}}}\n\nevent: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"forty bytes of text are about ten tokens\"}}\n\n"
                : "data: {\"model\":\"gpt-4o\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"forty bytes of text are about ten tokens\"}}]}\n\n");
            await http.Response.Body.FlushAsync();
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, http.RequestAborted);
            return true;
        };
        using (var leaving = CancellationTokenSource.CreateLinkedTokenSource(Cancel))
        using (var answer = anthropic ? await bench.MessagesAsync(stream: true, ct: leaving.Token) : await bench.ChatAsync(stream: true, ct: leaving.Token))
        {
            (await (await answer.Content.ReadAsStreamAsync(Cancel)).ReadAsync(new byte[100], leaving.Token)).ShouldBeGreaterThan(0);
            await leaving.CancelAsync();
        }

        var row = (await bench.LedgerAsync(1)).ShouldHaveSingleItem();
        (row.Outcome, row.Estimated, row.ServedModel).ShouldBe((AttemptOutcome.ClientClosed, true, anthropic ? "claude-opus-5" : "gpt-4o"));
        if (anthropic) (row.Tokens.Input, row.Tokens.Output, row.CostMicros).ShouldBe((1000, 10, (1000 * 5) + (10 * 25)));
        else row.CostMicros.ShouldBe((long)((row.Tokens.Input * 2.5) + (row.Tokens.Output * 10)));
    }

    [Fact]
    public async Task Thirty_clients_with_five_mebibytes_each_that_hang_up_do_not_keep_a_probe_waiting()
    {
        bench.Provider.Pace = TimeSpan.FromMilliseconds(20);
        var body = $$"""{"model":"claude-haiku-4-5","max_tokens":5000,"stream":true,"messages":[{"role":"user","content":"{{new string('x', 5 << 20)}}"}]}""";
        using var leaving = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var answers = await Task.WhenAll(Enumerable.Range(0, 30).Select(_ => bench.SendAsync("/anthropic/v1/messages", body, ct: leaving.Token)));
        var slowest = TimeSpan.Zero;
        var probing = Task.Run(async () =>
        {
            for (var probe = 0; probe < 50; probe++)
            {
                var start = TimeProvider.System.GetTimestamp();
                using var ready = await bench.Http.GetAsync(new Uri(bench.Gateway, Names.Paths.Ready), Cancel);
                ready.StatusCode.ShouldBe(HttpStatusCode.OK);
                if (TimeProvider.System.GetElapsedTime(start) is var took && took > slowest) slowest = took;
            }
        }, Cancel);
        await leaving.CancelAsync();
        foreach (var answer in answers) answer.Dispose();
        await probing;

        // The kubelet waits a second; a machine that many tests share is allowed the whole of it.
        slowest.ShouldBeLessThan(TimeSpan.FromSeconds(1));
        (await bench.LedgerAsync(30)).ShouldAllBe(row => row.Outcome == AttemptOutcome.ClientClosed && row.Estimated && row.CostMicros > 0);
    }

    [Fact]
    public async Task A_stream_is_in_the_histograms_however_it_ends()
    {
        using (var whole = await bench.ChatAsync(stream: true)) await whole.Content.ReadAsStringAsync(Cancel);
        bench.Provider.Pace = TimeSpan.FromMilliseconds(20);
        using (var leaving = CancellationTokenSource.CreateLinkedTokenSource(Cancel))
        using (var left = await bench.ChatAsync(stream: true, more: ",\"max_tokens\":5000", ct: leaving.Token)) await leaving.CancelAsync();
        bench.Provider.Streams("data: {\"model\":\"gpt-4o-mini\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n");
        using (var cut = await bench.ChatAsync(stream: true)) await cut.Content.ReadAsStringAsync(Cancel);
        await bench.LedgerAsync(3);

        var metrics = await bench.Http.GetStringAsync(new Uri(bench.Gateway, Names.Paths.Metrics), Cancel);
        Sum(metrics, "gen_ai_client_operation_duration_seconds_count").ShouldBe(3);
        Sum(metrics, "gen_ai_server_time_to_first_token_seconds_count").ShouldBe(3);
        Sum(metrics, "gen_ai_client_token_usage_count").ShouldBe(2); // counts of one call, input and output: estimates are not reported as tokens
    }

    [Fact]
    public async Task The_count_in_a_messages_first_event_is_never_taken_for_the_count_at_its_end()
    {
        bench.Provider.Streams(
            "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"claude-haiku-4-5\",\"usage\":{\"input_tokens\":10,\"output_tokens\":1}}}\n\n"
            + "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"forty bytes of text are about ten tokens\"}}\n\n"
            + "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
        using var answer = await bench.MessagesAsync(stream: true);
        await answer.Content.ReadAsStringAsync(Cancel);
        var row = (await bench.LedgerAsync(1)).ShouldHaveSingleItem();
        (row.Outcome, row.Estimated, row.Tokens.Input, row.Tokens.Output).ShouldBe((AttemptOutcome.Completed, true, 10, 10));
    }

    [Fact]
    public async Task Tokens_that_a_message_tells_only_at_its_end_are_billed_though_it_began_with_none()
    {
        bench.Provider.Streams(
            "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"claude-haiku-4-5\",\"usage\":{\"input_tokens\":0,\"output_tokens\":0}}}\n\n"
            + "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"a\"}}\n\n"
            + "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{},\"usage\":{\"input_tokens\":700,\"cache_creation_input_tokens\":300,\"cache_read_input_tokens\":2000,\"output_tokens\":40}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
        using var answer = await bench.MessagesAsync(stream: true);
        await answer.Content.ReadAsStringAsync(Cancel);
        var row = (await bench.LedgerAsync(1)).ShouldHaveSingleItem();
        (row.Tokens, row.Estimated).ShouldBe((new TokenCounts(700, 2000, 300, 0, 40, 0, 0), false));
    }

    [Theory]
    [InlineData("openai", true)]
    [InlineData("openai", false)]
    [InlineData("anthropic", true)]
    [InlineData("anthropic", false)]
    public async Task Tokens_of_a_cache_are_priced_as_such_and_once_streamed_or_not(string format, bool stream)
    {
        const string openAi = "{\"prompt_tokens\":3000,\"completion_tokens\":10,\"total_tokens\":3010,\"prompt_tokens_details\":{\"cached_tokens\":2000}}";
        const string anthropic = "{\"input_tokens\":1000,\"cache_read_input_tokens\":2000,\"cache_creation_input_tokens\":400,\"cache_creation\":{\"ephemeral_5m_input_tokens\":400,\"ephemeral_1h_input_tokens\":0},\"output_tokens\":10}";
        bench.Provider.Fault = async (http, _) =>
        {
            http.Response.ContentType = stream ? "text/event-stream" : "application/json";
            await http.Response.WriteAsync((format, stream) switch
            {
                ("openai", true) => $"data: {{\"model\":\"gpt-4o-mini\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"a\"}}}}]}}\n\ndata: {{\"choices\":[],\"usage\":{openAi}}}\n\ndata: [DONE]\n\n",
                ("openai", false) => $"{{\"model\":\"gpt-4o-mini\",\"choices\":[{{\"index\":0,\"message\":{{\"content\":\"a\"}}}}],\"usage\":{openAi}}}",
                (_, true) => $"event: message_start\ndata: {{\"type\":\"message_start\",\"message\":{{\"model\":\"claude-haiku-4-5\",\"usage\":{anthropic}}}}}\n\nevent: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"delta\":{{\"type\":\"text_delta\",\"text\":\"a\"}}}}\n\nevent: message_delta\ndata: {{\"type\":\"message_delta\",\"delta\":{{}},\"usage\":{anthropic}}}\n\nevent: message_stop\ndata: {{\"type\":\"message_stop\"}}\n\n",
                _ => $"{{\"type\":\"message\",\"model\":\"claude-haiku-4-5\",\"content\":[],\"usage\":{anthropic}}}",
            });
            return true;
        };
        using var answer = format == "openai" ? await bench.ChatAsync(stream) : await bench.MessagesAsync(stream);
        await answer.Content.ReadAsStringAsync(Cancel);
        var row = (await bench.LedgerAsync(1)).ShouldHaveSingleItem();

        // A million of gpt-4o-mini: 0.15, cached 0.075, out 0.60; of claude-haiku-4-5: 1, read 0.10, written 1.25, out 5.
        var expected = format == "openai" ? (1000 * 0.15) + (2000 * 0.075) + (10 * 0.60) : 1000 + (2000 * 0.10) + (400 * 1.25) + (10 * 5);
        (row.Tokens.Input, row.Tokens.CacheRead, row.CostMicros, row.Estimated).ShouldBe((1000, 2000, (long)Math.Round(expected), false));
    }

    [Fact]
    public async Task An_answer_without_a_usage_is_estimated_and_flagged_and_never_free()
    {
        bench.Provider.Fault = async (http, _) =>
        {
            http.Response.ContentType = "application/json";
            await http.Response.WriteAsync(JsonSerializer.Serialize(new { model = "gpt-4o-mini", choices = new[] { new { index = 0, message = new { role = "assistant", content = new string('w', 4000) } } } }));
            return true;
        };
        using var answer = await bench.ChatAsync();
        await answer.Content.ReadAsStringAsync(Cancel);
        var row = (await bench.LedgerAsync(1)).ShouldHaveSingleItem();
        (row.Outcome, row.Estimated).ShouldBe((AttemptOutcome.Completed, true));
        row.Tokens.Output.ShouldBeInRange(1000, 1100);
        row.CostMicros.ShouldBeGreaterThan(600);
    }

    [Fact]
    public async Task Each_call_of_any_kind_is_one_row_and_looking_up_an_answer_is_none()
    {
        foreach (var (path, body) in Kinds)
        {
            using var answer = await bench.SendAsync(path, body);
            answer.StatusCode.ShouldBe(HttpStatusCode.OK, path);
            await answer.Content.ReadAsStringAsync(Cancel);
        }

        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(bench.Gateway, "/openai/v1/responses/resp_1"));
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", GatewayBench.Token());
        using var retrieved = await bench.Http.SendAsync(request, Cancel);
        retrieved.StatusCode.ShouldBe(HttpStatusCode.Forbidden);

        var rows = await bench.LedgerAsync(Kinds.Length);
        rows.Count.ShouldBe(Kinds.Length);
        rows.Select(row => row.OperationId).Distinct().Count().ShouldBe(Kinds.Length);
        bench.Provider.Requests.ShouldBe(Kinds.Length);
        bench.Again.ShouldBe(0);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_provider_that_is_overloaded_is_left_for_another_streamed_or_not_and_the_call_costs_what_the_other_one_asks(bool stream)
    {
        bench.Provider.Fault = async (http, _) =>
        {
            http.Response.StatusCode = 529;
            await http.Response.WriteAsync("{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}");
            return true;
        };
        using var answer = await bench.MessagesAsync(stream);
        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        (await answer.Content.ReadAsStringAsync(Cancel)).ShouldContain("word20");
        var rows = await bench.LedgerAsync(2);
        rows.Select(row => (row.Provider, row.Error, row.CostMicros)).ShouldBe([("first-messages", "overloaded", 0), ("second-messages", null, 3 + (20 * 5))]);
    }

    [Fact]
    public async Task A_provider_that_fails_again_and_again_is_not_in_the_rotation_and_is_back_once_its_time_is_over()
    {
        await using var timed = await TimedAsync();
        timed.Provider.Fault = async (http, _) =>
        {
            http.Response.StatusCode = 503;
            http.Response.Headers.RetryAfter = "600";
            await http.Response.WriteAsync("{}");
            return true;
        };
        for (var call = 0; call < 25; call++)
        {
            using var answer = await timed.ChatAsync();
            answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        }

        timed.Provider.Requests.ShouldBe(1);
        timed.Provider.Fault = null;
        clock.Advance(TimeSpan.FromSeconds(599));
        using (var early = await timed.ChatAsync()) early.StatusCode.ShouldBe(HttpStatusCode.OK);
        timed.Provider.Requests.ShouldBe(1);
        clock.Advance(TimeSpan.FromSeconds(2));
        using (var late = await timed.ChatAsync()) late.StatusCode.ShouldBe(HttpStatusCode.OK);
        timed.Provider.Requests.ShouldBe(2);
    }

    [Fact]
    public async Task Every_path_that_costs_money_is_refused_once_its_budget_is_spent_and_so_is_a_caller_nobody_has_seen_before()
    {
        bench.Budgets = [new ModelBudget("all", BudgetScope.Parse("cluster")!, BudgetPeriod.Day, 0, "USD", Hard: true)];
        await RestartAsync();
        foreach (var (path, body) in Kinds)
        {
            using var answer = await bench.SendAsync(path, body, GatewayBench.Token($"never-seen-{Guid.NewGuid():N}", project: null));
            answer.StatusCode.ShouldBe(HttpStatusCode.TooManyRequests, path);
            answer.Headers.GetValues(Names.Headers.ShouldRetry).ShouldBe(["false"]);
        }

        (bench.Provider.Requests, bench.Second!.Requests).ShouldBe((0, 0));
    }

    [Fact]
    public async Task A_budget_is_said_to_be_used_only_as_far_as_it_is()
    {
        bench.Budgets = [new ModelBudget("fifteen", BudgetScope.Parse("cluster")!, BudgetPeriod.Day, 15_000_000, "USD", Hard: true)];
        await RestartAsync();
        bench.Provider.Fault = async (http, _) =>
        {
            http.Response.ContentType = "application/json";
            await http.Response.WriteAsync("{\"model\":\"gpt-4o-mini\",\"choices\":[],\"usage\":{\"prompt_tokens\":2666667,\"completion_tokens\":0}}"); // 0.40 dollars
            return true;
        };
        using (var answer = await bench.ChatAsync()) answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        await bench.LedgerAsync(1);
        var part = -1.0;
        await Wait.UntilAsync("the budget to be told", async () => (part = Sum(await bench.Http.GetStringAsync(new Uri(bench.Gateway, Names.Paths.Metrics), Cancel), "fabrik_gateway_budget_used_ratio", "fabrik_gateway_budget_used")) >= 0.02); // a call that is under way counts as what it may cost
        part.ShouldBeInRange(0.02, 0.03);
    }

    [Fact]
    public async Task While_the_api_is_away_valid_keys_are_never_said_to_be_wrong_and_no_pod_is_taken_out()
    {
        bench.Budgets = [new ModelBudget("hard", BudgetScope.Parse("project/search")!, BudgetPeriod.Day, 1_000_000, "USD", Hard: true)];
        var (secret, kept) = VirtualKey.Create("other", null, TimeProvider.System.GetUtcNow(), null);
        bench.Write("virtual-keys.json", JsonSerializer.Serialize(new List<VirtualKey> { kept }, GatewayJson.Default.ListVirtualKey));
        await RestartAsync();
        using (var first = await bench.ChatAsync()) first.StatusCode.ShouldBe(HttpStatusCode.OK);
        foreach (var code in new[] { HttpStatusCode.InternalServerError, HttpStatusCode.ServiceUnavailable, HttpStatusCode.Unauthorized, HttpStatusCode.BadGateway })
        {
            bench.ApiFails = code;
            foreach (var token in new[] { GatewayBench.Token(), GatewayBench.Token("run-2"), GatewayBench.Token("run-3", "other"), secret })
                foreach (var (path, body) in Kinds)
                {
                    using var answer = await bench.SendAsync(path, body, token);
                    answer.StatusCode.ShouldBe(HttpStatusCode.OK, $"{code} {path}");
                    await answer.Content.ReadAsStringAsync(Cancel);
                }

            foreach (var probe in new[] { Names.Paths.Ready, Names.Paths.Live })
            {
                using var ready = await bench.Http.GetAsync(new Uri(bench.Gateway, probe), Cancel);
                ready.StatusCode.ShouldBe(HttpStatusCode.OK, probe);
            }
        }

        // It is found again without a restart.
        bench.ApiFails = null;
        (await bench.LedgerAsync(1 + (4 * 4 * Kinds.Length))).Count.ShouldBe(1 + (4 * 4 * Kinds.Length));
    }

    [Fact]
    public async Task A_malformed_line_in_the_middle_costs_neither_the_rest_of_the_answer_nor_its_bill()
    {
        bench.Provider.Streams("data: {\"model\":\"gpt-4o-mini\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\ndata: {\"choices\":[{\"ind\n\n: a comment\n\nnot a field at all\n\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"b\"}}]}\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":11,\"completion_tokens\":22}}\n\ndata: [DONE]\n\n");
        using var answer = await bench.ChatAsync(stream: true);
        (await answer.Content.ReadAsStringAsync(Cancel)).ShouldBe("data: {\"model\":\"gpt-4o-mini\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\ndata: {\"choices\":[{\"ind\n\n: a comment\n\nnot a field at all\n\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"b\"}}]}\n\ndata: [DONE]\n\n");
        var row = (await bench.LedgerAsync(1)).ShouldHaveSingleItem();
        (row.Outcome, row.Tokens.Input, row.Tokens.Output, row.Estimated).ShouldBe((AttemptOutcome.Completed, 11, 22, false));
    }

    [Fact]
    public async Task A_provider_that_refuses_to_tell_usage_serves_streams_all_the_same_and_is_not_asked_for_it_again()
    {
        var bodies = new List<string>();
        bench.Provider.Fault = async (http, body) =>
        {
            lock (bodies) bodies.Add(Encoding.UTF8.GetString(body));
            if (body.AsSpan().IndexOf("stream_options"u8) < 0) return false;
            http.Response.StatusCode = 400;
            await http.Response.WriteAsync("{\"error\":{\"message\":\"Unrecognized request argument supplied: stream_options\",\"type\":\"invalid_request_error\",\"param\":null,\"code\":null}}");
            return true;
        };
        const string sent = "{\"model\":\"gpt-4o-mini\",\"messages\":[],\"stream\":true}";
        for (var call = 0; call < 3; call++)
        {
            using var answer = await bench.SendAsync("/openai/v1/chat/completions", sent);
            (await answer.Content.ReadAsStringAsync(Cancel)).ShouldEndWith("data: [DONE]\n\n");
        }

        bodies[0].ShouldContain("include_usage");
        bodies[1..].ShouldBe([sent, sent, sent]);
        bench.Second!.Requests.ShouldBe(0);
        (await bench.LedgerAsync(4)).Select(row => (row.Outcome, row.Error, row.Estimated)).ShouldBe(
            [(AttemptOutcome.Rejected, "usage_refused", false), (AttemptOutcome.Completed, null, true), (AttemptOutcome.Completed, null, true), (AttemptOutcome.Completed, null, true)]);

        // Who asks for it is told what the provider says.
        using var asked = await bench.ChatAsync(stream: true, more: ",\"stream_options\":{\"include_usage\":true}");
        asked.StatusCode.ShouldBe(HttpStatusCode.BadRequest);
    }

    [Theory]
    [InlineData("gzip, br")]
    [InlineData("zstd")]
    [InlineData("gzip")]
    public async Task An_answer_in_an_encoding_that_cannot_be_read_is_left_for_another_provider(string encoding)
    {
        bench.Provider.Fault = async (http, _) =>
        {
            http.Response.ContentType = "application/json";
            http.Response.Headers.ContentEncoding = encoding;
            await http.Response.WriteAsync("this is neither of them");
            return true;
        };
        using var answer = await bench.ChatAsync();
        (await answer.Content.ReadAsStringAsync(Cancel)).ShouldContain("word20");
        (await bench.LedgerAsync(2)).Select(row => (row.Outcome, row.Error, row.Estimated)).ShouldBe([(AttemptOutcome.Failed, "broken_answer", true), (AttemptOutcome.Completed, null, false)]);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_compressed_stream_that_is_damaged_in_the_middle_ends_with_an_error(bool stream)
    {
        var begun = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        bench.Provider.Fault = async (http, _) =>
        {
            http.Response.ContentType = stream ? "text/event-stream" : "application/json";
            http.Response.Headers.ContentEncoding = "gzip";
            var plain = stream ? Encoding.UTF8.GetBytes("data: {\"model\":\"gpt-4o-mini\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n") : Encoding.UTF8.GetBytes(new string(' ', 2 << 20));
            await using (var zip = new System.IO.Compression.GZipStream(http.Response.Body, System.IO.Compression.CompressionLevel.NoCompression, leaveOpen: true))
            {
                await zip.WriteAsync(plain);
                await zip.FlushAsync();
                await http.Response.Body.FlushAsync();
                await begun.Task.WaitAsync(TimeSpan.FromSeconds(30), TimeProvider.System, http.RequestAborted);
                await http.Response.Body.WriteAsync(Enumerable.Repeat((byte)0xff, 4096).ToArray());
                await http.Response.Body.FlushAsync();
            }

            return true;
        };
        using var answer = await bench.ChatAsync(stream);
        begun.SetResult();
        if (stream) (await answer.Content.ReadAsStringAsync(Cancel)).ShouldContain("provider_cut");
        else await Should.ThrowAsync<Exception>(answer.Content.ReadAsStringAsync(Cancel)); // half a document must not look whole
        var row = (await bench.LedgerAsync(1)).ShouldHaveSingleItem();
        (row.Outcome, row.Error, row.Estimated).ShouldBe((AttemptOutcome.Interrupted, "cut", true));
    }

    private static (string Path, string Body)[] Kinds { get; } =
    [
        ("/openai/v1/chat/completions", """{"model":"gpt-4o-mini","max_tokens":5,"messages":[]}"""),
        ("/openai/v1/chat/completions", """{"model":"gpt-4o-mini","max_tokens":5,"messages":[],"stream":true}"""),
        ("/openai/v1/responses", """{"model":"gpt-4o-mini","max_output_tokens":5,"input":"say some words"}"""),
        ("/openai/v1/responses", """{"model":"gpt-4o-mini","max_output_tokens":5,"input":"say some words","stream":true}"""),
        ("/openai/v1/embeddings", """{"model":"text-embedding-3-small","input":"two words"}"""),
        ("/anthropic/v1/messages", """{"model":"claude-haiku-4-5","max_tokens":5,"messages":[]}"""),
        ("/anthropic/v1/messages", """{"model":"claude-haiku-4-5","max_tokens":5,"messages":[],"stream":true}"""),
    ];

    private async Task<GatewayBench> TimedAsync()
    {
        clock = new TestClock(TimeProvider.System.GetUtcNow());
        return await GatewayBench.StartAsync(two: true, clock: clock);
    }

    private async Task RestartAsync()
    {
        await bench.StopGatewayAsync();
        await bench.StartGatewayAsync();
    }

    /// <summary>Of all series of one name.</summary>
    private static double Sum(string metrics, params string[] names) => metrics.Split('\n').Where(line => names.Any(name => line.StartsWith(name + "{", StringComparison.Ordinal) || line.StartsWith(name + " ", StringComparison.Ordinal)))
        .Sum(line => double.Parse(line[(line.LastIndexOf(' ') + 1)..], CultureInfo.InvariantCulture));
}
