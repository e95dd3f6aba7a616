using System.Text.Json;

namespace Fabrik.Admission;

/// <summary>The members of an AdmissionReview's request that matter.</summary>
internal readonly ref struct ReviewRequest(JsonElement request)
{
    public JsonElement Json { get; } = request;
    public ReadOnlySpan<byte> Unit { get; } = Inner(request.Member("uid"u8));
    public ReadOnlySpan<byte> Namespace { get; } = Inner(request.Member("namespace"u8));
    public bool IsCreate { get; } = request.Member("operation"u8).Is("CREATE"u8);
    public bool IsUpdate { get; } = request.Member("operation"u8).Is("UPDATE"u8);
    public bool IsDryRun { get; } = request.Member("dryRun"u8).ValueKind == JsonValueKind.True;

    public bool IsJob
    {
        get
        {
            var (kind, resource, part) = (Json.Member("kind"u8), Json.Member("resource"u8).Member("resource"u8), Json.Member("subResource"u8));
            return kind.Member("group"u8).Is("batch"u8) && kind.Member("version"u8).Is("v1"u8) && kind.Member("kind"u8).Is("Job"u8)
                && resource.Is("jobs"u8) && (part.ValueKind == JsonValueKind.Undefined || part.Is(""u8));
        }
    }

    public AdmissionOutcome Patched(string reason) => new(AdmissionResult.Patched, reason, Operation, IsDryRun);

    public AdmissionOutcome Untouched(string reason) => new(AdmissionResult.Untouched, reason, Operation, IsDryRun);

    private string Operation => IsCreate ? "CREATE" : IsUpdate ? "UPDATE" : "";

    private static ReadOnlySpan<byte> Inner(JsonElement text) => text.ValueKind == JsonValueKind.String ? Admission.Json.Raw(text)[1..^1] : default;
}
