using System.Text;
using System.Text.Json;

namespace Fabrik.Gateway.Wire;

/// <summary>What the body of a call says that routing, budgets and metering need, with the places of what may be rewritten.</summary>
public sealed record RequestFacts
{
    private const int Deepest = 256;
    private const int LongestModel = 256;
    private const string AddedOptions = "\"stream_options\":{\"include_usage\":true},";

    public required string Model { get; init; }
    public bool Stream { get; init; }

    /// <summary>Most tokens that may be generated, all choices together; null where the call does not say.</summary>
    public long? MaxOutput { get; init; }

    /// <summary>Of an OpenAI chat stream: whether the client itself asked for the usage.</summary>
    public bool AsksForUsage { get; init; }

    /// <summary>Why it may not be sent with a key that others use too; null where it may.</summary>
    public string? Refused { get; init; }

    private Range ModelAt { get; init; }
    private Range? StreamOptionsAt { get; init; }
    private Range? IncludeUsageAt { get; init; }
    private bool SaysStore { get; init; }
    private Operation Operation { get; init; }

    /// <param name="body">Whole, UTF-8.</param>
    /// <exception cref="FormatException">It is no JSON object with a model; the message is for the caller.</exception>
    public static RequestFacts Read(Operation operation, ReadOnlySpan<byte> body)
    {
        try
        {
            return Scan(operation, body);
        }
        catch (JsonException e)
        {
            throw new FormatException($"The request's body is not JSON: line {e.LineNumber + 1}, byte {e.BytePositionInLine + 1}.", e);
        }
        catch (InvalidOperationException e)
        {
            throw new FormatException("The request's body has text that is not UTF-8.", e);
        }
    }

    /// <summary>What can be known of a call whose API is not: the model, where its body is JSON that names one.</summary>
    public static RequestFacts ReadOther(ReadOnlySpan<byte> body)
    {
        var (model, stream) = ("", false);
        try
        {
            var reader = new Utf8JsonReader(body, new JsonReaderOptions { MaxDepth = Deepest });
            if (reader.Read() && reader.TokenType == JsonTokenType.StartObject)
            {
                while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
                {
                    var (isModel, isStream) = (reader.ValueTextEquals("model"u8), reader.ValueTextEquals("stream"u8));
                    reader.Read();
                    if (isModel && reader.TokenType == JsonTokenType.String && reader.ValueSpan.Length <= LongestModel) model = reader.GetString()!;
                    else if (isStream) stream = reader.TokenType == JsonTokenType.True;
                    reader.Skip();
                }
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // A file, or a form: it is the provider's to understand.
        }

        return new RequestFacts { Operation = Operation.Other, Model = model, Stream = stream };
    }

    /// <summary>The body as it is sent on: what the gateway needs is put in, all else stays byte for byte.</summary>
    /// <param name="body">That was read.</param>
    /// <param name="model">Another model than the client named; null for the same.</param>
    /// <param name="isOwned">The key is one project's alone, so that whether a response is stored is its own affair.</param>
    /// <returns>Null where nothing is to be rewritten.</returns>
    public byte[]? Rewrite(ReadOnlySpan<byte> body, string? model, bool isOwned = false)
    {
        var edits = new List<(Range At, string Text)>();
        if (model is not null && model != Model) edits.Add((ModelAt, JsonSerializer.Serialize(model, WireJson.Default.String)));
        if (Operation == Operation.Chat && Stream && !AsksForUsage)
        {
            if (IncludeUsageAt is { } value) edits.Add((value, "true"));
            else if (StreamOptionsAt is { } options && body[options.Start.Value] == '{') edits.Add((new Range(options.Start.Value + 1, options.Start.Value + 1), IsEmpty(body[options]) ? "\"include_usage\":true" : "\"include_usage\":true,"));
            else if (StreamOptionsAt is { } none) edits.Add((none, "{\"include_usage\":true}"));
            else edits.Add((First(body), AddedOptions));
        }

        if (Operation == Operation.Responses && !SaysStore && !isOwned) edits.Add((First(body), "\"store\":false,"));
        return edits.Count == 0 ? null : Apply(body, edits);
    }

    /// <summary>A body that was sent on, without the wish for usage that the gateway put in: some providers refuse the field.</summary>
    /// <returns>Null where it has none.</returns>
    public static byte[]? WithoutUsage(ReadOnlySpan<byte> sent)
    {
        var (at, added) = (First(sent).Start.Value, Encoding.UTF8.GetBytes(AddedOptions));
        return sent[at..].StartsWith(added) ? [.. sent[..at], .. sent[(at + added.Length)..]] : null;
    }

    private static RequestFacts Scan(Operation operation, ReadOnlySpan<byte> body)
    {
        var reader = new Utf8JsonReader(body, new JsonReaderOptions { MaxDepth = Deepest });
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject) throw new FormatException("The request's body must be a JSON object.");
        string? model = null, refused = null;
        Range modelAt = default;
        Range? optionsAt = null, usageAt = null;
        bool stream = false, asks = false, saysStore = false;
        long? most = null;
        long choices = 1;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
        {
            if (reader.ValueTextEquals("model"u8))
            {
                reader.Read();
                if (model is not null || reader.TokenType != JsonTokenType.String) throw new FormatException("The request must name one model, as a string.");
                if (reader.ValueSpan.Length > LongestModel) throw new FormatException($"The model's name is longer than {LongestModel} bytes.");
                model = reader.GetString();
                modelAt = At(reader);
            }
            else if (reader.ValueTextEquals("stream"u8)) stream = Boolean(ref reader);
            else if (operation == Operation.Chat && reader.ValueTextEquals("stream_options"u8)) (optionsAt, usageAt, asks) = StreamOptions(ref reader);
            else if (reader.ValueTextEquals("max_tokens"u8) || reader.ValueTextEquals("max_completion_tokens"u8) || reader.ValueTextEquals("max_output_tokens"u8)) most = Math.Max(most ?? 0, Number(ref reader) ?? 0);
            else if (operation == Operation.Chat && reader.ValueTextEquals("n"u8)) choices = Math.Clamp(Number(ref reader) ?? 1, 1, 1024);
            else if (operation == Operation.Responses && reader.ValueTextEquals("store"u8))
            {
                saysStore = true;
                if (Boolean(ref reader)) refused ??= "Stored responses are not served, as the provider's key is shared; set store to false or leave it out.";
            }
            else if (operation == Operation.Responses && (reader.ValueTextEquals("previous_response_id"u8) || reader.ValueTextEquals("conversation"u8)))
            {
                reader.Read();
                if (reader.TokenType != JsonTokenType.Null) refused ??= "A response cannot go on from a stored one, as the provider's key is shared; send the conversation in the input.";
                reader.Skip();
            }
            else if (operation == Operation.Responses && reader.ValueTextEquals("background"u8))
            {
                if (Boolean(ref reader)) refused ??= "Responses in the background are not served, as they would be stored under a key that is shared.";
            }
            else refused ??= Shared(ref reader);
        }

        if (string.IsNullOrEmpty(model)) throw new FormatException("The request must name a model.");
        if (reader.BytesConsumed < body.Length && reader.Read()) throw new FormatException("The request's body must be one JSON object.");
        return new RequestFacts
        {
            Operation = operation,
            Model = model,
            ModelAt = modelAt,
            Stream = stream,
            MaxOutput = most > 0 ? most * choices : null,
            AsksForUsage = asks,
            StreamOptionsAt = optionsAt,
            IncludeUsageAt = usageAt,
            SaysStore = saysStore,
            Refused = refused,
        };
    }

