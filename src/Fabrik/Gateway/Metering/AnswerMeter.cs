using System.Text;
using System.Text.Json;

namespace Fabrik.Gateway.Metering;

/// <summary>What one event of a stream is to the gateway.</summary>
public enum EventKind
{
    /// <summary>Comes before any content: until then another provider may be asked.</summary>
    Start,

    Content,

    /// <summary>The end of the answer as its API has it: nothing that counts comes after it.</summary>
    Terminal,

    /// <summary>The provider says in the stream that it failed.</summary>
    Error,

    /// <summary>The chunk with the usage that an OpenAI chat stream has only when asked for it.</summary>
    UsageOnly,
}

/// <summary>Reads out of an answer what is billed, event by event or as a whole. Nothing in it is trusted: what cannot be read is not counted, and so estimated.</summary>
public sealed class AnswerMeter(WireFormat format, Operation operation)
{
    private const int Deepest = 256;
    private const int LongestName = 256;
    private bool ended;

    public UsageTally Usage { get; } = new();
    public string? ServedModel { get; private set; }
    public string? ServiceTier { get; private set; }

    /// <summary>One word for the error that the provider told in its stream.</summary>
    public string? Error { get; private set; }

    /// <summary>UTF-8 bytes of text that passed, from which output is estimated where the provider tells none.</summary>
    public long OutputBytes { get; private set; }

    /// <summary>Whether the provider has told all that was generated: what Anthropic's first event has is only the count so far.</summary>
    public bool HasOutput => Usage.HasOutput && (format == WireFormat.OpenAi || ended);

    /// <summary>Where the event last read has a member <c>usage</c> at its top, without the value's content: from and to, in its data. None: null.</summary>
    public Range? NullUsageAt { get; private set; }

    /// <summary>An event of a stream.</summary>
    public EventKind Read(in SseEvent read)
    {
        NullUsageAt = null;
        if (read.Data.Length == 0) return EventKind.Start;
        if (format == WireFormat.OpenAi && read.Data.SequenceEqual("[DONE]"u8)) return EventKind.Terminal;
        if (IsPlain(read.Data, out var text))
        {
            OutputBytes += text;
            return EventKind.Content;
        }

        try
        {
            var reader = new Utf8JsonReader(read.Data, new JsonReaderOptions { MaxDepth = Deepest });
            return operation == Operation.Chat ? Chat(ref reader) : Typed(ref reader);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return EventKind.Content; // passed on as it is: what it means is between the provider and the client
        }
    }

    private bool IsPlain(ReadOnlySpan<byte> data, out long text)
    {
        if (operation != Operation.Chat) return ContentScan.IsDelta(data, out text);
        text = 0;
        if (ServedModel is null || !ContentScan.IsChat(data, ServedModel, ServiceTier, out text, out var usage)) return false;
        NullUsageAt = usage;
        return true;
    }

    /// <summary>The whole body of an answer that is no stream.</summary>
    /// <returns>False where it is no JSON object.</returns>
    public bool ReadWhole(ReadOnlySpan<byte> body)
    {
        try
        {
            var reader = new Utf8JsonReader(body, new JsonReaderOptions { MaxDepth = Deepest });
            ended = reader.Read() && reader.TokenType == JsonTokenType.StartObject;
            while (ended && reader.Read() && reader.TokenType == JsonTokenType.PropertyName) Top(ref reader);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            ended = false;
        }

        if (!HasOutput) Estimate(body.Length);
        return ended;
    }

    /// <summary>Of text that was not read by itself, whatever else is around it.</summary>
    public void Estimate(long bytes) => OutputBytes = Math.Max(OutputBytes, bytes);

    private void Top(ref Utf8JsonReader reader)
    {
        if (reader.ValueTextEquals("usage"u8))
        {
            reader.Read();
            Usage.Read(ref reader);
        }
        else if (reader.ValueTextEquals("model"u8)) ServedModel = Text(ref reader) ?? ServedModel;
        else if (reader.ValueTextEquals("service_tier"u8)) ServiceTier = Text(ref reader) ?? ServiceTier;
        else
        {
            reader.Read();
            reader.Skip();
        }
    }

