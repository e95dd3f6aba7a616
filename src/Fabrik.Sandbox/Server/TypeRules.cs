using System.Text.Json.Nodes;
using Fabrik.Sandbox.Discovery;
using Fabrik.Sandbox.Store;

namespace Fabrik.Sandbox.Server;

/// <summary>The one place where the server asks what a type's fields mean: decoding, defaults, validation, patches, tables.</summary>
public static class TypeRules
{
    /// <summary>Fills in defaults. The object is changed.</summary>
    public static void Default(ResourceType type, JsonObject content)
    {
    }

    public static IReadOnlyList<FieldCause> Validate(ResourceType type, JsonObject content, JsonObject? old) => [];

    public static JsonObject Table(ResourceType type, IReadOnlyList<JsonObject> items, JsonObject metadata, DateTimeOffset now, bool wholeObjects) => new()
    {
        ["kind"] = "Table",
        ["apiVersion"] = "meta.k8s.io/v1",
        ["metadata"] = metadata,
        ["columnDefinitions"] = new JsonArray(new JsonObject { ["name"] = "Name", ["type"] = "string", ["format"] = "name", ["description"] = "", ["priority"] = 0 }),
        ["rows"] = new JsonArray([.. items.Select(item => new JsonObject
        {
            ["cells"] = new JsonArray(item.Metadata().Text("name")),
            ["object"] = wholeObjects ? item : new JsonObject { ["kind"] = "PartialObjectMetadata", ["apiVersion"] = "meta.k8s.io/v1", ["metadata"] = item.Metadata().DeepClone() },
        })]),
    };

    /// <summary>The object in the body of a create or update.</summary>
    public static JsonObject Decode(ResourceType type, byte[] body, string mediaType, RequestContext context)
    {
        if (mediaType is not ("" or "application/json")) throw ApiException.UnsupportedMediaType("application/json", "application/yaml", "application/vnd.kubernetes.protobuf");
        return RequestBody.ParseJson(body) as JsonObject ?? throw ApiException.BadRequest("the body is not an object");
    }

    /// <summary>Options and other small bodies that no strict rule applies to.</summary>
    public static JsonObject DecodeOptions(byte[] body, string mediaType) => RequestBody.ParseJson(body) as JsonObject ?? [];

    /// <summary>How a patch of this media type changes an object.</summary>
    public static Func<JsonObject?, JsonObject> Patch(ResourceType type, byte[] body, string mediaType, string subresource, RequestContext context, string now)
    {
        var patch = RequestBody.ParseJson(body);
        return mediaType switch
        {
            "application/merge-patch+json" or "application/strategic-merge-patch+json" => current => (JsonObject)Merge(current, patch)!,
            _ => throw ApiException.UnsupportedMediaType("application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml"),
        };
    }

    private static JsonNode? Merge(JsonNode? target, JsonNode? patch)
    {
        if (patch is not JsonObject changes) return patch?.DeepClone();
        var result = target as JsonObject ?? [];
        foreach (var (name, value) in changes)
        {
            if (value is null) result.Remove(name);
            else
            {
                var old = result[name];
                result.Remove(name);
                result[name] = Merge(old, value);
            }
        }

        return result;
    }
}
