using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Fabrik.Sandbox.Models;

/// <summary>One line of the provider's own bill.</summary>
/// <param name="Key">The key that was presented.</param>
/// <param name="Output">Tokens that were generated, whether anybody read them or not.</param>
/// <param name="RequestId">As the caller named the request; null where it did not.</param>
public sealed record Billed(string Key, string Model, long Input, long CacheRead, long Output, bool IsWhole, string? RequestId = null);

/// <summary>
/// A provider of models that has none: it answers in OpenAI's and Anthropic's wire formats, streamed or not, and keeps its own bill, with
/// which the gateway's ledger can be compared. A token is a word.
/// </summary>
public sealed class FakeProvider : IAsyncDisposable
{
    /// <summary>As OpenAI has it for a name that the caller gives its request.</summary>
    public const string RequestIdHeader = "X-Client-Request-Id";

    private const int DefaultWords = 20;
    private readonly WebApplication app;
    private readonly ConcurrentQueue<Billed> bill = new();

    private FakeProvider(WebApplication app) => this.app = app;

    public Uri Address { get; private set; } = null!;

    public IReadOnlyCollection<Billed> Bill => bill;

    /// <summary>Requests so far, whatever became of them.</summary>
    public int Requests => requests;

    private int requests;

    /// <summary>Waits between two words of a stream.</summary>
    public TimeSpan Pace { get; set; }

    /// <summary>Plays a fault: true where it has answered in the provider's place.</summary>
    public Func<HttpContext, byte[], Task<bool>>? Fault { get; set; }

    /// <param name="certificate">With it TLS is spoken, and HTTP/2 with whoever can; null: plain HTTP/1.1.</param>
    public static async Task<FakeProvider> StartAsync(CancellationToken ct, X509Certificate2? certificate = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(IPAddress.Loopback, 0, listen =>
            {
                if (certificate is not null) listen.UseHttps(certificate);
            });
            kestrel.Limits.MaxRequestBodySize = 64 << 20;
        });
        var server = builder.Build();
        var provider = new FakeProvider(server);
        server.Run(provider.HandleAsync);
        await server.StartAsync(ct);
        provider.Address = new Uri(server.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First());
        return provider;
    }

    public async ValueTask DisposeAsync()
    {
        await app.StopAsync();
        await app.DisposeAsync();
    }

    private async Task HandleAsync(HttpContext http)
    {
        Interlocked.Increment(ref requests);
        var body = new MemoryStream();
        await http.Request.Body.CopyToAsync(body, http.RequestAborted);
        if (Fault is { } fault && await fault(http, body.ToArray())) return;
        var key = http.Request.Headers.TryGetValue("x-api-key", out var own) ? own.ToString() : http.Request.Headers.Authorization.ToString().Replace("Bearer ", "", StringComparison.Ordinal);
        http.Response.Headers["openai-organization"] = "org-of-the-account";
        http.Response.Headers["request-id"] = $"req_{requests}";
        http.Response.ContentType = "application/json";
        if (http.Request.Path.Value!.EndsWith("/models", StringComparison.Ordinal))
        {
            await http.Response.WriteAsync("""{"object":"list","data":[{"id":"gpt-4o-mini","object":"model"}]}""");
            return;
        }

        var request = JsonNode.Parse(body.ToArray())!.AsObject();
        var id = http.Request.Headers.TryGetValue(RequestIdHeader, out var named) ? named.ToString() : null;
        var call = new Asked(id, key, (string)request["model"]!, Words(request), Most(request), (bool?)request["stream"] ?? false, (bool?)request["stream_options"]?["include_usage"] ?? false);
        var path = http.Request.Path.Value!;
        if (path.EndsWith("/embeddings", StringComparison.Ordinal)) await EmbedAsync(http, call);
        else if (path.EndsWith("/count_tokens", StringComparison.Ordinal)) await http.Response.WriteAsync($$"""{"input_tokens":{{call.Input}}}""");
        else if (path.EndsWith("/messages", StringComparison.Ordinal)) await AnswerAsync(http, call, AnthropicText.Whole, AnthropicText.Events);
        else if (path.EndsWith("/responses", StringComparison.Ordinal)) await AnswerAsync(http, call, ResponsesText.Whole, ResponsesText.Events);
        else await AnswerAsync(http, call, ChatText.Whole, ChatText.Events);
    }

    private async Task EmbedAsync(HttpContext http, Asked call)
    {
        bill.Enqueue(new Billed(call.Key, call.Model, call.Input, 0, 0, true, call.RequestId));
        http.Response.ContentType = "application/json";
        await http.Response.WriteAsync($$$"""{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.25,-0.5]}],"model":"{{{call.Model}}}","usage":{"prompt_tokens":{{{call.Input}}},"total_tokens":{{{call.Input}}}}}""");
    }

    private async Task AnswerAsync(HttpContext http, Asked call, Func<Asked, string> whole, Func<Asked, IEnumerable<(string Event, long Output)>> events)
    {
        if (!call.Stream)
        {
            if (Pace > TimeSpan.Zero) await Task.Delay(Pace, TimeProvider.System, http.RequestAborted);
            bill.Enqueue(new Billed(call.Key, call.Model, call.Input, 0, call.Output, true, call.RequestId));
            http.Response.ContentType = "application/json";
            await http.Response.WriteAsync(whole(call));
            return;
        }

        http.Response.ContentType = "text/event-stream; charset=utf-8";
        if (Pace == TimeSpan.Zero)
        {
            bill.Enqueue(new Billed(call.Key, call.Model, call.Input, 0, call.Output, true, call.RequestId));
            await http.Response.WriteAsync(string.Concat(events(call).Select(one => one.Event)), http.RequestAborted);
            return;
        }

        var generated = 0L;
        try
        {
            foreach (var (text, output) in events(call))
            {
                await http.Response.Body.WriteAsync(Encoding.UTF8.GetBytes(text), http.RequestAborted);
                await http.Response.Body.FlushAsync(http.RequestAborted);
                generated = output;
                if (Pace > TimeSpan.Zero && output > 0) await Task.Delay(Pace, TimeProvider.System, http.RequestAborted);
            }
        }
        finally
        {
            bill.Enqueue(new Billed(call.Key, call.Model, call.Input, 0, generated, generated == call.Output, call.RequestId));
        }
    }

    private static long Words(JsonObject request)
    {
        var text = (request["messages"] ?? request["input"])?.ToJsonString() ?? "";
        return Math.Max(1, text.Split(' ', StringSplitOptions.RemoveEmptyEntries).Length);
    }

    private static long Most(JsonObject request) =>
        Math.Min(DefaultWords * 500, (long?)(request["max_completion_tokens"] ?? request["max_tokens"] ?? request["max_output_tokens"]) ?? DefaultWords);
}

/// <summary>What was asked for.</summary>
internal sealed record Asked(string? RequestId, string Key, string Model, long Input, long Output, bool Stream, bool WantsUsage)
{
    public IEnumerable<string> Words => Enumerable.Range(1, (int)Output).Select(number => $"word{number} ");

    public string Text => string.Concat(Words);
}