    /// <summary>Goes over one member's value: a file or store named in it is the key's, so it may be another project's.</summary>
    private static string? Shared(ref Utf8JsonReader reader)
    {
        string? refused = null;
        if (!reader.Read() || reader.TokenType is not (JsonTokenType.StartArray or JsonTokenType.StartObject)) return null;
        var depth = reader.CurrentDepth;
        while (reader.Read() && reader.CurrentDepth > depth)
        {
            if (reader.TokenType != JsonTokenType.PropertyName) continue;
            if (reader.ValueTextEquals("file_id"u8))
            {
                reader.Read();
                if (reader.TokenType == JsonTokenType.String && (reader.ValueSpan.StartsWith("file-"u8) || reader.ValueSpan.StartsWith("file_"u8)))
                    refused = "Files that the provider stores are not served, as the provider's key is shared; send the file's content instead of its id.";
            }
            else if (reader.ValueTextEquals("vector_store_ids"u8))
            {
                reader.Read();
                if (reader.TokenType == JsonTokenType.StartArray) refused = "Vector stores are not served, as the provider's key is shared.";
            }
        }

        return refused;
    }

    private static (Range? Options, Range? IncludeUsage, bool Asks) StreamOptions(ref Utf8JsonReader reader)
    {
        reader.Read();
        var start = (int)reader.TokenStartIndex;
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            reader.Skip();
            return (new Range(start, (int)reader.BytesConsumed), null, false);
        }

        Range? usage = null;
        var asks = false;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
        {
            if (reader.ValueTextEquals("include_usage"u8))
            {
                reader.Read();
                var at = (int)reader.TokenStartIndex;
                asks = reader.TokenType == JsonTokenType.True;
                reader.Skip();
                usage = new Range(at, (int)reader.BytesConsumed);
            }
            else reader.Skip();
        }

        return (new Range(start, (int)reader.BytesConsumed), usage, asks);
    }

    private static bool Boolean(ref Utf8JsonReader reader)
    {
        reader.Read();
        var value = reader.TokenType == JsonTokenType.True;
        reader.Skip();
        return value;
    }

    private static long? Number(ref Utf8JsonReader reader)
    {
        reader.Read();
        long? value = reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out var number) && number is > 0 and < 1L << 40 ? number : null;
        reader.Skip();
        return value;
    }

    private static Range At(in Utf8JsonReader reader) => new((int)reader.TokenStartIndex, (int)reader.BytesConsumed);

    private static Range First(ReadOnlySpan<byte> body)
    {
        var at = body.IndexOf((byte)'{') + 1;
        return new Range(at, at);
    }

    private static bool IsEmpty(ReadOnlySpan<byte> options) => options[1..^1].IndexOfAnyExcept(" \t\r\n"u8) < 0;

    private static byte[] Apply(ReadOnlySpan<byte> body, List<(Range At, string Text)> edits)
    {
        edits.Sort((left, right) => left.At.Start.Value.CompareTo(right.At.Start.Value));
        var length = body.Length;
        foreach (var (at, text) in edits) length += Encoding.UTF8.GetByteCount(text) - (at.End.Value - at.Start.Value);
        var written = new byte[length];
        var (from, to) = (0, 0);
        foreach (var (at, text) in edits)
        {
            body[from..at.Start.Value].CopyTo(written.AsSpan(to));
            to += at.Start.Value - from;
            to += Encoding.UTF8.GetBytes(text, written.AsSpan(to));
            from = at.End.Value;
        }

        body[from..].CopyTo(written.AsSpan(to));
        return written;
    }
}
