using System.Text.Json.Nodes;
using Fabrik.Sandbox.Discovery;
using Fabrik.Sandbox.Patches;
using Fabrik.Sandbox.Schema;

namespace Fabrik.Sandbox.Server;

/// <summary>Who set which field: metadata.managedFields.</summary>
public static class Ownership
{
    /// <summary>Notes the request's manager for what the change from <paramref name="old"/> (null: nothing) to <paramref name="changed"/> set.</summary>
    public static void Track(ResourceType type, JsonObject? old, JsonObject changed, RequestContext context, DateTimeOffset now, string subresource = "")
    {
        // Who sends entries of his own has edited them, as kubectl does when it moves to server-side apply: they are the ones to go on from.
        if (old is not null && changed.At("metadata", "managedFields") is JsonArray { Count: > 0 } sent && !JsonNode.DeepEquals(sent, old.At("metadata", "managedFields")))
        {
            old = (JsonObject)old.DeepClone();
            old.Child("metadata")["managedFields"] = sent.DeepClone();
        }

        ManagedFields.Update(old, changed, TypeRules.Shape(type), new FieldWriter(context.FieldManager, type.ApiVersion, now, subresource));
    }
}
