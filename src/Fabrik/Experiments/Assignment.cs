using System.Buffers.Text;
using System.Text;
using System.Text.Json;

namespace Fabrik.Experiments;

/// <summary>
/// The signed record of a Job's arm, written once at creation as the annotation fabrik.dev/assignment: compact JSON whose last member
/// hmac is the base64url HMAC-SHA256 of every byte before it.
/// </summary>
public sealed record Assignment
{
    public const int Version = 1;
    public const int RunIdLength = 26;

    /// <summary>Bytes; a longer annotation is not read.</summary>
    public const int MaximumSize = 32 * 1024;

    private const int SignatureLength = 43;
    private const string BeforeSignature = ",\"hmac\":\"";

    public required Arm Arm { get; init; }

    /// <summary>The change the arm belongs to: of a control the one in the lowest slot, of an applied Job the last put on; null for holdout and none.</summary>
    public string? Change { get; init; }

    /// <summary>metadata.generation of <see cref="Change"/> when it was put on.</summary>
    public long Generation { get; init; }

    /// <summary>Changes whose experiment the Job counts in, by slot: one for a treatment, every matching one for a control. A Job whose bucket another experiment treats is in none.</summary>
    public IReadOnlyList<string> Experiments { get; init; } = [];

    /// <summary>Applied changes that were put on, in order.</summary>
    public IReadOnlyList<string> Applied { get; init; } = [];

    /// <summary>What was changed on the Job, labels and annotations aside.</summary>
    public IReadOnlyList<WrittenValue> Written { get; init; } = [];

    /// <summary>The size of the volume that the Job was given to resume from, as its author wrote it; null where it was given none.</summary>
    public string? Resume { get; init; }
    public required string RunId { get; init; }

    /// <summary>UID of the admission request that created the Job.</summary>
    public required string Unit { get; init; }
    public required int Bucket { get; init; }
    public required string Namespace { get; init; }

    /// <summary>Null where the Job was sent with a generateName alone.</summary>
    public string? Name { get; init; }
    public string? GenerateName { get; init; }

    /// <summary>False for the annotation of another Job: a copy is not its own.</summary>
    public bool IsOf(string @namespace, string name, string? generateName) =>
        Namespace == @namespace && (Name is not null ? Name == name : GenerateName == generateName && GenerateName is { Length: > 0 } && name.StartsWith(GenerateName, StringComparison.Ordinal));

    /// <summary>Of a persisted Job; null when it carries none, or one that is not signed by us or not its own.</summary>
    public static Assignment? Of(JsonElement job, AssignmentKeys keys)
    {
        if (job.ValueKind != JsonValueKind.Object || !job.TryGetProperty("metadata", out var metadata) || metadata.ValueKind != JsonValueKind.Object) return null;
        if (!metadata.TryGetProperty("annotations", out var annotations) || annotations.ValueKind != JsonValueKind.Object) return null;
        if (!annotations.TryGetProperty(Names.Annotations.Assignment, out var annotation) || annotation.ValueKind != JsonValueKind.String) return null;
        return Verify(annotation.GetString()!, keys) is { } found && found.IsOf(Text("namespace") ?? "", Text("name") ?? "", Text("generateName")) ? found : null;

        string? Text(string name) => metadata.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
    }

    /// <summary>Null unless the annotation was signed with one of the keys. Whose Job it is must still be asked: <see cref="IsOf"/>.</summary>
    public static Assignment? Verify(string annotation, AssignmentKeys keys) =>
        annotation.Length > MaximumSize ? null : Verify(Encoding.UTF8.GetBytes(annotation), keys);

    /// <summary>As above, on UTF-8.</summary>
    public static Assignment? Verify(ReadOnlyMemory<byte> annotation, AssignmentKeys keys)
    {
        var text = annotation.Span;
        var end = text.Length - SignatureLength - 2;
        if (text.Length > MaximumSize || end < BeforeSignature.Length || !text.EndsWith("\"}"u8) || !text[..end].EndsWith(",\"hmac\":\""u8)) return null;
        Span<byte> signature = stackalloc byte[AssignmentKeys.SignatureBytes];
        if (Base64Url.DecodeFromUtf8(text.Slice(end, SignatureLength), signature, out _, out var decoded) != System.Buffers.OperationStatus.Done || decoded != signature.Length) return null;
        if (!keys.Verifies(text[..(end - BeforeSignature.Length)], signature)) return null;
        try
        {
            using var document = JsonDocument.Parse(annotation);
            return Read(document.RootElement);
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException or KeyNotFoundException or FormatException)
        {
            // Signed by a version that wrote something else.
            return null;
        }
    }

    private static Assignment? Read(JsonElement json) => json.GetProperty("v").GetInt32() != Version ? null : new Assignment
    {
        Arm = json.GetProperty("arm").Deserialize(ObjectJson.Default.Arm),
        Change = Text(json, "change"),
        Generation = json.TryGetProperty("generation", out var generation) ? generation.GetInt64() : 0,
        Experiments = Texts(json, "experiments"),
        Applied = Texts(json, "applied"),
        Written = json.TryGetProperty("written", out var written) ? [.. written.EnumerateArray().Select(WrittenValue.Read)] : [],
        Resume = Text(json, "resume"),
        RunId = json.GetProperty("runId").GetString()!,
        Unit = json.GetProperty("unit").GetString()!,
        Bucket = json.GetProperty("bucket").GetInt32(),
        Namespace = json.GetProperty("namespace").GetString()!,
        Name = Text(json, "name"),
        GenerateName = Text(json, "generateName"),
    };

    private static string? Text(JsonElement json, string name) => json.TryGetProperty(name, out var value) ? value.GetString() : null;

    private static string[] Texts(JsonElement json, string name) => json.TryGetProperty(name, out var values) ? [.. values.EnumerateArray().Select(value => value.GetString()!)] : [];
}
