using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.Sandbox.Discovery;

namespace Fabrik.Sandbox.Store;

/// <summary>One state of one object: bytes that are served as they are, and what selectors and owners are looked up by. Never changed.</summary>
public sealed class StoredObject
{
    private static readonly FrozenDictionary<string, string> Empty = FrozenDictionary<string, string>.Empty;

    private readonly int prefix;
    private ImmutableDictionary<string, string>? fields;

    public StoredObject(ResourceType type, JsonObject content, long resourceVersion)
    {
        Type = type;
        var metadata = content.Metadata();
        Namespace = metadata.Text("namespace") ?? "";
        Name = metadata.Text("name") ?? "";
        Uid = metadata.Text("uid") ?? "";
        ResourceVersion = resourceVersion;
        IsDeleting = metadata["deletionTimestamp"] is not null;
        Labels = metadata["labels"] is JsonObject { Count: > 0 } labels
            ? labels.ToDictionary(label => label.Key, label => label.Value.Text() ?? "", StringComparer.Ordinal)
            : Empty;
        Owners = metadata["ownerReferences"] is JsonArray { Count: > 0 } owners
            ? [.. owners.Select(owner => new OwnerReference(owner.Text("uid") ?? "", owner.Flag("blockOwnerDeletion") == true))]
            : [];
        var apiVersion = content.Text("apiVersion") ?? type.ApiVersion;
        Json = ObjectJson.Serialize(content, type.Kind, apiVersion);
        prefix = """{"kind":"","apiVersion":"",""".Length + type.Kind.Length + apiVersion.Length;
    }

    public ResourceType Type { get; }

    /// <summary>Empty for cluster-scoped objects.</summary>
    public string Namespace { get; }

    public string Name { get; }

    public string Uid { get; }

    public long ResourceVersion { get; }

    public bool IsDeleting { get; }

    public IReadOnlyDictionary<string, string> Labels { get; }

    public ImmutableArray<OwnerReference> Owners { get; }

    public byte[] Json { get; }

    /// <summary>Everything after kind and apiVersion: <c>"metadata":{…},…}</c>.</summary>
    public ReadOnlyMemory<byte> WithoutKind => Json.AsMemory(prefix);

    public string Key => Namespace.Length == 0 ? Name : $"{Namespace}/{Name}";

    /// <summary>A copy of its own that the caller may change.</summary>
    public JsonObject Read() => (JsonObject)JsonNode.Parse(Json)!;

    /// <summary>The value a field selector compares, empty when the object has none.</summary>
    public string Field(string path)
    {
        if (path == "metadata.name") return Name;
        if (path == "metadata.namespace") return Namespace;
        var known = fields ?? [];
        if (known.TryGetValue(path, out var value)) return value;
        value = ReadField(path);
        fields = known.SetItem(path, value);
        return value;
    }

    private string ReadField(string path)
    {
        using var document = JsonDocument.Parse(Json);
        var at = document.RootElement;
        foreach (var step in path.Split('.'))
        {
            if (at.ValueKind != JsonValueKind.Object || !at.TryGetProperty(step, out at)) return "";
        }

        return at.ValueKind switch
        {
            JsonValueKind.String => at.GetString() ?? "",
            JsonValueKind.Number => at.GetRawText(),
            JsonValueKind.True => "true",
            JsonValueKind.False => "false",
            _ => "",
        };
    }
}

public readonly record struct OwnerReference(string Uid, bool BlocksOwnerDeletion);
