using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;

namespace Fabrik.Kubernetes;

/// <summary>An object as the API server sent it. Immutable; safe to keep and to share between threads.</summary>
public sealed class KubeObject
{
    private readonly JsonElement metadata;

    /// <summary>The element must own its memory (JsonElement.Clone) or outlive this object.</summary>
    public KubeObject(JsonElement json)
    {
        if (json.ValueKind != JsonValueKind.Object) throw new ArgumentException($"An object was expected, not {json.ValueKind}", nameof(json));
        Json = json;
        metadata = Property(json, "metadata"u8);
        Kind = Text(json, "kind"u8) ?? "";
        Name = Text(metadata, "name"u8) ?? "";
        Namespace = Text(metadata, "namespace"u8) is { Length: > 0 } ns ? ns : null;
        Uid = Text(metadata, "uid"u8);
        ResourceVersion = Text(metadata, "resourceVersion"u8);
        Key = Namespace is null ? Name : $"{Namespace}/{Name}";
    }

    public JsonElement Json { get; }

    public string Kind { get; }

    /// <summary>"" where the object has none: a review, or generateName before the server chose.</summary>
    public string Name { get; }

    /// <summary>Null for cluster-scoped objects.</summary>
    public string? Namespace { get; }

    public string? Uid { get; }

    public string? ResourceVersion { get; }

    /// <summary>"namespace/name", or "name" where there is no namespace: unique within one kind.</summary>
    public string Key { get; }

    public string? GenerateName => Text(metadata, "generateName"u8);

    public DateTimeOffset? CreationTimestamp => Time("creationTimestamp"u8);

    public DateTimeOffset? DeletionTimestamp => Time("deletionTimestamp"u8);

    public string? Label(string name) => Text(Property(metadata, "labels"u8), name);

    public string? Annotation(string name) => Text(Property(metadata, "annotations"u8), name);

    /// <summary>A copy that can be changed and sent back.</summary>
    public JsonObject ToNode() => JsonObject.Create(Json)!;

    public T? As<T>(JsonTypeInfo<T> type) => Json.Deserialize(type);

    public override string ToString() => $"{Kind} {Key} {ResourceVersion}";

    private DateTimeOffset? Time(ReadOnlySpan<byte> name) =>
        Property(metadata, name) is { ValueKind: JsonValueKind.String } value && value.TryGetDateTimeOffset(out var time) ? time : null;

    private static JsonElement Property(JsonElement of, ReadOnlySpan<byte> name) =>
        of.ValueKind == JsonValueKind.Object && of.TryGetProperty(name, out var value) ? value : default;

    private static string? Text(JsonElement of, ReadOnlySpan<byte> name) =>
        Property(of, name) is { ValueKind: JsonValueKind.String } value ? value.GetString() : null;

    private static string? Text(JsonElement of, string name) =>
        of.ValueKind == JsonValueKind.Object && of.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
