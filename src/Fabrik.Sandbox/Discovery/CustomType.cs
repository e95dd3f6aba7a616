using System.Text.Json.Nodes;

namespace Fabrik.Sandbox.Discovery;

/// <summary>What one version of a CustomResourceDefinition says about its objects.</summary>
public sealed record CustomType(JsonObject Definition, JsonObject Version)
{
    /// <summary>The openAPIV3Schema, or null when the version has none.</summary>
    public JsonObject? Schema => Version["schema"]?["openAPIV3Schema"] as JsonObject;

    public string[] SelectableFields { get; } =
        [.. (Version["selectableFields"] as JsonArray ?? []).Select(field => field?["jsonPath"]?.GetValue<string>() ?? "")];
}
