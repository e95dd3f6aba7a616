using System.IO.Pipelines;
using Fabrik.Admission;
using Fabrik.Kubernetes.Serving;
using Fabrik.Webhook.Snapshots;
using Microsoft.AspNetCore.Connections;

namespace Fabrik.Webhook.Reviews;

/// <summary>One AdmissionReview in, one out. Whatever happens the answer is never a 500 and never a refusal of the Job.</summary>
internal sealed partial class ReviewEndpoint(SnapshotKeeper snapshots, WebhookMetrics metrics, Drain drain, WarmUp warmUp, WebhookOptions options, ILogger<ReviewEndpoint> logger)
{
    /// <summary>What an API server accepts in a request; no review is larger by much.</summary>
    public const int MaximumBody = JobAdmission.MaximumRequest;

    private const int ResponseBytes = 4096;
    private readonly Occasionally occasionally = new(options.Clock);

    public async Task HandleAsync(HttpContext context)
    {
        var started = options.Clock.GetTimestamp();
        var request = context.Request;
        // Review is for the API server alone; the plain port is for health and metrics.
        if (!request.IsHttps)
        {
            await RefuseAsync(context, StatusCodes.Status404NotFound, "reviews are answered over HTTPS alone");
            return;
        }

        if (!IsJson(request.ContentType))
        {
            await RefuseAsync(context, StatusCodes.Status415UnsupportedMediaType, "the content type must be application/json");
            return;
        }

        if (request.ContentLength > MaximumBody)
        {
            await RefuseAsync(context, StatusCodes.Status413PayloadTooLarge, TooLarge);
            return;
        }

        using var body = new PooledBuffer((int)(request.ContentLength ?? 8192) + 1);
        try
        {
            if (!await ReadAsync(request.BodyReader, body))
            {
                await RefuseAsync(context, StatusCodes.Status413PayloadTooLarge, TooLarge);
                return;
            }

            await AnswerAsync(context, body.Written, started);
        }
        catch (BadHttpRequestException e)
        {
            await RefuseAsync(context, e.StatusCode, e.Message);
        }
        catch (Exception e) when (e is OperationCanceledException or ConnectionResetException or IOException)
        {
            // The caller is gone; there is nobody to answer.
            metrics.Refused(499);
        }
        catch (Exception e)
        {
            if (occasionally.May("unexpected", out var before)) Log.Unexpected(logger, before, e);
            await RefuseAsync(context, StatusCodes.Status503ServiceUnavailable, "the review failed; the Job is created as it came");
        }
    }

    private const string TooLarge = "the body is larger than 3 MiB";

    private async Task AnswerAsync(HttpContext context, ReadOnlyMemory<byte> body, long started)
    {
        if (snapshots.Current is not { } snapshot)
        {
            await RefuseAsync(context, StatusCodes.Status503ServiceUnavailable, "not ready: " + snapshots.Why());
            return;
        }

        using var answer = new PooledBuffer(ResponseBytes);
        var outcome = JobAdmission.Review(body, snapshot, snapshots.Staleness, options.Clock.GetUtcNow(), answer);
        if (outcome.Result == AdmissionResult.BadRequest)
        {
            await RefuseAsync(context, StatusCodes.Status400BadRequest, outcome.Message ?? outcome.Reason);
            return;
        }

        var response = context.Response;
        response.ContentType = "application/json";
        response.ContentLength = answer.Written.Length;
        if (drain.IsDraining) response.Headers.Connection = "close";
        var writer = response.BodyWriter;
        answer.Written.Span.CopyTo(writer.GetSpan(answer.Written.Length));
        writer.Advance(answer.Written.Length);
        await writer.FlushAsync();
        if (warmUp.IsOwn(context.Request)) return;
        metrics.Reviewed(outcome, options.Clock.GetElapsedTime(started));
        if (AdmissionReasons.IsDoubt(outcome.Reason) && occasionally.May(outcome.Reason, out var before)) Log.Doubt(logger, outcome.Operation, outcome.Reason, before);
    }

    /// <summary>False when there is more than is allowed.</summary>
    private static async ValueTask<bool> ReadAsync(PipeReader from, PooledBuffer into)
    {
        while (true)
        {
            var read = await from.ReadAsync();
            foreach (var part in read.Buffer) into.Add(part.Span);
            from.AdvanceTo(read.Buffer.End);
            if (into.Written.Length > MaximumBody) return false;
            if (read.IsCompleted) return true;
        }
    }

    private static bool IsJson(string? contentType)
    {
        var type = contentType.AsSpan();
        var end = type.IndexOf(';');
        return (end < 0 ? type : type[..end]).Trim().Equals("application/json", StringComparison.OrdinalIgnoreCase);
    }

    private async Task RefuseAsync(HttpContext context, int status, string why)
    {
        metrics.Refused(status);
        if (occasionally.May(status, out var before)) Log.Refused(logger, status, why, before);
        if (context.Response.HasStarted) return;
        context.Response.StatusCode = status;
        context.Response.ContentType = "text/plain; charset=utf-8";
        await context.Response.WriteAsync(why + "\n", context.RequestAborted);
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Warning, Message = "A request was refused with {Status}: {Why} ({Before} like it since the last time this was said)")]
        public static partial void Refused(ILogger logger, int status, string why, int before);

        [LoggerMessage(Level = LogLevel.Warning, Message = "A Job was left as it came on {Operation}: {Reason} ({Before} like it since the last time this was said)")]
        public static partial void Doubt(ILogger logger, string operation, string reason, int before);

        [LoggerMessage(Level = LogLevel.Error, Message = "A review failed ({Before} like it since the last time this was said)")]
        public static partial void Unexpected(ILogger logger, int before, Exception e);
    }
}
