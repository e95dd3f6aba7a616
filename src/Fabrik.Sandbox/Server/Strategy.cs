using System.Text.Json.Nodes;
using Fabrik.Sandbox.Discovery;
using Fabrik.Sandbox.Schema;
using Fabrik.Sandbox.Store;
using Fabrik.Sandbox.Validation;

namespace Fabrik.Sandbox.Server;

/// <summary>What the server itself writes into an object on its way to the store, where the object alone does not tell it.</summary>
public static class Strategy
{
    /// <summary>Name and uid are set. Done again when the generated name was taken.</summary>
    public static void PrepareForCreate(ResourceType type, JsonObject content, string now)
    {
        if (type is { Custom: not null, HasStatus: true }) content.Remove("status");
        Lifecycle.PrepareCreate(content);
        if (type == BuiltInTypes.Namespace) content.Metadata().Child("labels")[Names.Labels.NamespaceName] = content.Metadata().Text("name");
        if (type == BuiltInTypes.CustomResourceDefinition) content["status"] = CustomType.Status(content, now);
    }

    public static void PrepareForUpdate(ResourceType type, JsonObject content, JsonObject old, string subresource, string now)
    {
        if (subresource == "status") KeepAllButStatus(type, old, content);
        else if (type.HasStatus)
        {
            content.Remove("status");
            if (old["status"] is { } status) content["status"] = status.DeepClone();
        }

        if (type == BuiltInTypes.CustomResourceDefinition && subresource.Length == 0) content["status"] = CustomType.Status(content, now);
        if (type == BuiltInTypes.Secret) Lifecycle.PrepareUpdate(content, old);
        if (subresource == "status" && type == BuiltInTypes.Pod && old.Text("status", "qosClass") is { } quality) content.Child("status")["qosClass"] ??= quality;
    }

    /// <summary>After admission: a change outside metadata and status makes a new generation, where the kind counts them.</summary>
    public static void CountGeneration(ResourceType type, JsonObject content, JsonObject old)
    {
        if (old.Number("metadata", "generation") is not { } generation) return;
        bool Counts(string key) => key is not ("metadata" or "kind" or "apiVersion") && (key != "status" || !type.HasStatus);
        var changed = content.Any(property => Counts(property.Key) && !JsonNode.DeepEquals(property.Value, old[property.Key]))
            || old.Any(property => Counts(property.Key) && !content.ContainsKey(property.Key));
        content.Metadata()["generation"] = changed ? generation + 1 : generation;
    }

    // Built-in kinds let labels and annotations through with a status; custom resources keep all metadata.
    private static void KeepAllButStatus(ResourceType type, JsonObject old, JsonObject content)
    {
        foreach (var name in content.Select(property => property.Key).Where(key => key is not ("metadata" or "status")).ToList()) content.Remove(name);
        foreach (var (name, value) in old)
        {
            if (name is not ("metadata" or "status")) content[name] = value?.DeepClone();
        }

        if (type.Custom is null)
        {
            content.Metadata().Remove("ownerReferences");
            if (old.At("metadata", "ownerReferences") is { } owners) content.Metadata()["ownerReferences"] = owners.DeepClone();
            return;
        }

        var managed = content.At("metadata", "managedFields")?.DeepClone();
        content["metadata"] = old.Metadata().DeepClone();
        if (managed is not null) content.Metadata()["managedFields"] = managed;
    }
}