    /// <summary>OpenAI's chat: chunks without a name.</summary>
    private EventKind Chat(ref Utf8JsonReader reader)
    {
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject) return EventKind.Content;
        var (choices, said, usage, before) = (false, false, false, (int)reader.BytesConsumed);
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("choices"u8))
            {
                reader.Read();
                var bytes = OutputBytes;
                choices |= Walk(ref reader, out var any);
                said |= any || OutputBytes > bytes;
            }
            else if (reader.ValueTextEquals("usage"u8))
            {
                reader.Read();
                if (reader.TokenType == JsonTokenType.Null) NullUsageAt = new Range(before, (int)reader.BytesConsumed);
                else usage = reader.TokenType == JsonTokenType.StartObject;
                Usage.Read(ref reader);
            }
            else if (reader.ValueTextEquals("error"u8))
            {
                reader.Read();
                if (reader.TokenType != JsonTokenType.Null)
                {
                    Error = Word(ref reader);
                    return EventKind.Error;
                }
            }
            else Top(ref reader);
            before = (int)reader.BytesConsumed;
        }

        return usage && !choices ? EventKind.UsageOnly : said ? EventKind.Content : EventKind.Start;
    }

    /// <summary>Events that say of which type they are: OpenAI's responses and Anthropic's messages.</summary>
    private EventKind Typed(ref Utf8JsonReader reader)
    {
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject) return EventKind.Content;
        var kind = EventKind.Content;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("type"u8))
            {
                reader.Read();
                kind = Kind(reader);
            }
            else if (reader.ValueTextEquals("message"u8) || reader.ValueTextEquals("response"u8))
            {
                reader.Read();
                if (reader.TokenType != JsonTokenType.StartObject) reader.Skip();
                else
                    while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName) Top(ref reader);
            }
            else if (reader.ValueTextEquals("error"u8))
            {
                reader.Read();
                Error = Word(ref reader);
            }
            else if (reader.ValueTextEquals("code"u8)) Error ??= Text(ref reader);
            else if (reader.ValueTextEquals("usage"u8))
            {
                reader.Read();
                ended |= reader.TokenType == JsonTokenType.StartObject;
                Usage.Read(ref reader);
            }
            else if (reader.ValueTextEquals("delta"u8))
            {
                reader.Read();
                if (reader.TokenType == JsonTokenType.String) OutputBytes += reader.ValueSpan.Length;
                else Walk(ref reader, out _);
            }
            else
            {
                reader.Read();
                reader.Skip();
            }
        }

        if (kind != EventKind.Error) Error = null;
        else Error ??= "error";
        return kind;
    }

    private static EventKind Kind(in Utf8JsonReader type)
    {
        if (type.TokenType != JsonTokenType.String) return EventKind.Content;
        if (type.ValueTextEquals("message_start"u8) || type.ValueTextEquals("ping"u8) || type.ValueTextEquals("content_block_start"u8)
            || type.ValueTextEquals("response.created"u8) || type.ValueTextEquals("response.queued"u8) || type.ValueTextEquals("response.in_progress"u8)
            || type.ValueTextEquals("response.output_item.added"u8) || type.ValueTextEquals("response.content_part.added"u8)) return EventKind.Start;
        if (type.ValueTextEquals("message_stop"u8) || type.ValueTextEquals("response.completed"u8) || type.ValueTextEquals("response.incomplete"u8)) return EventKind.Terminal;
        return type.ValueTextEquals("error"u8) || type.ValueTextEquals("response.failed"u8) ? EventKind.Error : EventKind.Content;
    }

    /// <summary>Counts the text in a value, and tells whether anything is in it at all.</summary>
    /// <param name="said">Whether a choice has ended or has a call of a tool.</param>
    private bool Walk(ref Utf8JsonReader reader, out bool said)
    {
        said = false;
        if (reader.TokenType is not (JsonTokenType.StartArray or JsonTokenType.StartObject))
        {
            reader.Skip();
            return false;
        }

        var (depth, any, text) = (reader.CurrentDepth, false, false);
        while (reader.Read() && reader.CurrentDepth > depth)
        {
            any = true;
            if (reader.TokenType == JsonTokenType.PropertyName)
            {
                text = ContentScan.IsText(reader.ValueSpan);
                if (reader.ValueTextEquals("tool_calls"u8)) said = true;
            }
            else if (reader.TokenType == JsonTokenType.String && text) OutputBytes += reader.ValueSpan.Length;
        }

        return any;
    }

    private static string? Text(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType == JsonTokenType.String) return reader.ValueSpan.Length <= LongestName ? reader.GetString() : null;
        reader.Skip();
        return null;
    }

    /// <summary>The code or type of an error object.</summary>
    private static string Word(ref Utf8JsonReader reader)
    {
        string? type = null, code = null;
        if (reader.TokenType != JsonTokenType.StartObject) reader.Skip();
        else
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                if (reader.ValueTextEquals("type"u8)) type = Text(ref reader) ?? type;
                else if (reader.ValueTextEquals("code"u8)) code = Text(ref reader) ?? code;
                else
                {
                    reader.Read();
                    reader.Skip();
                }
            }

        return Encoding.UTF8.GetByteCount(code ?? type ?? "") is > 0 and <= 64 ? code ?? type! : "error";
    }
}
