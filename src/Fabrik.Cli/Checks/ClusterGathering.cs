using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.Checks;
using Fabrik.Kubernetes;
using Fabrik.Schedules;

namespace Fabrik.Cli.Checks;

/// <summary>Facts about what the cluster gives: storage, isolation, room, measurements.</summary>
internal sealed class ClusterGathering(FactReader reader, CheckSources from, InstallationGathering installations)
{
    private static readonly ResourceKind ServiceMonitor = new("monitoring.coreos.com", "v1", "servicemonitors", "ServiceMonitor", true);
    private static readonly ResourceKind PrometheusRule = new("monitoring.coreos.com", "v1", "prometheusrules", "PrometheusRule", true);
    private static readonly ResourceKind Prometheus = new("monitoring.coreos.com", "v1", "prometheuses", "Prometheus", true);
    public async Task<ZoneFacts> ZonesAsync(CancellationToken ct) => new(
        zone => TimeZones.TryFind(zone, out _), await reader.GetAsync(Kinds.OptimizerPolicy, null, Names.PolicyName, ct), await reader.ListAsync(Kinds.CronJob, null, ct));

    public async Task<StorageFacts> StorageAsync(CancellationToken ct)
    {
        var claim = new JsonObject
        {
            ["apiVersion"] = "v1",
            ["kind"] = "PersistentVolumeClaim",
            ["metadata"] = new JsonObject { ["name"] = "fabrik-check-canary" },
            ["spec"] = new JsonObject { ["accessModes"] = new JsonArray("ReadWriteOncePod"), ["resources"] = new JsonObject { ["requests"] = new JsonObject { ["storage"] = "1Gi" } } },
        };
        return new StorageFacts(
            await installations.InstallationAsync(ct), await reader.ListAsync(Kinds.StorageClass, null, ct),
            await reader.DryRunAsync(Kinds.PersistentVolumeClaim, from.Phase == CheckPhase.Before ? "default" : Names.SystemNamespace, claim, ct),
            await reader.ListAsync(Kinds.PersistentVolumeClaim, null, ct, Names.Labels.Ours), await reader.ListAsync(Kinds.Node, null, ct));
    }

    public async Task<SecurityFacts> SecurityAsync(CancellationToken ct)
    {
        var where = await FactReader.TryAsync(() => RestrictedAsync(ct));
        var unknown = where.IsRead ? null : Reading.Not<TriedPod>(where.State, where.Why!);
        var privileged = CanaryPods.Pod("fabrik-check-privileged", "true");
        privileged["spec"]!["containers"]![0]!["securityContext"] = new JsonObject { ["privileged"] = true };
        var status = new JsonObject { ["status"] = new JsonObject { ["observedGeneration"] = 0 } };
        return new SecurityFacts(
            await installations.InstallationAsync(ct), await reader.ListAsync(Kinds.Namespace, null, ct), where.Value ?? Names.RunsNamespace,
            unknown ?? await TriedAsync(() => reader.Client.CreateAsync(Kinds.Pod, where.Value, privileged, ct, new WriteOptions { DryRun = true })),
            unknown ?? await TriedAsync(() => reader.Client.CreateAsync(Kinds.Pod, where.Value, CanaryPods.Pod("fabrik-check-plain", "true"), ct, new WriteOptions { DryRun = true })),
            await reader.ListAsync(Kinds.ValidatingAdmissionPolicy, null, ct), await reader.ListAsync(Kinds.ValidatingAdmissionPolicyBinding, null, ct),
            from.Phase == CheckPhase.Before ? Reading.Not<TriedPod>(ReadState.Missing, "Fabrik is not installed")
                : await TriedAsync(() => reader.Client.PatchAsync(Kinds.OptimizerPolicy, null, Names.PolicyName, PatchType.Merge, status, ct, new WriteOptions { DryRun = true, Subresource = "status" })));
    }

    public async Task<QuotaFacts> QuotaAsync(CancellationToken ct)
    {
        var namespaces = await reader.ListAsync(Kinds.Namespace, null, ct);
        if (namespaces.IsRead) namespaces = Reading.Of<IReadOnlyList<JsonElement>>([.. namespaces.Value.Where(ns => ns.Label(Names.Labels.Enabled) == "true" || ns.Label(Names.Labels.Gateway) == "true")]);
        return new QuotaFacts(namespaces, await reader.ListAsync(Kinds.ResourceQuota, null, ct), await reader.ListAsync(Kinds.LimitRange, null, ct));
    }

    public async Task<RuntimeFacts> RuntimeAsync(CancellationToken ct) => new(
        await reader.ListAsync(Kinds.RuntimeClass, null, ct), await reader.GetAsync(Kinds.OptimizerPolicy, null, Names.PolicyName, ct),
        await reader.ListAsync(Kinds.OptimizationChange, null, ct), await reader.ListAsync(Kinds.Node, null, ct));

    public async Task<AuditFacts> AuditAsync(CancellationToken ct) => new(
        await reader.TextAsync(Names.Paths.Metrics, ct), await reader.ListAsync(Kinds.Pod, "kube-system", ct, "component=kube-apiserver"));

    public async Task<MetricsFacts> MetricsAsync(CancellationToken ct) => new(
        await reader.ListAsync(Kinds.PodMetrics, null, ct), await reader.GetAsync(Kinds.CustomResourceDefinition, null, "servicemonitors.monitoring.coreos.com", ct),
        await reader.ListAsync(ServiceMonitor, null, ct, Names.Labels.Ours), await reader.ListAsync(PrometheusRule, null, ct, Names.Labels.Ours), await reader.ListAsync(Prometheus, null, ct), await reader.ListAsync(Kinds.Namespace, null, ct));

    /// <summary>The namespace for runs; before Fabrik is installed one that is made with its label.</summary>
    private async Task<string> RestrictedAsync(CancellationToken ct)
    {
        if (from.Phase == CheckPhase.Before) return await from.Canaries!.NamespaceAsync("restricted", new JsonObject { ["pod-security.kubernetes.io/enforce"] = "restricted" }, ct);
        await reader.Client.GetAsync(Kinds.Namespace, null, Names.RunsNamespace, ct);
        return Names.RunsNamespace;
    }

    /// <summary>A refusal by admission is an answer; one for want of a right is none.</summary>
    private static Task<Reading<TriedPod>> TriedAsync(Func<Task<KubeObject>> write) => FactReader.TryAsync(async () =>
    {
        try
        {
            await write();
            return new TriedPod(null);
        }
        catch (KubernetesException refused) when (refused.IsInvalid || (refused.IsForbidden && !refused.StatusMessage.Contains(" cannot ", StringComparison.Ordinal)))
        {
            return new TriedPod(refused.StatusMessage);
        }
    });
}
