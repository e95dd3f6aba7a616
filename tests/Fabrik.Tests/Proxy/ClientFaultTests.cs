using System.Net.Sockets;
using System.Text;
using Fabrik.Gateway;
using Microsoft.AspNetCore.Http;

namespace Fabrik.Tests.Proxy;

/// <summary>Clients that break the rules of HTTP, or stand still, over plain sockets.</summary>
public sealed class ClientFaultTests : IAsyncLifetime
{
    private const string Body = """{"model":"gpt-4o-mini","messages":[{"role":"user","content":"say some words"}]}""";
    private GatewayBench bench = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => bench = await GatewayBench.StartAsync(limits: """{"idleSeconds":2,"requestBytes":100000}""");

    public async ValueTask DisposeAsync() => await bench.DisposeAsync();

    [Fact]
    public async Task A_client_that_sends_half_a_body_and_closes_costs_nothing_and_disturbs_nobody()
    {
        for (var half = 0; half < Body.Length; half += 10)
        {
            using var client = await ConnectAsync();
            await SendAsync(client, Head($"Content-Length: {Body.Length}") + Body[..half]);
        }

        using (var chunked = await ConnectAsync()) await SendAsync(chunked, Head("Transfer-Encoding: chunked") + $"{Body.Length:x}\r\n{Body[..20]}");
        await NobodyWasAskedAsync();
    }

    [Fact]
    public async Task A_body_that_is_shorter_than_its_length_says_is_refused_in_words_once_it_stands_still_and_so_are_headers_that_never_end()
    {
        using var client = await ConnectAsync();
        using var headers = await ConnectAsync();
        await SendAsync(headers, "POST /openai/v1/chat/completions HTTP/1.1\r\nHost: gateway\r\nX-Slow: ");
        await SendAsync(client, Head($"Content-Length: {Body.Length + 10}") + Body);
        var answer = await ReadAsync(client);
        answer.ShouldStartWith("HTTP/1.1 408 ");
        answer.ShouldContain("\"code\":\"request_too_slow\"");
        (await ReadAsync(headers)).ShouldStartWith("HTTP/1.1 408 ");
        await NobodyWasAskedAsync();
    }

    [Fact]
    public async Task A_body_that_is_longer_than_its_length_says_is_refused_and_its_rest_is_no_call()
    {
        using var client = await ConnectAsync();
        await SendAsync(client, Head($"Content-Length: {Body.Length - 10}") + Body + "\r\n\r\n");
        var answer = await ReadAsync(client);
        answer.ShouldStartWith("HTTP/1.1 400 ");
        answer.ShouldContain("\"code\":\"malformed_request\"");
        answer.LastIndexOf("HTTP/1.1 ", StringComparison.Ordinal).ShouldBeGreaterThan(0);
        answer[answer.LastIndexOf("HTTP/1.1 ", StringComparison.Ordinal)..].ShouldStartWith("HTTP/1.1 400 ");
        await NobodyWasAskedAsync();
    }

    [Theory]
    [InlineData("Content-Length: 81\r\nContent-Length: 5")]
    [InlineData("Content-Length: -1")]
    [InlineData("Content-Length: 99999999999999999999")]
    [InlineData("Transfer-Encoding: gzip, chunked, gzip")]
    public async Task A_length_that_means_two_things_or_none_is_refused(string lengths)
    {
        using var client = await ConnectAsync();
        await SendAsync(client, Head(lengths) + Body);
        (await ReadAsync(client)).ShouldStartWith("HTTP/1.1 400 ");
        await NobodyWasAskedAsync();
    }

