using Fabrik.Cli.Installing;
using Fabrik.Kubernetes;

namespace Fabrik.Tests.Manifests;

/// <summary>Where nobody has installed the Prometheus operator: its kinds that Fabrik's monitoring uses, without their rules.</summary>
internal static class PrometheusOperator
{
    private const string Group = "monitoring.coreos.com";

    public static async Task DefineAsync(KubernetesClient client)
    {
        foreach (var type in ShippedManifests.Overlay(ShippedManifests.Monitoring).Select(ManifestFiles.Type).Where(type => type.Group == Group).Distinct()) await ForeignKinds.DefineAsync(client, type);
    }
}
