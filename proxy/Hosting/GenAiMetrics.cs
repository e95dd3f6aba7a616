using System.Diagnostics;
using System.Diagnostics.Metrics;
using Fabrik.Gateway;

namespace Fabrik.Proxy.Hosting;

/// <summary>OpenTelemetry's conventions for generative AI, which are still in development: every name of theirs stands here.</summary>
internal sealed class GenAiMetrics(Meter meter)
{
    private static readonly InstrumentAdvice<long> TokenBuckets = new() { HistogramBucketBoundaries = [1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864] };
    private static readonly InstrumentAdvice<double> SecondBuckets = new() { HistogramBucketBoundaries = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92] };

    private readonly Histogram<long> tokens = meter.CreateHistogram("gen_ai.client.token.usage", "{token}", "Tokens of a call, by type.", advice: TokenBuckets);
    private readonly Histogram<double> duration = meter.CreateHistogram("gen_ai.client.operation.duration", "s", "Time of a call at the provider.", advice: SecondBuckets);
    private readonly Histogram<double> firstToken = meter.CreateHistogram("gen_ai.server.time_to_first_token", "s", "Time to the first content.", advice: SecondBuckets);

    public void Settled(UsageEvent row, WireFormat format)
    {
        if (row.Operation == Operation.Other) return; // the conventions have no word for it
        var tags = new TagList
        {
            { "gen_ai.operation.name", row.Operation == Operation.Embeddings ? "embeddings" : "chat" },
            { "gen_ai.provider.name", format == WireFormat.OpenAi ? "openai" : "anthropic" },
        };
        if (row.Error is not null) tags.Add("error.type", row.Error);
        // Models that no provider has answered for are the callers' own words, and could be any number.
        if (row.ServedModel is not null) tags.Add("gen_ai.response.model", row.ServedModel);
        duration.Record(row.LatencyMs / 1000, tags);
        if (row.FirstByteMs is { } first && row.Streamed) firstToken.Record(first / 1000, tags);
        if (row.Tokens.All == 0 || row.Estimated) return;
        tags.Add("gen_ai.token.type", "input");
        tokens.Record(row.Tokens.AllInput, tags);
        tags[^1] = new KeyValuePair<string, object?>("gen_ai.token.type", "output");
        tokens.Record(row.Tokens.Output, tags);
    }
}
