using System.Text.Json.Nodes;

namespace Fabrik.Sandbox.OpenApi;

/// <summary>A resource as an OpenAPI document shows it.</summary>
/// <param name="Group">Empty for the core group.</param>
/// <param name="Verbs">Such as create, get, list, patch.</param>
public sealed record ServedResource(string Group, string Version, string Plural, string Kind, bool Namespaced, IReadOnlyList<string> Verbs)
{
    public IReadOnlyList<ServedSubresource> Subresources { get; init; } = [];

    /// <summary>The openAPIV3Schema of a custom resource; null for built-in ones.</summary>
    public JsonObject? CustomSchema { get; init; }

    public bool IsCustom { get; init; }
}

/// <summary>A path below an object, with the kind of its bodies.</summary>
public sealed record ServedSubresource(string Name, string Group, string Version, string Kind, IReadOnlyList<string> Verbs);
