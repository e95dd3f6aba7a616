using System.Buffers;
using System.Text.Json;

namespace Fabrik.Admission;

/// <summary>The answer: always allowed.</summary>
internal static class ReviewResponse
{
    public static void Write(IBufferWriter<byte> response, JsonElement uid, AdmissionOutcome outcome, ReadOnlySpan<byte> patch)
    {
        using var writer = new Utf8JsonWriter(response, Json.Writing);
        writer.WriteStartObject();
        writer.WriteString("apiVersion"u8, "admission.k8s.io/v1"u8);
        writer.WriteString("kind"u8, "AdmissionReview"u8);
        writer.WriteStartObject("response"u8);
        writer.WritePropertyName("uid"u8);
        writer.WriteRawValue(Json.Raw(uid), skipInputValidation: true);
        writer.WriteBoolean("allowed"u8, true);
        if (patch.Length > 0)
        {
            writer.WriteString("patchType"u8, "JSONPatch"u8);
            writer.WriteBase64String("patch"u8, patch);
        }

        if ((Warning(outcome.Reason), outcome.Resume is null ? null : Warning(outcome.Resume)) is var (warning, resume) && (warning ?? resume) is not null)
        {
            writer.WriteStartArray("warnings"u8);
            if (warning is not null) writer.WriteStringValue(warning);
            if (resume is not null) writer.WriteStringValue(resume);
            writer.WriteEndArray();
        }

        writer.WriteStartObject("auditAnnotations"u8);
        writer.WriteString("reason"u8, outcome.Reason);
        if (outcome.Arm is { } arm) writer.WriteString("arm"u8, Arms.Utf8(arm));
        if (outcome.Change is not null) writer.WriteString("change"u8, outcome.Change);
        if (outcome.Skipped is not null) writer.WriteString("skipped"u8, outcome.Skipped);
        if (outcome.Resume is not null) writer.WriteString("resume"u8, outcome.Resume);
        writer.WriteEndObject();
        writer.WriteEndObject();
        writer.WriteEndObject();
        writer.Flush();
    }

    /// <summary>At most 120 characters: longer ones may be cut.</summary>
    public static string? Warning(string reason) => reason switch
    {
        AdmissionReasons.CopyReassigned => "Fabrik: this Job is a copy of one it had assigned; the original values were restored and a new arm drawn",
        AdmissionReasons.CopyRestored => "Fabrik: this Job is a copy of one it had assigned; the original values were restored, no arm was drawn",
        AdmissionReasons.CopyUnknown => "Fabrik: labels or tokens copied from another Job were removed; this Job takes part in no experiment",
        AdmissionReasons.UnknownNamespace => "Fabrik: this namespace is not known yet; the Job is unchanged and takes part in no experiment",
        AdmissionReasons.MalformedJob => "Fabrik: this Job is not shaped as expected; it is unchanged and takes part in no experiment",
        AdmissionReasons.DuplicateNames => "Fabrik: this Job names a field twice; it is unchanged and takes part in no experiment",
        AdmissionReasons.TooLarge => "Fabrik: the record of the change would be too large; the Job is unchanged",
        AdmissionReasons.InvalidResult => "Fabrik: the changed Job would not be valid; it is unchanged and takes part in no experiment",
        AdmissionReasons.Unexpected => "Fabrik: something unexpected was found; the Job is unchanged and takes part in no experiment",
        AdmissionReasons.ResumeSize => "Fabrik: no volume to resume from: fabrik.dev/resume is not a size of 1Mi to 100Gi, such as 5Gi",
        AdmissionReasons.ResumeShared => "Fabrik: no volume to resume from: several Pods would share it (parallelism, Indexed); use one Job for each",
        AdmissionReasons.ResumeTaken => "Fabrik: no volume to resume from: volume fabrik-resume or a mount at /fabrik/resume is there already",
        AdmissionReasons.ResumeGroup => "Fabrik: the volume to resume from needs securityContext.fsGroup unless root writes; other volumes kept it unset",
        _ => null,
    };
}
