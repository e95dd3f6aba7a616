using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Fabrik.Cli.Connections;
using Fabrik.Gateway;
using Fabrik.Gateway.Metering;
using Fabrik.Gateway.Prices;

namespace Fabrik.Cli.Commands.Gateway;

/// <param name="Provider">To be asked; null: the gateway's choice.</param>
internal sealed record AskedCall(WireFormat Format, string Model, bool Streamed, string Token, string? Provider)
{
    private const int MostTokens = 16;

    public HttpRequestMessage Request(Uri gateway)
    {
        var body = new JsonObject { ["model"] = Model, ["messages"] = new JsonArray(new JsonObject { ["role"] = "user", ["content"] = "Say ok." }) };
        body[Format == WireFormat.OpenAi ? "max_completion_tokens" : "max_tokens"] = MostTokens;
        if (Streamed) body["stream"] = true;
        if (Streamed && Format == WireFormat.OpenAi) body["stream_options"] = new JsonObject { ["include_usage"] = true };
        var path = Format == WireFormat.OpenAi ? $"{Names.Paths.GatewayOpenAi}/chat/completions" : $"{Names.Paths.GatewayAnthropic}/v1/messages";
        var request = new HttpRequestMessage(HttpMethod.Post, new Uri(gateway, path.TrimStart('/'))) { Content = new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json") };
        if (Format == WireFormat.OpenAi) request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", Token);
        else
        {
            request.Headers.Add("x-api-key", Token);
            request.Headers.Add("anthropic-version", "2023-06-01");
        }

        if (Provider is not null) request.Headers.Add(Names.Headers.Provider, Provider);
        return request;
    }
}

/// <summary>What became of a call.</summary>
/// <param name="Error">Status and one word; null where it was answered.</param>
internal sealed record TestedCall(string? Provider, string Model, bool Streamed, int Status, string? Error, string? Why, TokenCounts? Tokens, string? Cost, double? FirstByteMs, double AllMs, string? OperationId)
{
    private const int LongestAnswer = 1 << 20;

    public static async Task<TestedCall> MakeAsync(GatewayConnection connection, Uri gateway, AskedCall call, TimeProvider clock, CancellationToken cancel)
    {
        var start = clock.GetTimestamp();
        double Elapsed() => clock.GetElapsedTime(start).TotalMilliseconds;
        using var request = call.Request(gateway);
        using var answer = await connection.SendAsync(request, cancel);
        string? Header(string name) => answer.Headers.TryGetValues(name, out var values) ? values.First() : null;
        var made = new TestedCall(call.Provider, call.Model, call.Streamed, (int)answer.StatusCode, null, null, null, Header(Names.Headers.Cost), null, 0, Header(Names.Headers.Operation));
        using var stream = await answer.Content.ReadAsStreamAsync(cancel);
        var meter = new AnswerMeter(call.Format, call.Format == WireFormat.OpenAi ? Operation.Chat : Operation.Messages);
        if (!answer.IsSuccessStatusCode || !call.Streamed)
        {
            var body = await ReadAsync(stream, cancel);
            if (!answer.IsSuccessStatusCode) return made.Failed(body) with { AllMs = Elapsed() };
            var whole = made with { FirstByteMs = Elapsed(), AllMs = Elapsed() };
            return meter.ReadWhole(body) && meter.Usage.HasInput ? whole with { Tokens = meter.Usage.Counts(call.Format) } : whole with { Error = $"{made.Status} not understood", Why = Shown(body) };
        }

        using var framer = new SseFramer();
        var (kind, first) = (EventKind.Start, (double?)null);
        try
        {
            kind = await FollowAsync(stream, framer, meter, () => first ??= Elapsed(), cancel);
        }
        catch (Exception e) when (e is HttpIOException or IOException or HttpRequestException)
        {
            return made with { Error = "broken off", Why = e.Message, FirstByteMs = first, AllMs = Elapsed() };
        }

        made = made with { FirstByteMs = first, AllMs = Elapsed() };
        if (kind != EventKind.Terminal) return made with { Error = kind == EventKind.Error ? $"error in the stream: {meter.Error}" : "ended without its last event", Why = "the answer began, and did not come to its end" };
        if (!meter.Usage.HasInput) return made with { Error = "no usage", Why = "the stream came to its end and told no usage, so that the gateway can only estimate what it cost" };
        var counts = meter.Usage.Counts(call.Format);
        var micros = ModelPriceBook.MicrosOf(ModelPriceBook.Default.Of(meter.ServedModel, call.Model), counts, meter.ServiceTier);
        // A stream's headers are sent before its cost is known.
        return made with { Tokens = counts, Cost = string.Create(CultureInfo.InvariantCulture, $"about {micros / 1e6m:0.000000} {ModelPriceBook.Default.Currency}") };
    }

