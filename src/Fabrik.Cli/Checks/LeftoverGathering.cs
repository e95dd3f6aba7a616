using System.Text.Json;
using Fabrik.Checks;
using Fabrik.Kubernetes;

namespace Fabrik.Cli.Checks;

/// <summary>Everything with Fabrik's label, compared with what this version installs.</summary>
internal static class LeftoverGathering
{
    /// <summary>Kinds that any version of Fabrik has installed.</summary>
    public static readonly ResourceKind[] Installed =
    [
        Kinds.Namespace, Kinds.CustomResourceDefinition, Kinds.MutatingWebhookConfiguration, Kinds.ValidatingAdmissionPolicy, Kinds.ValidatingAdmissionPolicyBinding,
        new("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", false), new("rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", false),
        new("rbac.authorization.k8s.io", "v1", "roles", "Role", true), new("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding", true),
        new("scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass", false), new("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", true),
        new("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", true),
        Kinds.Deployment, Kinds.StatefulSet, Kinds.Service, Kinds.ServiceAccount, Kinds.ConfigMap, Kinds.Secret, Kinds.NetworkPolicy, Kinds.ResourceQuota, Kinds.LimitRange, Kinds.CronJob, Kinds.Certificate, Kinds.Issuer,
    ];

    public static async Task<LeftoverFacts> GatherAsync(FactReader reader, CheckSources from, CancellationToken ct)
    {
        var (unknown, unread) = (new List<string>(), new List<string>());
        foreach (var kind in Installed)
        {
            var found = await reader.ListAsync(kind, null, ct, Names.Labels.Ours);
            if (found.State is ReadState.Forbidden or ReadState.Broken) unread.Add(kind.ToString());
            if (!found.IsRead) continue;
            unknown.AddRange(found.Value.Where(item => from.Phase == CheckPhase.Before || !KnownObjects.Has(kind.Kind, item.Namespace(), item.Name())).Select(item => KnownObjects.Key(kind.Kind, item.Namespace(), item.Name())));
        }

        var namespaces = await reader.ListAsync(Kinds.Namespace, null, ct);
        if (namespaces.IsRead) namespaces = Reading.Of<IReadOnlyList<JsonElement>>([.. namespaces.Value.Where(ns => ns.Time("metadata", "deletionTimestamp") is not null)]);
        return new LeftoverFacts(unknown, unread, [.. from.Canaries!.Left], namespaces);
    }
}