    [Fact]
    public async Task A_body_in_chunks_is_a_body_and_one_with_a_broken_chunk_or_too_many_is_refused_in_words()
    {
        using (var client = await ConnectAsync())
        {
            await SendAsync(client, Head("Transfer-Encoding: chunked", "Connection: close") + string.Concat(Body.Select(one => $"1;x=y\r\n{one}\r\n")) + "0\r\n\r\n");
            (await ReadAsync(client)).ShouldContain("word20");
        }

        using (var client = await ConnectAsync())
        {
            await SendAsync(client, Head("Transfer-Encoding: chunked") + "zz\r\n" + Body);
            var answer = await ReadAsync(client);
            answer.ShouldStartWith("HTTP/1.1 400 ");
            answer.ShouldContain("\"code\":\"request_cut\"");
        }

        using (var client = await ConnectAsync())
        {
            var chunk = "4000\r\n" + new string(' ', 0x4000) + "\r\n";
            await SendAsync(client, Head("Transfer-Encoding: chunked", "Connection: close") + string.Concat(Enumerable.Repeat(chunk, 10)) + "0\r\n\r\n");
            (await ReadAsync(client)).ShouldContain("\"code\":\"request_too_large\"");
        }

        bench.Provider.Requests.ShouldBe(1);
    }

    [Fact]
    public async Task Calls_that_are_sent_without_waiting_for_answers_are_answered_in_their_order()
    {
        using var client = await ConnectAsync();
        var calls = Enumerable.Range(1, 5).Select(words => Body.Replace("\"messages\"", $"\"max_tokens\":{words},\"messages\"", StringComparison.Ordinal)).Select((body, at) => Head($"Content-Length: {body.Length}", at == 4 ? "Connection: close" : "X-Nothing: 1") + body);
        await SendAsync(client, string.Concat(calls));
        var answers = (await ReadAsync(client)).Split("HTTP/1.1 ")[1..];
        answers.Length.ShouldBe(5);
        for (var words = 1; words <= 5; words++) (answers[words - 1][..3], answers[words - 1].Contains($"\"completion_tokens\":{words},", StringComparison.Ordinal)).ShouldBe(("200", true));
    }

    [Fact]
    public async Task Headers_without_end_are_refused_before_anybody_is_asked()
    {
        foreach (var bomb in new[] { "X-Bomb: " + new string('x', 1 << 20), string.Join("\r\n", Enumerable.Range(0, 5000).Select(number => $"X-{number}: 1")) })
        {
            using var client = await ConnectAsync();
            await SendAsync(client, Head("Content-Length: 2", bomb) + "{}");
            (await ReadAsync(client)).ShouldStartWith("HTTP/1.1 431 ");
        }

        using var line = await ConnectAsync();
        await SendAsync(line, $"POST /openai/v1/{new string('x', 100_000)} HTTP/1.1\r\nHost: gateway\r\n\r\n");
        (await ReadAsync(line)).ShouldStartWith("HTTP/1.1 414 ");
        await NobodyWasAskedAsync();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_client_that_takes_nothing_holds_neither_the_providers_work_nor_the_gateways_memory(bool stream)
    {
        var gone = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        bench.Provider.Fault = async (http, _) =>
        {
            http.Response.ContentType = stream ? "text/event-stream" : "application/json";
            var piece = stream ? Encoding.UTF8.GetBytes($"data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{new string('w', 16_000)}\"}}}}]}}\n\n") : Encoding.UTF8.GetBytes(new string(' ', 16_000));
            http.RequestAborted.Register(() => gone.TrySetResult());
            while (!http.RequestAborted.IsCancellationRequested) await http.Response.Body.WriteAsync(piece, http.RequestAborted);
            return true;
        };
        using var client = await ConnectAsync();
        client.ReceiveBufferSize = 1 << 20; // else the system lets it grow, on some machines to 32 MiB, which the gateway would have to count too
        var body = stream ? Body.Replace("{\"model\"", "{\"stream\":true,\"model\"", StringComparison.Ordinal) : Body;
        await SendAsync(client, Head($"Content-Length: {body.Length}") + body);

        // It reads the beginning, fast, and then nothing: what it took already must not buy it hours.
        var buffer = new byte[1 << 16];
        for (var took = 0; took < 20 << 20;) took += await client.GetStream().ReadAsync(buffer, Cancel);
        await gone.Task.WaitAsync(TimeSpan.FromSeconds(30), TimeProvider.System, Cancel);
        var row = (await bench.LedgerAsync(1)).ShouldHaveSingleItem();
        (row.Outcome, row.Estimated).ShouldBe((AttemptOutcome.ClientClosed, true));
        // Four bytes a token: what the gateway has read is what the client took, and what the sockets between them hold.
        row.Tokens.Output.ShouldBeInRange(20 << 18, 48 << 18);
    }

    [Fact]
    public async Task A_client_that_reads_slowly_gets_everything()
    {
        var text = new string('w', 20 << 20);
        bench.Provider.Fault = async (http, _) =>
        {
            http.Response.ContentType = "text/event-stream";
            await http.Response.WriteAsync($"data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text[..1000]}\"}}}}]}}\n\n");
            for (var sent = 0; sent < text.Length; sent += 1 << 16) await http.Response.WriteAsync($"data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text[..(1 << 16)]}\"}}}}]}}\n\n");
            await http.Response.WriteAsync("data: [DONE]\n\n");
            return true;
        };
        using var client = await ConnectAsync();
        var body = Body.Replace("{\"model\"", "{\"stream\":true,\"model\"", StringComparison.Ordinal);
        await SendAsync(client, Head($"Content-Length: {body.Length}", "Connection: close") + body);
        var (buffer, took, last) = (new byte[1 << 20], 0L, "");
        for (int read; (read = await client.GetStream().ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, Cancel)) > 0; took += read)
        {
            last = Encoding.UTF8.GetString(buffer, Math.Max(0, read - 64), Math.Min(64, read));
            await Task.Delay(TimeSpan.FromMilliseconds(300), TimeProvider.System, Cancel); // 20 times: longer together than the gateway waits for a client that takes nothing
        }

        took.ShouldBeGreaterThan(text.Length);
        last.ShouldContain("data: [DONE]");
    }

