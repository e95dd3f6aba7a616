using System.Text.Json;

namespace Fabrik.Gateway.Metering;

/// <summary>
/// What a provider has said of a call's tokens so far. Each field is the last one said that is not null: Anthropic's are cumulative and come
/// in several events, so adding them would count twice.
/// </summary>
public sealed class UsageTally
{
    /// <summary>No call has more; a larger number is no count.</summary>
    private const long Most = 1L << 40;

    private long? input, output, cacheRead, cacheWrite, cacheWrite5m, cacheWrite1h, reasoning, searches;

    /// <summary>Whether the provider has told all that the call read.</summary>
    public bool HasInput => input is not null;

    public bool HasOutput => output is not null;

    /// <summary>Of the call as it is billed, each token in one class.</summary>
    /// <param name="format">OpenAI counts cached tokens as a part of all input, Anthropic beside it.</param>
    public TokenCounts Counts(WireFormat format)
    {
        var (all, read, write, hour) = (input ?? 0, cacheRead ?? 0, cacheWrite ?? 0, cacheWrite1h ?? 0);
        if (format == WireFormat.Anthropic) return new TokenCounts(all, read, Math.Max(cacheWrite5m ?? 0, write - hour), hour, output ?? 0, reasoning ?? 0, searches ?? 0);
        read = Math.Min(read, all);
        write = Math.Min(write, all - read);
        return new TokenCounts(all - read - write, read, write, 0, output ?? 0, reasoning ?? 0, searches ?? 0);
    }

    /// <param name="reader">On the first token of the value of a member named usage; afterwards on its last.</param>
    public void Read(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            reader.Skip();
            return;
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("prompt_tokens"u8) || reader.ValueTextEquals("input_tokens"u8)) Take(ref reader, ref input);
            else if (reader.ValueTextEquals("completion_tokens"u8) || reader.ValueTextEquals("output_tokens"u8)) Take(ref reader, ref output);
            else if (reader.ValueTextEquals("cache_read_input_tokens"u8)) Take(ref reader, ref cacheRead);
            else if (reader.ValueTextEquals("cache_creation_input_tokens"u8)) Take(ref reader, ref cacheWrite);
            else if (IsDetails(reader)) Details(ref reader);
            else Skip(ref reader);
        }
    }

    private static bool IsDetails(in Utf8JsonReader reader) =>
        reader.ValueTextEquals("prompt_tokens_details"u8) || reader.ValueTextEquals("input_tokens_details"u8) || reader.ValueTextEquals("completion_tokens_details"u8)
        || reader.ValueTextEquals("output_tokens_details"u8) || reader.ValueTextEquals("cache_creation"u8) || reader.ValueTextEquals("server_tool_use"u8);

    private void Details(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            reader.Skip();
            return;
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("cached_tokens"u8)) Take(ref reader, ref cacheRead);
            else if (reader.ValueTextEquals("cache_write_tokens"u8)) Take(ref reader, ref cacheWrite);
            else if (reader.ValueTextEquals("reasoning_tokens"u8) || reader.ValueTextEquals("thinking_tokens"u8)) Take(ref reader, ref reasoning);
            else if (reader.ValueTextEquals("ephemeral_5m_input_tokens"u8)) Take(ref reader, ref cacheWrite5m);
            else if (reader.ValueTextEquals("ephemeral_1h_input_tokens"u8)) Take(ref reader, ref cacheWrite1h);
            else if (reader.ValueTextEquals("web_search_requests"u8)) Take(ref reader, ref searches);
            else Skip(ref reader);
        }
    }

    private static void Take(ref Utf8JsonReader reader, ref long? field)
    {
        reader.Read();
        if (reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out var number) && number is >= 0 and < Most) field = number;
        else reader.Skip();
    }

    private static void Skip(ref Utf8JsonReader reader)
    {
        reader.Read();
        reader.Skip();
    }
}
