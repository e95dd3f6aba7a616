using System.Text.Json.Nodes;
using Fabrik.Cli.Installing;
using Fabrik.Kubernetes;

namespace Fabrik.Tests.Manifests;

/// <summary>Where nobody has installed the Prometheus operator: its kinds that Fabrik's monitoring uses, without their rules.</summary>
internal static class PrometheusOperator
{
    private const string Group = "monitoring.coreos.com";

    public static async Task DefineAsync(KubernetesClient client)
    {
        foreach (var type in ShippedManifests.Overlay(ShippedManifests.Monitoring).Select(ManifestFiles.Type).Where(type => type.Group == Group).Distinct())
        {
            var definition = new JsonObject
            {
                ["apiVersion"] = "apiextensions.k8s.io/v1",
                ["kind"] = "CustomResourceDefinition",
                ["metadata"] = new JsonObject { ["name"] = $"{type.Plural}.{type.Group}" },
                ["spec"] = new JsonObject
                {
                    ["group"] = type.Group,
                    ["scope"] = "Namespaced",
                    ["names"] = new JsonObject { ["plural"] = type.Plural, ["kind"] = type.Kind, ["singular"] = type.Kind.ToLowerInvariant(), ["listKind"] = type.Kind + "List" },
                    ["versions"] = new JsonArray(new JsonObject { ["name"] = type.Version, ["served"] = true, ["storage"] = true, ["schema"] = new JsonObject { ["openAPIV3Schema"] = new JsonObject { ["type"] = "object", ["x-kubernetes-preserve-unknown-fields"] = true } } }),
                },
            };
            await client.PatchAsync(Kinds.CustomResourceDefinition, null, $"{type.Plural}.{type.Group}", PatchType.Apply, definition, TestContext.Current.CancellationToken, new WriteOptions { FieldManager = "fabrik-tests", Force = true });
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
}
