using System.Text.Json.Nodes;
using Fabrik.Sandbox.Discovery;
using Fabrik.Sandbox.Store;
using Fabrik.Sandbox.Tables;

namespace Fabrik.Sandbox.Server;

/// <summary>The forms in which a stored object is shown.</summary>
public static class Views
{
    /// <summary>The object's bytes as this resource shows it: another version or view of the stored kind has its own apiVersion.</summary>
    public static ReadOnlyMemory<byte> Bytes(ResourceType type, StoredObject stored) =>
        ReferenceEquals(type, stored.Type) || type.ApiVersion == stored.Type.ApiVersion ? stored.Json : ObjectJson.Serialize(Content(type, stored), type.Kind, type.ApiVersion);

    /// <summary>Bytes taken by kind and apiVersion at the beginning of an object of this resource, with the opening brace.</summary>
    public static int KindLength(ResourceType type) => """{"kind":"","apiVersion":"",""".Length + type.Kind.Length + type.ApiVersion.Length;

    public static JsonObject Content(ResourceType type, StoredObject stored)
    {
        var content = stored.Read();
        if (type.ApiVersion == stored.Type.ApiVersion) return content;
        return type.Storage == BuiltInTypes.Event.Storage ? EventViews.Convert(content, type) : Renamed(content, type);
    }

    public static JsonObject Metadata(StoredObject stored) => new()
    {
        ["kind"] = "PartialObjectMetadata",
        ["apiVersion"] = "meta.k8s.io/v1",
        ["metadata"] = stored.Read().Metadata().DeepClone(),
    };

    public static JsonObject MetadataList(ResourceType type, IReadOnlyList<StoredObject> page, JsonObject metadata) => new()
    {
        ["kind"] = "PartialObjectMetadataList",
        ["apiVersion"] = "meta.k8s.io/v1",
        ["metadata"] = metadata,
        ["items"] = new JsonArray([.. page.Select(Metadata)]),
    };

    public static JsonObject Table(ResourceType type, IReadOnlyList<StoredObject> page, JsonObject metadata, Cluster cluster, IncludeObject include) =>
        TypeRules.Table(type, [.. page.Select(stored => Content(type, stored))], metadata, cluster.Clock.GetUtcNow(), include);

    private static JsonObject Renamed(JsonObject content, ResourceType type)
    {
        content["apiVersion"] = type.ApiVersion;
        return content;
    }
}
