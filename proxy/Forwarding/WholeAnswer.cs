using System.Buffers;
using System.Text.Json;
using Fabrik.Gateway;
using Fabrik.Gateway.Failover;
using Fabrik.Gateway.Metering;
using Fabrik.Proxy.Calls;

namespace Fabrik.Proxy.Forwarding;

/// <summary>An answer that is no stream and too long to be held: it is passed on as it comes, and its usage read from its end, where providers put it.</summary>
internal sealed class WholeAnswer : ReadOnlyStream
{
    /// <summary>Bytes that are held, so that the answer's headers can tell its cost.</summary>
    public const int Longest = 1 << 20;

    private const int TailBytes = 64 << 10;
    private readonly Call call;
    private readonly Attempt attempt;
    private readonly AnswerMeter meter;
    private readonly Stream source;
    private readonly IDisposable answer;
    private readonly IdleWatch watch;
    private readonly Action<ProviderFault?> judge;
    private readonly byte[] tail = ArrayPool<byte>.Shared.Rent(2 * TailBytes);
    private ArraySegment<byte> pending;
    private long passed;
    private int kept;
    private bool settled, disposed;

    public WholeAnswer(Call call, Attempt attempt, AnswerMeter meter, Stream source, IDisposable answer, byte[] begun, IdleWatch watch, Action<ProviderFault?> judge)
    {
        (this.call, this.attempt, this.meter, this.source, this.answer, pending, this.watch, this.judge) = (call, attempt, meter, source, answer, begun, watch, judge);
        Keep(begun);
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (pending.Count > 0)
        {
            var count = Math.Min(pending.Count, buffer.Length);
            pending.AsMemory(0, count).CopyTo(buffer);
            pending = pending[count..];
            watch.ForClient();
            return count;
        }

        int read;
        try
        {
            read = await source.ReadAsync(buffer, watch.ForProvider(cancellationToken));
            watch.ForClient();
        }
        catch (Exception e) when (e is IOException or HttpRequestException or InvalidDataException or OperationCanceledException)
        {
            var left = cancellationToken.IsCancellationRequested || watch.HasCutClient;
            var word = left ? "client_closed" : watch.IsOver ? "gateway_stopped" : e is OperationCanceledException ? "stalled" : "cut";
            if (!left && !watch.IsOver) judge(e is OperationCanceledException ? ProviderFault.Timeout : ProviderFault.Broken);
            Settle(left ? AttemptOutcome.ClientClosed : AttemptOutcome.Interrupted, word, false);
            throw; // the forwarder breaks the connection: half a JSON document must not look like a whole one
        }

        if (read > 0) Keep(buffer.Span[..read]);
        else if (buffer.Length > 0 && !settled)
        {
            judge(null);
            Settle(AttemptOutcome.Completed, null, FindUsage());
        }

        return read;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing && !disposed)
        {
            disposed = true;
            Settle(AttemptOutcome.ClientClosed, "client_closed", false);
            source.Dispose();
            answer.Dispose();
            watch.Dispose();
        }

        base.Dispose(disposing);
    }

    private void Keep(ReadOnlySpan<byte> bytes)
    {
        passed += bytes.Length;
        if (bytes.Length > TailBytes) bytes = bytes[^TailBytes..];
        if (kept + bytes.Length > tail.Length)
        {
            tail.AsSpan(kept - TailBytes, TailBytes).CopyTo(tail);
            kept = TailBytes;
        }

        bytes.CopyTo(tail.AsSpan(kept));
        kept += bytes.Length;
    }

    /// <summary>The last member of that name. In text a quotation mark is escaped, so only a member looks like one.</summary>
    private bool FindUsage()
    {
        var bytes = tail.AsSpan(0, kept);
        var at = bytes.LastIndexOf("\"usage\""u8);
        if (at < 0) return false;
        at += "\"usage\""u8.Length;
        while (at < bytes.Length && bytes[at] is (byte)' ' or (byte)':' or (byte)'\n' or (byte)'\r' or (byte)'\t') at++;
        try
        {
            var reader = new Utf8JsonReader(bytes[at..]);
            if (!reader.Read()) return false;
            meter.Usage.Read(ref reader);
            return true;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return false;
        }
    }

    private void Settle(AttemptOutcome outcome, string? word, bool isWhole)
    {
        if (settled) return;
        settled = true;
        if (!isWhole) meter.Estimate(passed);
        // A tool's input is JSON that the model wrote, and may have such a member too: only embeddings are sure to have none.
        attempt.Answered(outcome, word, 200, meter, isWhole && call.Operation == Operation.Embeddings);
        ArrayPool<byte>.Shared.Return(tail);
    }
}
