using System.Net;
using System.Text;
using Fabrik.Gateway;
using Fabrik.Sandbox.Models;
using Microsoft.AspNetCore.Http;

namespace Fabrik.Tests.Proxy;

/// <summary>A stream ends badly after each of its events and within each of them, in every way that there is.</summary>
public sealed class EventBoundaryTests
{
    /// <summary>Cases at once: most of a case's time is the gateway's own patience.</summary>
    private const int AtOnce = 12;
    private const string Limits = """{"firstByteSeconds":0.5,"idleSeconds":0.5}""";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static TheoryData<string, string> Ends => new(
        from api in new[] { "chat", "chat without asking for usage", "responses", "messages" }
        from end in new[] { "reset", "ended", "stalled" }
        select (api, end));

    public static TheoryData<string> Apis => new("chat", "chat without asking for usage", "responses", "messages");

    [Theory]
    [MemberData(nameof(Ends))]
    public async Task A_stream_that_breaks_after_any_event_or_within_it_is_whole_from_another_provider_or_ends_with_an_error_after_whole_events(string name, string end)
    {
        var api = Api.Of(name);
        var cases = Enumerable.Range(0, api.Events.Count).SelectMany(events => new[] { (Events: events, Half: false), (Events: events, Half: true) }).Append((api.Events.Count, false));
        await Parallel.ForEachAsync(cases, new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = Cancel }, async (one, _) =>
        {
            var (events, half) = one;
            var what = $"{name} {end} after {events} events{(half ? " and a half" : "")}";
            await using var bench = await GatewayBench.StartAsync(two: true, limits: Limits);
            bench.Provider.Fault = async (http, _) =>
            {
                http.Response.ContentType = "text/event-stream";
                var text = string.Concat(api.Events.Take(events)) + (half ? api.Events[events][..(api.Events[events].Length / 2)] : "");
                await http.Response.WriteAsync(text, http.RequestAborted);
                await http.Response.Body.FlushAsync(http.RequestAborted);
                if (end == "reset") await ResetAsync(http);
                if (end == "stalled") await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, http.RequestAborted);
                return true;
            };
            using var answer = await bench.SendAsync(api.Path, api.Body);
            answer.StatusCode.ShouldBe(HttpStatusCode.OK, what);
            var text = await answer.Content.ReadAsStringAsync(Cancel);
            if (events <= api.Content)
            {
                text.ShouldBe(string.Concat(api.Seen), what);
                var rows = await bench.LedgerAsync(2);
                rows.Select(row => (row.Provider[..5], row.Outcome, row.Estimated)).ShouldBe([("first", AttemptOutcome.Failed, true), ("secon", AttemptOutcome.Completed, false)], what);
                rows[0].OperationId.ShouldBe(rows[1].OperationId, what);
                return;
            }

            var row = (await bench.LedgerAsync(1)).ShouldHaveSingleItem(what);
            if (events == api.Events.Count)
            {
                (text, row.Outcome, row.Estimated, row.Tokens.Output).ShouldBe((string.Concat(api.Seen), AttemptOutcome.Completed, false, 3), what);
                return;
            }

            text.ShouldBe(string.Concat(api.Seen.Take(events)) + api.Error(end == "stalled" ? "provider_stalled" : "provider_cut", text), what);
            (row.Outcome, row.Error, row.Estimated).ShouldBe((AttemptOutcome.Interrupted, end == "stalled" ? "stalled" : "cut", !api.IsCounted(events)), what);
            bench.Second!.Requests.ShouldBe(0, what);
        });
    }

    [Theory]
    [MemberData(nameof(Apis))]
    public async Task An_error_event_after_200_is_no_answer_before_any_content_and_is_passed_on_as_it_is_after_it(string name)
    {
        var api = Api.Of(name);
        await Parallel.ForEachAsync(Enumerable.Range(0, api.Events.Count + 1), new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = Cancel }, async (events, _) =>
        {
            var what = $"{name} error after {events} events";
            await using var bench = await GatewayBench.StartAsync(two: true, limits: Limits);
            bench.Provider.Streams(string.Concat(api.Events.Take(events)) + api.Overloaded);
            using var answer = await bench.SendAsync(api.Path, api.Body);
            var text = await answer.Content.ReadAsStringAsync(Cancel);
            if (events <= api.Content)
            {
                text.ShouldBe(string.Concat(api.Seen), what);
                (await bench.LedgerAsync(2)).Select(row => (row.Provider[..5], row.Outcome, row.CostMicros > 0)).ShouldBe([("first", AttemptOutcome.Failed, false), ("secon", AttemptOutcome.Completed, true)], what);
                return;
            }

            text.ShouldBe(string.Concat(api.Seen.Take(events)) + api.Overloaded, what);
            var row = (await bench.LedgerAsync(1)).ShouldHaveSingleItem(what);
            var isWhole = events == api.Events.Count;
            (row.Outcome, row.Error, row.Estimated).ShouldBe((isWhole ? AttemptOutcome.Completed : AttemptOutcome.Interrupted, isWhole ? null : "overloaded_error", !api.IsCounted(events)), what);
        });
    }

    [Theory]
    [MemberData(nameof(Apis))]
    public async Task A_client_that_hangs_up_after_any_event_ends_the_providers_work_and_is_billed_what_passed(string name)
    {
        var api = Api.Of(name);
        await using var bench = await GatewayBench.StartAsync();
        for (var events = 0; events <= api.Events.Count; events++)
        {
            var what = $"{name} left after {events} events";
            var (sent, gone) = (new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously), new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
            var sends = events;
            bench.Provider.Fault = async (http, _) =>
            {
                http.Response.ContentType = "text/event-stream";
                await http.Response.WriteAsync(string.Concat(api.Events.Take(sends)), http.RequestAborted);
                await http.Response.Body.FlushAsync(http.RequestAborted);
                sent.SetResult();
                await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, http.RequestAborted).ContinueWith(_ => gone.SetResult(), TaskScheduler.Default);
                return true;
            };
            using (var leaving = CancellationTokenSource.CreateLinkedTokenSource(Cancel))
            {
                var asking = bench.SendAsync(api.Path, api.Body, GatewayBench.Token($"run-{events:D2}"), leaving.Token);
                await sent.Task.WaitAsync(TimeSpan.FromSeconds(10), TimeProvider.System, Cancel);
                if (events > api.Content)
                {
                    using var answer = await asking;
                    var (stream, expected, buffer) = (await answer.Content.ReadAsStreamAsync(leaving.Token), string.Concat(api.Seen.Take(events)), new byte[8192]);
                    var text = "";
                    while (text.Length < expected.Length) text += Encoding.UTF8.GetString(buffer, 0, await stream.ReadAsync(buffer, leaving.Token));
                    text.ShouldBe(expected, what);
                }

                await leaving.CancelAsync();
                if (events <= api.Content) await Should.ThrowAsync<OperationCanceledException>(asking);
            }

            await gone.Task.WaitAsync(TimeSpan.FromSeconds(5), TimeProvider.System, Cancel);
        }

        foreach (var row in await bench.LedgerAsync(api.Events.Count + 1))
        {
            var events = int.Parse(row.RunId!["run-".Length..], System.Globalization.CultureInfo.InvariantCulture);
            var what = $"{name} left after {events} events";
            var isWhole = events == api.Events.Count;
            (row.Outcome, row.Estimated).ShouldBe((isWhole ? AttemptOutcome.Completed : AttemptOutcome.ClientClosed, !api.IsCounted(events)), what);
            if (events > api.Content) row.Tokens.Output.ShouldBeInRange(1, 6, what);
            // Anthropic tells the input first, so it is exact whenever the client leaves.
            if (name == "messages" && events > api.Content) row.Tokens.Input.ShouldBe(3, what);
        }
    }

    [Theory]
    [MemberData(nameof(Apis))]
    public async Task A_stream_that_comes_in_two_pieces_split_at_any_byte_is_passed_on_as_it_is(string name)
    {
        var api = Api.Of(name);
        var bytes = Encoding.UTF8.GetBytes(string.Concat(api.Events).Replace("word2", "wörd2", StringComparison.Ordinal));
        var expected = string.Concat(api.Seen).Replace("word2", "wörd2", StringComparison.Ordinal);
        await using var bench = await GatewayBench.StartAsync();
        bench.Provider.Fault = async (http, _) =>
        {
            var at = int.Parse(http.Request.Headers[FakeProvider.RequestIdHeader].ToString(), System.Globalization.CultureInfo.InvariantCulture);
            http.Response.ContentType = "text/event-stream";
            await http.Response.Body.WriteAsync(bytes.AsMemory(0, at));
            await http.Response.Body.FlushAsync();
            await http.Response.Body.WriteAsync(bytes.AsMemory(at));
            return true;
        };
        await Parallel.ForEachAsync(Enumerable.Range(0, bytes.Length + 1), new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = Cancel }, async (at, ct) =>
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(bench.Gateway, api.Path)) { Content = new StringContent(api.Body, Encoding.UTF8, "application/json") };
            request.Headers.Authorization = new("Bearer", GatewayBench.Token());
            request.Headers.Add(FakeProvider.RequestIdHeader, $"{at}");
            using var answer = await bench.Http.SendAsync(request, ct);
            (await answer.Content.ReadAsStringAsync(ct)).ShouldBe(expected, $"{name} split at {at}");
        });

        (await bench.LedgerAsync(bytes.Length + 1)).ShouldAllBe(row => row.Outcome == AttemptOutcome.Completed && !row.Estimated && row.Tokens.Output == 3);
    }

    /// <summary>What has been written must have gone out: a reset takes along what has not.</summary>
    private static async Task ResetAsync(HttpContext http)
    {
        await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, http.RequestAborted);
        http.Abort();
    }

    /// <param name="Events">As the provider sends them.</param>
    /// <param name="Seen">Each as the client gets it.</param>
    /// <param name="Content">How many come before the first with content.</param>
    /// <param name="Overloaded">An error event.</param>
    private sealed record Api(string Name, string Path, string Body, IReadOnlyList<string> Events, IReadOnlyList<string> Seen, int Content, string Overloaded)
    {
        private const string Error200 = "{\"error\":{\"message\":\"Overloaded\",\"type\":\"overloaded_error\",\"param\":null,\"code\":null}}";

        /// <summary>Whether the provider had told the whole usage among its first events.</summary>
        public bool IsCounted(int events) => events >= Events.Count - (Name.StartsWith("chat", StringComparison.Ordinal) ? 1 : 0);

        /// <summary>The gateway's own event, whatever its words.</summary>
        public string Error(string code, string text)
        {
            var at = text.LastIndexOf(Name == "messages" ? "event: error\n" : "data: ", StringComparison.Ordinal);
            var error = at < 0 ? "" : text[at..];
            error.ShouldContain(code);
            error.ShouldEndWith("}\n\n");
            error.ShouldStartWith(Name == "messages" ? "event: error\ndata: {\"type\":\"error\",\"error\":{" : "data: {\"error\":{");
            return error;
        }

        public static Api Of(string name)
        {
            Asked Call(bool usage) => new(null, "k", name == "messages" ? "claude-haiku-4-5" : "gpt-4o-mini", 3, 3, true, usage);
            static string[] Texts(IEnumerable<(string Event, long Output)> events) => [.. events.Select(one => one.Event)];
            switch (name)
            {
                case "chat":
                    var chat = Texts(ChatText.Events(Call(true)));
                    return new Api(name, "/openai/v1/chat/completions", "{\"model\":\"gpt-4o-mini\",\"max_tokens\":3,\"messages\":[{\"role\":\"user\",\"content\":\"say some words\"}],\"stream\":true,\"stream_options\":{\"include_usage\":true}}", chat, chat, 1, $"data: {Error200}\n\n");
                case "responses":
                    var responses = Texts(ResponsesText.Events(Call(true)));
                    return new Api(name, "/openai/v1/responses", "{\"model\":\"gpt-4o-mini\",\"max_output_tokens\":3,\"input\":\"say some words\",\"stream\":true}", responses, responses, 3, "event: error\ndata: {\"type\":\"error\",\"code\":\"overloaded_error\",\"message\":\"Overloaded\",\"param\":null}\n\n");
                case "messages":
                    var messages = Texts(AnthropicText.Events(Call(true)));
                    return new Api(name, "/anthropic/v1/messages", "{\"model\":\"claude-haiku-4-5\",\"max_tokens\":3,\"messages\":[{\"role\":\"user\",\"content\":\"say some words\"}],\"stream\":true}", messages, messages, 3, "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n");
                default:
                    var seen = Texts(ChatText.Events(Call(false)));
                    return new Api(name, "/openai/v1/chat/completions", "{\"model\":\"gpt-4o-mini\",\"max_tokens\":3,\"messages\":[{\"role\":\"user\",\"content\":\"say some words\"}],\"stream\":true}", Texts(ChatText.Events(Call(true))), [.. seen[..^1], "", seen[^1]], 1, $"data: {Error200}\n\n");
            }
        }
    }
}
