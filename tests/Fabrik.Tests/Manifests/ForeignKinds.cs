using System.Text.Json.Nodes;
using Fabrik.Kubernetes;

namespace Fabrik.Tests.Manifests;

/// <summary>Definitions of kinds that others bring into a cluster.</summary>
internal static class ForeignKinds
{
    /// <param name="schema">Null: any field is taken.</param>
    public static async Task DefineAsync(KubernetesClient client, ResourceKind type, JsonObject? schema = null)
    {
        var name = $"{type.Plural}.{type.Group}";
        var version = new JsonObject
        {
            ["name"] = type.Version,
            ["served"] = true,
            ["storage"] = true,
            ["schema"] = new JsonObject { ["openAPIV3Schema"] = schema ?? new JsonObject { ["type"] = "object", ["x-kubernetes-preserve-unknown-fields"] = true } },
        };
        if (schema is not null) version["subresources"] = new JsonObject { ["status"] = new JsonObject() };
        var definition = new JsonObject
        {
            ["apiVersion"] = "apiextensions.k8s.io/v1",
            ["kind"] = "CustomResourceDefinition",
            ["metadata"] = new JsonObject { ["name"] = name },
            ["spec"] = new JsonObject
            {
                ["group"] = type.Group,
                ["scope"] = "Namespaced",
                ["names"] = new JsonObject { ["plural"] = type.Plural, ["kind"] = type.Kind, ["singular"] = type.Kind.ToLowerInvariant(), ["listKind"] = type.Kind + "List" },
                ["versions"] = new JsonArray(version),
            },
        };
        await client.PatchAsync(Kinds.CustomResourceDefinition, null, name, PatchType.Apply, definition, TestContext.Current.CancellationToken, new WriteOptions { FieldManager = "fabrik-tests", Force = true });
        await Wait.UntilAsync($"{type.Plural} to be served", async () =>
        {
            try
            {
                await foreach (var _ in client.ListAsync(type, null, TestContext.Current.CancellationToken)) { }
                return true;
            }
            catch (KubernetesException error) when (error.IsNotFound)
            {
                return false;
            }
        });
    }
}
