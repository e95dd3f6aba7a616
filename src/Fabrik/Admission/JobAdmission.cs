using System.Buffers;
using System.Text.Json;

namespace Fabrik.Admission;

/// <summary>AdmissionReview in, AdmissionReview out. Depends on nothing but its arguments, throws nothing, denies nothing.</summary>
public static class JobAdmission
{
    /// <summary>Bytes of a request; more is answered with 413 before it comes here.</summary>
    public const int MaximumRequest = 3 * 1024 * 1024;

    private const int MaximumUid = 128;

    /// <param name="body">The request's body, whole.</param>
    /// <param name="snapshot">What is known about the cluster.</param>
    /// <param name="staleness">Time since the watches behind the snapshot last heard anything, the slowest of them.</param>
    /// <param name="now">UTC: from when on a run token lives.</param>
    /// <param name="response">Receives the answer, except for <see cref="AdmissionResult.BadRequest"/>.</param>
    public static AdmissionOutcome Review(ReadOnlyMemory<byte> body, AdmissionSnapshot snapshot, TimeSpan staleness, DateTimeOffset now, IBufferWriter<byte> response)
    {
        if (body.Length > MaximumRequest) return Bad(AdmissionReasons.TooLarge, $"the body has more than {MaximumRequest} bytes");
        if (!System.Text.Unicode.Utf8.IsValid(body.Span)) return Bad(AdmissionReasons.NotJson, "the body is not UTF-8");
        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(body);
        }
        catch (JsonException error)
        {
            return Bad(AdmissionReasons.NotJson, $"the body is not JSON, or nested deeper than 64 (line {error.LineNumber}, byte {error.BytePositionInLine}); send an AdmissionReview");
        }

        using (document) return Review(body, document.RootElement, snapshot, staleness, now, response);
    }

    private static AdmissionOutcome Review(ReadOnlyMemory<byte> body, JsonElement review, AdmissionSnapshot snapshot, TimeSpan staleness, DateTimeOffset now, IBufferWriter<byte> response)
    {
        var version = review.Member("apiVersion"u8);
        if (!review.Member("kind"u8).Is("AdmissionReview"u8) || version.ValueKind != JsonValueKind.String) return Bad(AdmissionReasons.NotAReview, "the body is not an AdmissionReview");
        if (!version.Is("admission.k8s.io/v1"u8)) return Bad(AdmissionReasons.WrongVersion, "the AdmissionReview is not of version admission.k8s.io/v1, the only one understood; list v1 alone in admissionReviewVersions");
        var request = review.Member("request"u8);
        var uid = request.Member("uid"u8);
        if (uid.ValueKind != JsonValueKind.String || Json.Raw(uid).Length is <= 2 or > MaximumUid) return Bad(AdmissionReasons.NotAReview, "the AdmissionReview has no request with a uid of 1 to 126 bytes");

        using var patch = new PooledBuffer();
        AdmissionOutcome outcome;
        try
        {
            outcome = Decide(body, new ReviewRequest(request), snapshot, staleness, now, patch);
        }
        catch (Exception)
        {
            // Fails open: whatever a Job carries must not keep it from being created.
            patch.Clear();
            outcome = new AdmissionOutcome(AdmissionResult.Untouched, AdmissionReasons.Unexpected);
        }

        ReviewResponse.Write(response, uid, outcome, outcome.Result == AdmissionResult.Patched ? patch.Written.Span : default);
        return outcome;
    }

    private static AdmissionOutcome Decide(ReadOnlyMemory<byte> body, in ReviewRequest request, AdmissionSnapshot snapshot, TimeSpan staleness, DateTimeOffset now, PooledBuffer patch)
    {
        if (!request.IsJob) return request.Untouched(AdmissionReasons.OtherKind);
        if (!request.IsCreate && !request.IsUpdate) return request.Untouched(AdmissionReasons.OtherOperation);
        if (NamespaceFacts.IsExcluded(request.Namespace)) return request.Untouched(AdmissionReasons.ExcludedNamespace);
        if (JobDraft.Read(body, request.Json.Member("object"u8)) is not { } job) return request.Untouched(AdmissionReasons.MalformedJob);
        AdmissionOutcome outcome;
        if (request.IsCreate) outcome = CreateAdmission.Admit(request, job, snapshot, staleness, now);
        else if (JobDraft.Read(body, request.Json.Member("oldObject"u8)) is { } old) outcome = UpdateAdmission.Admit(request, job, old, snapshot);
        else return request.Untouched(AdmissionReasons.MalformedJob);
        if (outcome.Result == AdmissionResult.Patched && Write(job, patch) is { } problem) return request.Untouched(problem);
        return outcome with { Resume = job.ResumeNotice };
    }

    /// <summary>
    /// Writes the patch, reads it as the API server will, and looks at what the Job becomes: a patch that does not apply would fail the user's request
    /// although failures of the webhook are ignored. Returns why it must not be sent, or null.
    /// </summary>
    private static string? Write(JobDraft job, PooledBuffer patch)
    {
        int count;
        using (var path = new PooledBuffer(256))
        using (var writer = new Utf8JsonWriter(patch, Json.Writing)) count = new JobPatch(job, writer, path).Write();
        var operations = new PatchOperation[count];
        if (count == 0 || !PatchOperations.Read(patch.Written.Span, operations)) return AdmissionReasons.InvalidResult;
        var isAmbiguous = false;
        var holds = ResultCheck.Holds(job, new PatchedValue(job.Job, patch.Written.Span, operations, ref isAmbiguous));
        if (isAmbiguous || Array.Exists(job.Containers, container => container.IsAmbiguous)) return AdmissionReasons.DuplicateNames;
        return holds && Array.TrueForAll(operations, operation => operation.IsUsed) ? null : AdmissionReasons.InvalidResult;
    }

    private static AdmissionOutcome Bad(string reason, string message) => new(AdmissionResult.BadRequest, reason, Message: message);
}
