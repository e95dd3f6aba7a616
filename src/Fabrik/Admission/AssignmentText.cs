using System.Buffers.Text;
using System.Text.Json;
using Fabrik.Experiments;

namespace Fabrik.Admission;

/// <summary>Writes the signed annotation.</summary>
internal static class AssignmentText
{
    /// <summary>Bytes; well below what is read back.</summary>
    private const int MaximumSize = 16 * 1024;

    /// <returns>The annotation as a JSON string, or null where it would be too long.</returns>
    public static byte[]? Write(JobDraft job, Draw draw, AssignmentKeys keys)
    {
        using var text = new PooledBuffer(2048);
        using var path = new PooledBuffer(256);
        using (var writer = new Utf8JsonWriter(text, Json.Writing))
        {
            writer.WriteStartObject();
            writer.WriteNumber("v"u8, Assignment.Version);
            writer.WriteString("arm"u8, Arms.Utf8(draw.Arm));
            if (draw.Change is { } change)
            {
                writer.WriteString("change"u8, change.Name);
                writer.WriteNumber("generation"u8, change.Generation);
            }

            Changes(writer, "experiments"u8, draw.Experiments);
            Changes(writer, "applied"u8, draw.Applied);
            Written(writer, path, job);
            if (job.Resume is { } resume)
            {
                writer.WritePropertyName("resume"u8);
                writer.WriteRawValue(resume, skipInputValidation: true);
            }

            writer.WriteString("runId"u8, draw.RunId);
            writer.WriteString("unit"u8, draw.Unit);
            writer.WriteNumber("bucket"u8, draw.Bucket);
            writer.WriteString("namespace"u8, draw.Namespace);
            Name(writer, job);
            writer.Flush();
        }

        // What is signed is every byte up to here.
        Span<byte> signature = stackalloc byte[AssignmentKeys.SignatureBytes];
        keys.Sign(text.Written.Span, signature);
        Span<byte> encoded = stackalloc byte[48];
        Base64Url.EncodeToUtf8(signature, encoded, out _, out var length);
        text.Add(",\"hmac\":\""u8);
        text.Add(encoded[..length]);
        text.Add("\"}"u8);
        return text.Written.Length > MaximumSize ? null : Json.String(text.Written.Span);
    }

    private static void Written(Utf8JsonWriter writer, PooledBuffer path, JobDraft job)
    {
        var any = false;
        foreach (var value in job.Written())
        {
            if (!any) writer.WriteStartArray("written"u8);
            any = true;
            writer.WriteStartObject();
            path.Clear();
            WrittenPaths.Append(path, value);
            writer.WriteString("path"u8, path.Written.Span);
            if (value.Container is { } container)
            {
                writer.WritePropertyName("container"u8);
                writer.WriteRawValue(Json.Raw(container.Name), skipInputValidation: true);
            }

            if (value.Field == JobField.Environment) writer.WriteString("variable"u8, value.Key);
            Value(writer, "from"u8, value.Original);
            Value(writer, "to"u8, RunIdentity.Recorded(value));
            writer.WriteEndObject();
        }

        if (any) writer.WriteEndArray();
    }

    private static void Value(Utf8JsonWriter writer, ReadOnlySpan<byte> name, ReadOnlyMemory<byte> value)
    {
        writer.WritePropertyName(name);
        if (value.Length == 0) writer.WriteNullValue();
        else writer.WriteRawValue(value.Span, skipInputValidation: true);
    }

    private static void Changes(Utf8JsonWriter writer, ReadOnlySpan<byte> name, List<CompiledChange> changes)
    {
        if (changes.Count == 0) return;
        writer.WriteStartArray(name);
        foreach (var one in changes) writer.WriteStringValue(one.Name);
        writer.WriteEndArray();
    }

    private static void Name(Utf8JsonWriter writer, JobDraft job)
    {
        var name = job.Metadata.Member("name"u8);
        var own = name.ValueKind == JsonValueKind.String && !name.ValueEquals(""u8);
        if (!own) name = job.Metadata.Member("generateName"u8);
        if (name.ValueKind != JsonValueKind.String) return;
        writer.WritePropertyName(own ? "name"u8 : "generateName"u8);
        writer.WriteRawValue(Json.Raw(name), skipInputValidation: true);
    }
}
