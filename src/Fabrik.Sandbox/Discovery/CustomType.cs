using System.Text.Json.Nodes;
using Fabrik.Sandbox.Patches;
using Fabrik.Sandbox.Schema;
using Fabrik.Sandbox.Store;
using Fabrik.Sandbox.Validation;

namespace Fabrik.Sandbox.Discovery;

/// <summary>What one version of a CustomResourceDefinition says about its objects.</summary>
public sealed class CustomType
{
    private CustomType(JsonObject definition, JsonObject version)
    {
        Definition = definition;
        Version = version;
        var schema = version.At("schema", "openAPIV3Schema") as JsonObject;
        Schema = new(schema);
        Shape = FieldShape.Of(schema);
        SelectableFields = [.. version.Items("selectableFields").Select(field => field.Text("jsonPath") ?? "")];
    }

    /// <summary>The CustomResourceDefinition, not to be changed.</summary>
    public JsonObject Definition { get; }

    /// <summary>The entry of spec.versions.</summary>
    public JsonObject Version { get; }

    public CustomSchema Schema { get; }

    public FieldShape Shape { get; }

    public IReadOnlyList<string> SelectableFields { get; }

    /// <summary>One resource per served version, the storage version's first.</summary>
    public static IReadOnlyList<ResourceType> Of(JsonObject definition)
    {
        var spec = definition["spec"];
        var (group, plural, kind) = (spec.Text("group") ?? "", spec.Text("names", "plural") ?? "", spec.Text("names", "kind") ?? "");
        return [.. spec.Items("versions").OfType<JsonObject>()
            .Where(version => version.Flag("served") == true)
            .OrderByDescending(version => version.Flag("storage") == true)
            .Select(version => new ResourceType(group, version.Text("name") ?? "", plural, kind, spec.Text("scope") == "Namespaced")
            {
                Singular = spec.Text("names", "singular") is { Length: > 0 } singular ? singular : kind.ToLowerInvariant(),
                ListKind = spec.Text("names", "listKind") is { Length: > 0 } list ? list : kind + "List",
                ShortNames = [.. spec.Texts("names", "shortNames")],
                Categories = [.. spec.Texts("names", "categories")],
                Subresources = version.At("subresources", "status") is null ? [] : [new("status", group, version.Text("name") ?? "", kind, ResourceType.StatusVerbs)],
                Verbs = ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"],
                Custom = new(definition, version),
            })];
    }

    /// <summary>The status by which a definition says that it is served: at once, nobody else could object.</summary>
    public static JsonObject Status(JsonObject definition, string now)
    {
        var old = definition["status"];
        JsonObject Condition(string type, string reason, string message) => new()
        {
            ["type"] = type,
            ["status"] = "True",
            ["lastTransitionTime"] = old.Items("conditions").FirstOrDefault(each => each.Text("type") == type).Text("lastTransitionTime") ?? now,
            ["reason"] = reason,
            ["message"] = message,
        };
        return new()
        {
            ["conditions"] = new JsonArray(
                Condition("NamesAccepted", "NoConflicts", "no conflicts found"), Condition("Established", "InitialNamesAccepted", "the initial names have been accepted")),
            ["acceptedNames"] = definition.At("spec", "names")?.DeepClone(),
            ["storedVersions"] = new JsonArray([.. old.Texts("storedVersions")
                .Concat(definition.Items("spec", "versions").Where(version => version.Flag("storage") == true).Select(version => version.Text("name") ?? ""))
                .Distinct().Select(version => (JsonNode)version)]),
        };
    }
}
