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
    private const int LongestModel = 256;

    /// <summary>Of one answer; what more there are is not read, and so the whole is counted by its own sum.</summary>
    private const int MostIterations = 256;

    /// <summary>Of an Anthropic answer that took several: a model that refused and the one that answered instead, an advisor, a compaction.</summary>
    private List<Iteration>? iterations;
    private long? input, output, cacheRead, cacheWrite, cacheWrite5m, cacheWrite1h, reasoning, searches;

    /// <summary>Whether the provider has told all that the call read.</summary>
    public bool HasInput => input is not null || iterations is not null;

    public bool HasOutput => output is not null || iterations is not null;

    /// <summary>What is billed at the prices of several models, each with what it took; empty where the whole is at those of one.</summary>
    /// <param name="format">As <see cref="Counts"/>.</param>
    public IReadOnlyList<(string? Model, TokenCounts Tokens)> Parts(WireFormat format) =>
        iterations is null ? [] : [.. iterations.Select(one => (one.Model, one.Usage.Counts(format))), (null, new TokenCounts(0, 0, 0, 0, 0, 0, searches ?? 0))];

    /// <summary>Of the call as it is billed, each token in one class.</summary>
    /// <param name="format">OpenAI counts cached tokens as a part of all input, Anthropic beside it.</param>
    public TokenCounts Counts(WireFormat format)
    {
        if (iterations is not null)
        {
            // The sum, as the provider bills: its own leaves some out.
            var sum = new TokenCounts(0, 0, 0, 0, 0, reasoning ?? 0, searches ?? 0);
            foreach (var one in iterations) sum += one.Usage.Counts(format) with { Reasoning = 0, WebSearches = 0 };
            return sum;
        }

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
            else if (reader.ValueTextEquals("iterations"u8)) Iterations(ref reader);
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

    private void Iterations(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            reader.Skip();
            return;
        }

        var found = new List<Iteration>();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType != JsonTokenType.StartObject || found.Count > MostIterations)
            {
                reader.Skip();
                continue;
            }

            // Twice over the same: once for the counts, once for the model.
            var again = reader;
            var usage = new UsageTally();
            usage.Read(ref reader);
            if (usage.HasInput) found.Add(new Iteration(ModelOf(ref again), usage));
        }

        // One is the whole itself, which says more of it.
        if (found.Count is > 1 and <= MostIterations) iterations = found;
    }

    private static string? ModelOf(ref Utf8JsonReader reader)
    {
        string? model = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var isModel = reader.ValueTextEquals("model"u8);
            reader.Read();
            if (isModel && reader.TokenType == JsonTokenType.String && reader.ValueSpan.Length <= LongestModel) model = reader.GetString();
            else reader.Skip();
        }

        return model;
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

    private sealed record Iteration(string? Model, UsageTally Usage);
}
