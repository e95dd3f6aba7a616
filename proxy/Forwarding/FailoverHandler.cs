using System.Diagnostics;
using System.IO.Compression;
using System.Net;
using System.Net.Http.Headers;
using Fabrik.Gateway;
using Fabrik.Gateway.Failover;
using Fabrik.Gateway.Metering;
using Fabrik.Gateway.Wire;
using Fabrik.Proxy.Calls;
using Fabrik.Proxy.Hosting;
using Fabrik.Proxy.Providers;

namespace Fabrik.Proxy.Forwarding;

/// <summary>
/// Beneath the forwarder: one call in, one answer out, and between them as many attempts as it takes. Another key or provider is asked only
/// until the first content has been seen; what comes before that is held back, so that an error in the stream's beginning is no answer yet.
/// </summary>
internal sealed class FailoverHandler(HttpMessageHandler network, Ledger ledger, Benches benches, ProxyMetrics metrics, Closing closing, TimeProvider clock) : DelegatingHandler(network)
{
    /// <summary>Of a provider's refusal, that is read to tell what it means, and of what a stream may begin with.</summary>
    private const int Longest = 64 << 10;

    /// <summary>Of a stream, read at once: its start-up events and the first words are seldom more.</summary>
    private const int FirstBytes = 4 << 10;

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        if (!request.Options.TryGetValue(Call.Key, out var call)) throw new InvalidOperationException("A request without its call.");
        var targets = call.Upstreams.For(call.Format, call.SentModel);
        if (targets.Count == 0) return Own(call, WireError.Invalid("model_not_served", $"No provider here serves the model \"{call.SentModel}\".", 404));
        HttpResponseMessage? last = null;
        while (true)
        {
            var now = clock.GetUtcNow();
            var target = call.Tried.Count < call.Upstreams.Config.Limits.Attempts ? benches.Choose(targets, call.Tried, call.SentModel, now, Random.Shared.NextDouble()) : null;
            if (target is null) return last is not null ? Final(last, call) : AllBenched(call, targets, now);
            call.Tried.Add(target);
            last?.Dispose();
            var (answer, isFinal) = await TryAsync(request, call, target, cancellationToken);
            if (isFinal) return answer;
            last = answer;
        }
    }

    private async Task<(HttpResponseMessage Answer, bool IsFinal)> TryAsync(HttpRequestMessage original, Call call, Target target, CancellationToken ct)
    {
        var upstream = call.Upstreams.Find(target);
        var attempt = call.Facts is null ? null : ledger.Begin(call, target);
        if (call.Facts is not null && attempt is null) return (Own(call, WireError.Unavailable(call.Format, "accounting_unavailable", "The gateway cannot account for a call now, as its spool is full. Ask again in a while."), TimeSpan.FromSeconds(10)), true);
        if (upstream.RefusesUsage) call.LeaveOutUsage();
        var limits = call.Upstreams.Config.Limits;
        using var patience = new Patience(closing.Over);
        patience.Begin(TimeSpan.FromSeconds(limits.FirstByteSeconds), ct);
        var meter = new AnswerMeter(call.Format, call.Operation);
        HttpResponseMessage? answer = null;
        try
        {
            using var request = Request(original, call, upstream);
            answer = await base.SendAsync(request, patience.Token);
            if ((int)answer.StatusCode >= 300) return await RefusedAsync(answer, call, target, attempt, patience.Token);
            var (given, fault) = await AnsweredAsync(answer, call, target, attempt, meter, limits, patience.Token);
            if (fault is null) return (given, true);
            if (fault.Value.Scope == FaultScope.Request) return (Final(given, call), true);
            Bench(call, target, fault.Value);
            return (given, false);
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            answer?.Dispose();
            attempt?.Answered(AttemptOutcome.ClientClosed, "client_closed", (int?)answer?.StatusCode, meter, false);
            throw;
        }
        catch (OperationCanceledException) when (closing.Over.IsCancellationRequested)
        {
            attempt?.Answered(AttemptOutcome.Failed, "gateway_stopped", (int?)answer?.StatusCode, meter, false);
            answer?.Dispose();
            return (Own(call, WireError.Unavailable(call.Format, "gateway_stopped", "The gateway was stopped while the provider had not answered yet. Ask again."), TimeSpan.FromSeconds(1)), true);
        }
        catch (Exception e) when (e is OperationCanceledException or HttpRequestException or IOException or InvalidDataException)
        {
            // A connection that is not made in time is cancelled too, by the handler beneath.
            var waited = patience.Token.IsCancellationRequested;
            var connects = e is OperationCanceledException ? !waited : e is HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError or HttpRequestError.SecureConnectionError };
            var fault = connects ? ProviderFault.Unreachable : e is OperationCanceledException ? ProviderFault.Timeout : ProviderFault.Broken;
            // What was asked may have been worked on, and billed: only a provider that was never reached cannot have.
            if (connects) attempt?.Failed(AttemptOutcome.Failed, fault.Word, null);
            else attempt?.Answered(AttemptOutcome.Failed, fault.Word, (int?)answer?.StatusCode, meter, false);
            answer?.Dispose();
            Bench(call, target, fault);
            return (Own(call, fault == ProviderFault.Timeout
                ? WireError.BadGateway("provider_timeout", $"The provider did not begin to answer within {limits.FirstByteSeconds:0.#} s. Ask again.", 504)
                : WireError.BadGateway("provider_unreachable", "The provider cannot be reached, or broke off before it answered. Ask again.")), false);
        }
    }

    private static HttpRequestMessage Request(HttpRequestMessage original, Call call, Upstream upstream)
    {
        var request = new HttpRequestMessage(original.Method, upstream.To(call.Path)) { Version = original.Version, VersionPolicy = original.VersionPolicy };
        CallTransformer.CopyHeaders(call.Headers, request);
        upstream.Authorise(request);
        if (call.BodyBytes == 0 && (call.Facts is null || call.Operation == Operation.Other)) return request;
        request.Content = new CallContent(call);
        request.Content.Headers.TryAddWithoutValidation("Content-Type", call.ContentType);
        return request;
    }

    /// <summary>An answer that is no success: it is read, as what it means may stand in its body.</summary>
    private async Task<(HttpResponseMessage Answer, bool IsFinal)> RefusedAsync(HttpResponseMessage answer, Call call, Target target, Attempt? attempt, CancellationToken ct)
    {
        using var source = await ContentAsync(answer, ct);
        var (body, whole) = await Bodies.ReadAsync(source, answer.Content.Headers.ContentLength, Longest, ct);
        if (!whole) throw new IOException("the provider's error is too long");
        Replace(answer, body);
        var status = (int)answer.StatusCode;
        var fault = ProviderFault.Of(status, Waits(answer), body);
        if (status is 400 or 422 && body.AsSpan().IndexOf("stream_options"u8) >= 0 && call.LeaveOutUsage())
        {
            // The client has not asked for it, so it is not at fault; the same is asked again without.
            attempt?.Failed(AttemptOutcome.Rejected, "usage_refused", status);
            call.Upstreams.Find(target).RefusesUsage = true;
            call.Tried.Remove(target);
            return (answer, false);
        }

        attempt?.Failed(fault.Scope == FaultScope.Request ? AttemptOutcome.Rejected : AttemptOutcome.Failed, fault.Word, status);
        if (fault.Scope == FaultScope.Request) return (Final(answer, call), true);
        Bench(call, target, fault);
        return (answer, false);
    }

    /// <summary>A success: as a stream from its first content on, else whole.</summary>
    private async Task<(HttpResponseMessage Answer, ProviderFault? Fault)> AnsweredAsync(HttpResponseMessage answer, Call call, Target target, Attempt? attempt, AnswerMeter meter, GatewayLimits limits, CancellationToken ct)
    {
        if (attempt is null)
        {
            benches.Succeeded(target, call.SentModel);
            return (answer, null);
        }

        var source = await ContentAsync(answer, ct);
        var isStream = answer.Content.Headers.ContentType?.MediaType == "text/event-stream";
        if (isStream && call.Operation != Operation.Other) return await StreamedAsync(answer, call, target, attempt, meter, source, limits, ct);
        var (body, whole) = isStream ? ([], false) : await Bodies.ReadAsync(source, answer.Content.Headers.ContentLength, WholeAnswer.Longest, ct); // events of an API that is not known are not waited for
        attempt.FirstByte();
        if (!whole)
        {
            benches.Began(target, call.SentModel);
            call.Body = default;
            answer.Content = new AnswerContent(new WholeAnswer(call, attempt, meter, source, answer.Content, body, Watch(call, limits), Judge(call, target)), answer.Content.Headers);
            return (answer, null);
        }

        benches.Succeeded(target, call.SentModel);

        var isRead = meter.ReadWhole(body);
        attempt.Answered(AttemptOutcome.Completed, isRead || call.Operation == Operation.Other ? null : "unreadable", (int)answer.StatusCode, meter, isRead);
        source.Dispose();
        Replace(answer, body);
        Costs.Tell(answer, attempt.Row);
        return (answer, null);
    }

    private async Task<(HttpResponseMessage Answer, ProviderFault? Fault)> StreamedAsync(
        HttpResponseMessage answer, Call call, Target target, Attempt attempt, AnswerMeter meter, Stream source, GatewayLimits limits, CancellationToken ct)
    {
        var framer = new SseFramer();
        var (begun, used) = (GC.AllocateUninitializedArray<byte>(FirstBytes), 0);
        var shown = call.HidesUsage ? new List<byte>(FirstBytes) : null;
        var (kind, last) = (EventKind.Start, EventKind.Start);
        while (kind is EventKind.Start or EventKind.UsageOnly && used <= Longest)
        {
            if (used == begun.Length) Array.Resize(ref begun, used * 2);
            var read = await source.ReadAsync(begun.AsMemory(used), ct);
            if (read == 0)
            {
                framer.Dispose();
                throw new IOException("the provider's stream ended before any content");
            }

            ReadOnlySpan<byte> rest = begun.AsSpan(used, read);
            used += read;
            while (framer.TryRead(ref rest, out var one))
            {
                var found = meter.Read(one);
                if (kind is EventKind.Start or EventKind.UsageOnly) kind = found;
                if (last == EventKind.Start && found is EventKind.Terminal or EventKind.Error) last = found;
                var (written, more) = (0, shown);
                if (shown is not null && found != EventKind.UsageOnly) UsageFilter.Write(one, meter.NullUsageAt, default, ref written, ref more);
            }

            if (!framer.Overflowed) continue;
            framer.Dispose();
            throw new InvalidDataException("the provider's stream begins with an event that is too long");
        }

        // The beginning of an event goes out with its rest.
        var given = shown is null ? new ArraySegment<byte>(begun, 0, used - framer.Unfinished.Length) : shown.ToArray();
        if (kind == EventKind.Error)
        {
            framer.Dispose();
            source.Dispose();
            var fault = ProviderFault.InStream(meter.Error ?? "error");
            attempt.Failed(fault.Scope == FaultScope.Request ? AttemptOutcome.Rejected : AttemptOutcome.Failed, fault.Word, (int)answer.StatusCode);
            Replace(answer, given);
            return (answer, fault);
        }

        benches.Began(target, call.SentModel);
        attempt.FirstByte();
        var stream = new AnswerStream(call, attempt, meter, framer, source, answer.Content, given, Watch(call, limits), Judge(call, target));
        stream.Note(last);
        call.Body = default;
        answer.Content = new AnswerContent(stream, answer.Content.Headers);
        return (answer, null);
    }

    /// <summary>Plain, whatever the provider did in spite of what it was asked for: what is compressed cannot be metered.</summary>
    private static async Task<Stream> ContentAsync(HttpResponseMessage answer, CancellationToken ct)
    {
        var stream = await answer.Content.ReadAsStreamAsync(ct);
        var encoding = answer.Content.Headers.ContentEncoding;
        if (encoding.Count == 0 || encoding.All(one => one == "identity")) return stream;
        Stream plain = string.Join(',', encoding) switch
        {
            "gzip" or "x-gzip" => new GZipStream(stream, CompressionMode.Decompress),
            "deflate" => new ZLibStream(stream, CompressionMode.Decompress),
            "br" => new BrotliStream(stream, CompressionMode.Decompress),
            var other => throw new InvalidDataException($"the provider answered in the encoding {other}"),
        };
        encoding.Clear();
        answer.Content.Headers.ContentLength = null;
        return plain;
    }

    private IdleWatch Watch(Call call, GatewayLimits limits) => new(TimeSpan.FromSeconds(limits.IdleSeconds), call.Client, closing.Over);

    private static void Replace(HttpResponseMessage answer, ReadOnlyMemory<byte> body)
    {
        var old = answer.Content;
        answer.Content = new WholeContent(body);
        foreach (var (name, values) in old.Headers.NonValidated)
            if (!name.Equals("Content-Length", StringComparison.OrdinalIgnoreCase)) answer.Content.Headers.TryAddWithoutValidation(name, values);
        old.Dispose();
    }

    private TimeSpan? Waits(HttpResponseMessage answer)
    {
        string? Header(string name) => answer.Headers.NonValidated.TryGetValues(name, out var values) ? values.ToString() : null;
        string? Reset(string kind) => Header($"x-ratelimit-remaining-{kind}") == "0" ? Header($"x-ratelimit-reset-{kind}") : Header($"anthropic-ratelimit-{kind}-remaining") == "0" ? Header($"anthropic-ratelimit-{kind}-reset") : null;
        return ProviderFault.Wait(Header("retry-after-ms") ?? Header("x-ms-retry-after-ms"), Header("retry-after"), Reset("requests") ?? Reset("tokens"), clock.GetUtcNow());
    }

    /// <summary>Of an answer that goes on after its beginning: how it ended; null where well.</summary>
    private Action<ProviderFault?> Judge(Call call, Target target) => fault =>
    {
        if (fault is null) benches.Succeeded(target, call.SentModel);
        else if (fault.Value.Scope != FaultScope.Request) Bench(call, target, fault.Value);
    };

    private void Bench(Call call, Target target, in ProviderFault fault)
    {
        benches.Failed(target, call.SentModel, fault, clock.GetUtcNow());
        metrics.Failed(target, fault);
    }

    /// <summary>The gateway has asked whom it could: the client's own retries would only do the same again.</summary>
    private static HttpResponseMessage Final(HttpResponseMessage answer, Call call)
    {
        if (call.Tried.Count <= 1) return answer;
        answer.Headers.Remove(Names.Headers.ShouldRetry);
        answer.Headers.TryAddWithoutValidation(Names.Headers.ShouldRetry, "false");
        return answer;
    }

    private HttpResponseMessage AllBenched(Call call, IReadOnlyList<Target> targets, DateTimeOffset now)
    {
        var nearest = targets.Min(target => benches.Until(target, call.SentModel, now)) is { } until ? until - now : TimeSpan.FromSeconds(1);
        return Own(call, WireError.Unavailable(call.Format, "providers_unavailable", $"Every provider and key for this call is set aside after failures; the first is tried again in {Math.Ceiling(nearest.TotalSeconds)} s."), nearest);
    }

    private static HttpResponseMessage Own(Call call, WireError error, TimeSpan? wait = null)
    {
        var answer = new HttpResponseMessage((HttpStatusCode)error.Status) { Content = new WholeContent(error.Body(call.Format, call.OperationId)) };
        answer.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        if (wait is { } time) answer.Headers.RetryAfter = new RetryConditionHeaderValue(TimeSpan.FromSeconds(Math.Max(1, Math.Ceiling(time.TotalSeconds))));
        return answer;
    }
}