    public JsonObject ToJson()
    {
        var json = new JsonObject { ["provider"] = Provider, ["model"] = Model, ["streamed"] = Streamed, ["status"] = Status, ["allMs"] = Math.Round(AllMs, 1) };
        if (Error is not null) (json["error"], json["why"]) = (Error, Why);
        if (Tokens is { } tokens) (json["inputTokens"], json["outputTokens"]) = (tokens.AllInput, tokens.Output);
        if (Cost is not null) json["cost"] = Cost;
        if (FirstByteMs is { } first) json["firstByteMs"] = Math.Round(first, 1);
        if (OperationId is not null) json["operationId"] = OperationId;
        return json;
    }

    /// <summary>What to do about what came back instead of an answer.</summary>
    public string Next() => (Status, Error) switch
    {
        (_, { } error) when error.Contains("invalid_token", StringComparison.Ordinal) => "the gateway checks tokens with another key: give its own with --token-key-file, or wait two minutes after a rotation",
        (_, { } error) when error.Contains("budget", StringComparison.Ordinal) => "look at what was spent: fabrik gateway usage; limits stand in the OptimizerPolicy, spec.budgets",
        (_, { } error) when error.Contains("providers_unavailable", StringComparison.Ordinal) => "see why it is set aside and until when: fabrik gateway status",
        (_, { } error) when error.Contains("provider_unreachable", StringComparison.Ordinal) || error.Contains("provider_timeout", StringComparison.Ordinal) => "check the provider's url in the gateway's configuration, and that the gateway may reach it: NetworkPolicy, DNS, proxy",
        (401 or 403, _) => $"the provider refuses the key: write a good one into its file or Secret; it is used within five seconds of the file's change",
        (402 or 429, _) => "the provider limits the key, or its account is out of money: look at the provider's own console",
        (404, _) => "name a model that the provider has with --model, or correct models in the gateway's configuration",
        (400 or 422, _) => "the provider does not take the request; try another model with --model",
        ( >= 500, _) => "the provider fails: look at its status page, and at fabrik gateway status",
        _ => "look at the gateway's log, and at fabrik gateway status",
    };

    private static async Task<EventKind> FollowAsync(Stream stream, SseFramer framer, AnswerMeter meter, Action began, CancellationToken cancel)
    {
        var (chunk, last) = (new byte[8192], EventKind.Start);
        for (int read; (read = await stream.ReadAsync(chunk, cancel)) > 0;)
        {
            ReadOnlySpan<byte> rest = chunk.AsSpan(0, read);
            while (framer.TryRead(ref rest, out var one))
            {
                var kind = meter.Read(one);
                if (kind == EventKind.Content) began();
                if (last is not (EventKind.Terminal or EventKind.Error)) last = kind;
            }
        }

        return last;
    }

    private static async Task<byte[]> ReadAsync(Stream stream, CancellationToken cancel)
    {
        var body = new MemoryStream();
        var chunk = new byte[8192];
        for (int read; body.Length < LongestAnswer && (read = await stream.ReadAsync(chunk, cancel)) > 0;) body.Write(chunk, 0, read);
        return body.ToArray();
    }

    /// <summary>From the error's own words, in whichever of the two formats.</summary>
    private TestedCall Failed(byte[] body)
    {
        string? code = null, message = null;
        try
        {
            using var json = JsonDocument.Parse(body);
            if (json.RootElement.ValueKind == JsonValueKind.Object && json.RootElement.TryGetProperty("error", out var error) && error.ValueKind == JsonValueKind.Object)
            {
                string? Text(string name) => error.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
                message = Text("message");
                code = Text("code") ?? (message is not null && message.EndsWith(')') && message.LastIndexOf('(') is > 0 and var open ? message[(open + 1)..^1] : null) ?? Text("type");
            }
        }
        catch (JsonException)
        {
            // Not of a provider's API: something in between. The status still tells.
        }

        return this with { Error = $"{Status} {code ?? "no reason"}", Why = message ?? Shown(body) };
    }

    private static string Shown(byte[] body) => Encoding.UTF8.GetString(body.AsSpan(0, Math.Min(200, body.Length)));
}

[JsonSerializable(typeof(JsonObject))]
internal sealed partial class CliJson : JsonSerializerContext;
