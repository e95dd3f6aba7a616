using Fabrik.Gateway;
using Fabrik.Gateway.Metering;
using Fabrik.Proxy.Spool;

namespace Fabrik.Proxy.Calls;

/// <summary>One attempt at a provider, from its intent to its settlement: settled once, whoever comes first.</summary>
internal sealed class Attempt(Ledger ledger, SpoolTicket ticket, UsageEvent row, Call call, TimeProvider clock)
{
    private readonly long start = clock.GetTimestamp();
    private int settled;
    private IReadOnlyList<(string? Model, TokenCounts Tokens)> parts = [];

    public UsageEvent Row => row;

    public void FirstByte() => row.FirstByteMs ??= clock.GetElapsedTime(start).TotalMilliseconds;

    /// <summary>An attempt that the provider did not answer with a success: nothing is billed.</summary>
    public void Failed(AttemptOutcome outcome, string word, int? status)
    {
        if (Interlocked.Exchange(ref settled, 1) != 0) return;
        (row.Tokens, row.Estimated, row.CostMicros) = (default, false, 0);
        End(outcome, word, status);
    }

    /// <summary>An answer that began.</summary>
    /// <param name="meter">What was read of it.</param>
    /// <param name="isWhole">Whether the provider told everything that it bills; else what it did not is estimated.</param>
    public void Answered(AttemptOutcome outcome, string? word, int? status, AnswerMeter meter, bool isWhole)
    {
        if (Interlocked.Exchange(ref settled, 1) != 0) return;
        row.ServedModel = meter.ServedModel;
        row.ServiceTier = meter.ServiceTier;
        if (call.Operation == Operation.Other && (call.Facts!.Model.Length == 0 || !meter.Usage.HasInput))
        {
            // Nobody has told what it costs, and a file's bytes are no tokens: flagged, so that no zero looks like a price.
            (row.Tokens, row.Estimated, row.PriceUnknown, row.CostMicros) = (default, true, true, 0);
            End(outcome, word, status);
            return;
        }

        var counts = meter.Usage.Counts(call.Format);
        var estimated = false;
        if (!meter.Usage.HasInput)
        {
            counts = counts with { Input = Estimates.Tokens(call.BodyBytes) };
            estimated = true;
        }

        if (!(isWhole && (meter.HasOutput || call.Operation == Operation.Embeddings)))
        {
            counts = counts with { Output = Math.Max(counts.Output, Estimates.Tokens(meter.OutputBytes)) };
            estimated = true;
        }

        if (!estimated) parts = meter.Usage.Parts(call.Format);
        (row.Tokens, row.Estimated) = (counts, estimated);
        End(outcome, word, status);
    }

    private void End(AttemptOutcome outcome, string? word, int? status)
    {
        (row.Outcome, row.Error, row.Status) = (outcome, word, status);
        row.LatencyMs = clock.GetElapsedTime(start).TotalMilliseconds;
        ledger.Settle(ticket, row, call, parts);
    }
}

/// <summary>Where the provider told no count.</summary>
internal static class Estimates
{
    /// <summary>English text has about four bytes to a token; JSON and other languages have fewer, so this is seldom too low by much.</summary>
    private const double BytesOfToken = 4;

    public static long Tokens(long bytes) => (long)Math.Ceiling(bytes / BytesOfToken);
}
