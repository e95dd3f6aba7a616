using System.Buffers;
using Fabrik.Gateway;
using Fabrik.Gateway.Failover;
using Fabrik.Gateway.Metering;
using Fabrik.Gateway.Wire;
using Fabrik.Proxy.Calls;

namespace Fabrik.Proxy.Forwarding;

/// <summary>
/// A provider's stream as the client gets it: each event as it comes, read beside. The attempt is settled before the end of the answer is passed
/// on, so that a client that leaves right after it is billed. What breaks off ends with an error in the stream, never as if it were whole; events
/// go out whole, as within half of one no client would find it.
/// </summary>
internal sealed class AnswerStream : ReadOnlyStream
{
    private const string Stalled = "stalled";
    private const string Stopped = "gateway_stopped";
    private readonly Call call;
    private readonly Attempt attempt;
    private readonly AnswerMeter meter;
    private readonly SseFramer framer;
    private readonly Stream source;
    private readonly IDisposable answer;
    private readonly IdleWatch watch;
    private readonly Action<ProviderFault?> judge;
    private ArraySegment<byte> pending;
    private bool ended, settled, disposed;

    /// <param name="begun">What of the answer has been read already, to be passed on first.</param>
    /// <param name="framer">That has read it.</param>
    /// <param name="answer">To be ended with the stream.</param>
    /// <param name="judge">Is told how the provider ended it; null: well.</param>
    public AnswerStream(Call call, Attempt attempt, AnswerMeter meter, SseFramer framer, Stream source, IDisposable answer, ArraySegment<byte> begun, IdleWatch watch, Action<ProviderFault?> judge)
    {
        (this.call, this.attempt, this.meter, this.framer, this.source, this.answer, pending, this.watch, this.judge) = (call, attempt, meter, framer, source, answer, begun, watch, judge);
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (true)
        {
            if (pending.Count > 0)
            {
                watch.ForClient();
                return Drain(buffer.Span);
            }

            if (ended) return 0;
            int read;
            try
            {
                read = await source.ReadAsync(buffer, watch.ForProvider(cancellationToken));
                watch.ForClient();
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested || watch.HasCutClient)
            {
                Leave();
                throw;
            }
            catch (OperationCanceledException) when (watch.IsOver)
            {
                Break(Stopped, WireError.Unavailable(call.Format, "gateway_stopped", "The gateway that passed this answer on was stopped before its end; what came before is all there is. Ask again."));
                continue;
            }
            catch (OperationCanceledException)
            {
                Break(Stalled, new WireError(504, "timeout_error", "provider_stalled", $"The provider sent nothing for {watch.Idle.TotalSeconds:0.#} s in the middle of its answer; what came before is all there is. Ask again."));
                continue;
            }
            catch (Exception e) when (e is IOException or HttpRequestException or InvalidDataException)
            {
                Break("cut", Cut);
                continue;
            }

            if (buffer.Length == 0) return 0; // only waits for bytes, so that no memory is held meanwhile
            if (read == 0)
            {
                Break("cut", Cut);
                continue;
            }

            var given = Pass(buffer.Span[..read]);
            if (framer.Overflowed) Break("event_too_long", new WireError(502, "api_error", "provider_event_too_long", $"An event of the provider's is longer than {SseFramer.Longest >> 20} MiB; what came before is all there is."));
            if (given > 0) return given;
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing && !disposed)
        {
            disposed = true;
            Leave();
            framer.Dispose();
            answer.Dispose();
            watch.Dispose();
        }

        base.Dispose(disposing);
    }

    /// <summary>OpenAI tells usage once and at the end; what Anthropic tells before its end is only the count so far.</summary>
    private bool IsCounted => call.Format == WireFormat.OpenAi && meter.Usage.HasOutput;

    private static WireError Cut { get; } = new(502, "api_error", "provider_cut", "The provider's answer broke off; what came before is all there is. Ask again.");

    /// <summary>Reads what came, and leaves in its place, or for the next read, what the client gets: whole events.</summary>
    /// <returns>Bytes for the client, at the beginning of the same memory.</returns>
    private int Pass(Span<byte> came)
    {
        if (call.HidesUsage) return Filter(came);
        ReadOnlySpan<byte> rest = came;
        var (begun, from, to) = (default(byte[]), framer.Unfinished.Length > 0 ? -1 : 0, 0);
        while (framer.TryRead(ref rest, out var read))
        {
            to = came.Length - rest.Length;
            if (from < 0) (begun, from) = (read.Raw.ToArray(), to); // began in what came before
            Note(meter.Read(read));
        }

        if (begun is null) return to;
        pending = (byte[])[.. begun, .. came[from..to]];
        return 0;
    }

    /// <summary>Whole events alone, without what the client did not ask for.</summary>
    private int Filter(Span<byte> came)
    {
        // What is kept of an unfinished event may make an event longer than what came: then it goes out by another buffer.
        var copy = ArrayPool<byte>.Shared.Rent(came.Length);
        came.CopyTo(copy);
        ReadOnlySpan<byte> rest = copy.AsSpan(0, came.Length);
        var (written, more) = (0, (List<byte>?)null);
        while (framer.TryRead(ref rest, out var read))
        {
            var kind = meter.Read(read);
            Note(kind);
            if (kind == EventKind.UsageOnly) continue;
            UsageFilter.Write(read, meter.NullUsageAt, came, ref written, ref more);
        }

        ArrayPool<byte>.Shared.Return(copy);
        if (more is not null) pending = new ArraySegment<byte>([.. more]);
        return written;
    }

    /// <summary>An event that goes to the client; from outside, the end among what the constructor was given.</summary>
    public void Note(EventKind kind)
    {
        if (kind == EventKind.Content) attempt.FirstByte();
        else if (kind == EventKind.Terminal && !settled)
        {
            Settle(AttemptOutcome.Completed, null, true);
            judge(null);
        }
        else if (kind == EventKind.Error && !settled)
        {
            Settle(AttemptOutcome.Interrupted, meter.Error, IsCounted);
            judge(ProviderFault.InStream(meter.Error ?? "error"));
        }
    }

    private int Drain(Span<byte> buffer)
    {
        var count = Math.Min(pending.Count, buffer.Length);
        pending.AsSpan(0, count).CopyTo(buffer);
        pending = count == pending.Count ? default : pending[count..]; // a stream may last for an hour: it does not hold its beginning
        return count;
    }

    private void Break(string word, WireError error)
    {
        ended = true;
        if (settled) return; // its end was passed on already, or the provider's own error
        if (word != Stopped) judge(word == Stalled ? ProviderFault.Timeout : ProviderFault.Broken);
        Settle(AttemptOutcome.Interrupted, word, IsCounted);
        pending = (byte[])[.. pending.AsSpan(), .. error.Event(call.Format)];
    }

    /// <summary>The client has gone: disposing the answer ends the provider's work.</summary>
    private void Leave() => Settle(AttemptOutcome.ClientClosed, "client_closed", IsCounted);

    private void Settle(AttemptOutcome outcome, string? word, bool isWhole)
    {
        if (settled) return;
        settled = true;
        attempt.Answered(outcome, word, 200, meter, isWhole);
    }
}
