using System.Globalization;
using System.Text.Json;

namespace Fabrik.Checks;

/// <param name="Groups">Group and version of all that is served, such as "batch/v1".</param>
public sealed record ServerFacts(JsonElement Version, Reading<IReadOnlySet<string>> Groups, Reading<IReadOnlyList<JsonElement>> Nodes);

/// <summary>Whether this Kubernetes has what Fabrik is made for.</summary>
public static class VersionChecks
{
    public const int OldestMinor = 30;

    /// <summary>The newest that Fabrik's tests have met.</summary>
    public const int NewestMinor = 36;

    /// <summary>Kubernetes' own bound on how far kubelets may be behind.</summary>
    private const int KubeletBehind = 3;

    /// <summary>What manifests and processes use, each from the oldest version on.</summary>
    private static readonly string[] Used =
    [
        "v1", "apps/v1", "batch/v1", "autoscaling/v2", "policy/v1", "networking.k8s.io/v1", "rbac.authorization.k8s.io/v1", "coordination.k8s.io/v1", "scheduling.k8s.io/v1", "storage.k8s.io/v1",
        "apiextensions.k8s.io/v1", "admissionregistration.k8s.io/v1", "authentication.k8s.io/v1", "authorization.k8s.io/v1", "node.k8s.io/v1",
    ];

    public static readonly Category<ServerFacts> Category = new("kubernetes-version",
    [
        new("FAB-3011", $"Kubernetes is 1.{OldestMinor} or newer", facts => Minor(facts.Version) is not { } minor
            ? Finding.Failed($"its version cannot be read: {facts.Version.Text("gitVersion")}", "kubectl version")
            : minor < OldestMinor
                ? Finding.Failed($"{facts.Version.Text("gitVersion")} has no ValidatingAdmissionPolicy that is stable, and what a run may do would be enforced by nobody", $"upgrade the cluster to 1.{OldestMinor} or newer")
                : Finding.Passed(facts.Version.Text("gitVersion"))),
        new("FAB-3012", $"it is not newer than 1.{NewestMinor}, the newest that is tested", facts => Minor(facts.Version) is { } minor && minor > NewestMinor
            ? Finding.Warning($"{facts.Version.Text("gitVersion")} is newer than this version of Fabrik", "upgrade Fabrik before the cluster: fabrik version")
            : Finding.Passed()) { Needs = ["FAB-3011"] },
        new("FAB-3013", "every API that Fabrik uses is served", facts => facts.Groups.Judge(groups => Used.Where(used => !groups.Contains(used)).ToList() is { Count: > 0 } missing
            ? Finding.Failed($"not served: {string.Join(", ", missing)}", "look at the API server's --runtime-config; kubectl api-versions")
            : Finding.Passed($"{Used.Length} groups"))),
        new("FAB-3014", "there is a node that takes Pods", facts => facts.Nodes.Judge(
            nodes => nodes.Count == 0 ? Finding.Failed("the cluster has no node", "kubectl get nodes")
                : nodes.Count(Takes) is var ready and > 0 ? Finding.Passed($"{ready} of {nodes.Count}")
                : Finding.Failed($"none of {nodes.Count} nodes is ready and takes new Pods", "kubectl get nodes"))),
        new("FAB-3015", "every node runs Linux on amd64 or arm64", facts => facts.Nodes.Judge(nodes => nodes.Where(node => !Fits(node)).Select(Fields.Name).ToList() is { Count: > 0 } others
            ? Finding.Warning($"there are no images for {others.Few()}; Fabrik's own Pods go elsewhere, but runs may not", "give Jobs a nodeSelector: kubernetes.io/os=linux")
            : Finding.Passed())) { Needs = ["FAB-3014"] },
        new("FAB-3016", $"no kubelet is more than {KubeletBehind} versions behind the API server", facts => facts.Nodes.Judge(nodes =>
            nodes.Where(node => Minor(node.Text("status", "nodeInfo", "kubeletVersion")) is { } kubelet && Minor(facts.Version) - kubelet > KubeletBehind).Select(Fields.Name).ToList() is { Count: > 0 } old
            ? Finding.Warning($"{old.Few()}: Kubernetes does not support that", "upgrade these nodes: kubectl get nodes")
            : Finding.Passed())) { Needs = ["FAB-3011", "FAB-3014"] },
    ])
    { Needs = [AccessChecks.Answers] };

    /// <summary>Of /version; providers write "30+".</summary>
    public static int? Minor(JsonElement version) =>
        version.Text("major") == "1" && int.TryParse(version.Text("minor")?.TrimEnd('+'), NumberStyles.None, CultureInfo.InvariantCulture, out var minor) ? minor : Minor(version.Text("gitVersion"));

    /// <summary>Of v1.36.2 and the like.</summary>
    private static int? Minor(string? version) =>
        version?.Split('.') is ["v1", var minor, ..] && int.TryParse(minor, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;

    private static bool Takes(JsonElement node) => node.Holds("Ready") && !node.Says("spec", "unschedulable");

    private static bool Fits(JsonElement node) => node.Label("kubernetes.io/os") is null or "linux" && node.Label("kubernetes.io/arch") is null or "amd64" or "arm64";
}