    [Fact]
    public async Task A_model_that_thinks_for_longer_than_a_slow_client_may_is_waited_for()
    {
        // Six seconds: beyond the server's own five for clients, within what the provider is given.
        await using var patient = await GatewayBench.StartAsync(limits: """{"idleSeconds":20}""");
        patient.Provider.Fault = async (http, _) =>
        {
            http.Response.ContentType = "text/event-stream";
            await http.Response.WriteAsync("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hm\"}}]}\n\n");
            await http.Response.Body.FlushAsync();
            await Task.Delay(TimeSpan.FromSeconds(6), TimeProvider.System, http.RequestAborted);
            await http.Response.WriteAsync("data: [DONE]\n\n");
            return true;
        };
        using var answer = await patient.ChatAsync(stream: true);
        (await answer.Content.ReadAsStringAsync(Cancel)).ShouldEndWith("data: [DONE]\n\n");
    }

    private static string Head(params string[] headers) => $"POST /openai/v1/chat/completions HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer {GatewayBench.Token()}\r\nContent-Type: application/json\r\n{string.Join("\r\n", headers)}\r\n\r\n";

    private static async Task SendAsync(TcpClient client, string text)
    {
        try
        {
            await client.GetStream().WriteAsync(Encoding.UTF8.GetBytes(text), Cancel);
        }
        catch (IOException)
        {
            // It has answered and closed before it was told everything.
        }
    }

    /// <summary>All until the gateway closes.</summary>
    private static async Task<string> ReadAsync(TcpClient client)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        patience.CancelAfter(TimeSpan.FromSeconds(30));
        var (all, buffer) = (new StringBuilder(), new byte[8192]);
        try
        {
            for (int read; (read = await client.GetStream().ReadAsync(buffer, patience.Token)) > 0;) all.Append(Encoding.UTF8.GetString(buffer, 0, read));
        }
        catch (IOException)
        {
            // Closed with a reset, as it had not read everything.
        }

        return all.ToString();
    }

    private async Task<TcpClient> ConnectAsync()
    {
        var client = new TcpClient();
        await client.ConnectAsync(bench.Gateway.Host, bench.Gateway.Port, Cancel);
        return client;
    }

    private async Task NobodyWasAskedAsync()
    {
        bench.Provider.Requests.ShouldBe(0);
        using var answer = await bench.ChatAsync();
        (await answer.Content.ReadAsStringAsync(Cancel)).ShouldContain("word20");
        (await bench.LedgerAsync(1)).Count.ShouldBe(1);
    }
}
