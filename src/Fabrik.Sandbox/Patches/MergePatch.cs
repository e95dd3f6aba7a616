using System.Text.Json.Nodes;
using Fabrik.Sandbox.Schema;

namespace Fabrik.Sandbox.Patches;

/// <summary>RFC 7386.</summary>
public static class MergePatch
{
    /// <summary>A new document; the arguments stay as they are.</summary>
    /// <exception cref="RequestException">400: the patch is not an object.</exception>
    public static JsonObject Apply(JsonObject document, JsonNode? patch)
    {
        if (patch is not JsonObject changes) throw RequestException.BadRequest("error decoding patch: json: the patch is not an object");
        return Merge(document, changes);
    }

    private static JsonObject Merge(JsonObject? target, JsonObject patch)
    {
        var result = target?.DeepClone().AsObject() ?? [];
        foreach (var (name, value) in patch)
        {
            if (value is null) result.Remove(name);
            else if (value is JsonObject inner) result[name] = Merge(result[name] as JsonObject, inner);
            else result[name] = value.DeepClone();
        }

        return result;
    }
}
