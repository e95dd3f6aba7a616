using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.Kubernetes;
using Microsoft.Extensions.Logging;

namespace Fabrik.Sandbox.Controllers;

/// <summary>Brings Pods about for Deployments and StatefulSets: rolling, by their strategy, and without history. One at a time may run against an API server.</summary>
internal sealed class WorkloadController
{
    private const string HashLabel = "pod-template-hash", RevisionLabel = "controller-revision-hash", PodNameLabel = "statefulset.kubernetes.io/pod-name";
    private static readonly TimeSpan Look = TimeSpan.FromSeconds(1);
    private readonly KubernetesClient client;
    private readonly TimeProvider clock;
    private readonly WorkQueue queue;

    /// <summary>Pods that this controller made and the watch has not told of.</summary>
    private readonly ConcurrentDictionary<string, KubeObject> made = new(StringComparer.Ordinal);
    private readonly Informer deployments, replicaSets, statefulSets, pods;

    public WorkloadController(KubernetesClient client, TimeProvider clock, ILogger log)
    {
        (this.client, this.clock) = (client, clock);
        queue = new WorkQueue(clock, "workloads", SyncAsync, log);
        deployments = Watch(Kinds.Deployment, change => queue.Add("d/" + change.Object.Key));
        statefulSets = Watch(Kinds.StatefulSet, change => queue.Add("s/" + change.Object.Key));
        replicaSets = Watch(Kinds.ReplicaSet, change =>
        {
            queue.Add("r/" + change.Object.Key);
            if (change.Object.Json.Controller("Deployment") is var (name, _)) queue.Add($"d/{change.Object.Namespace}/{name}");
        });
        pods = Watch(Kinds.Pod, change =>
        {
            made.TryRemove(change.Object.Key, out _);
            if (change.Object.Json.Controller("ReplicaSet") is var (set, _)) queue.Add($"r/{change.Object.Namespace}/{set}");
            if (change.Object.Json.Controller("StatefulSet") is var (stateful, _)) queue.Add($"s/{change.Object.Namespace}/{stateful}");
        });

        Informer Watch(ResourceKind kind, Action<WatchEvent> then) => new(client, kind, TimeProvider.System, new InformerOptions { OnEvent = then, Logger = log });
    }

    public async Task RunAsync(CancellationToken ct)
    {
        Informer[] all = [deployments, replicaSets, statefulSets, pods];
        var watching = Task.WhenAll(all.Select(informer => informer.RunAsync(ct)));
        await Task.WhenAll(all.Select(informer => informer.WaitForSyncAsync(ct)));
        await Task.WhenAll(watching, queue.RunAsync(4, ct));
    }

    private Task<TimeSpan?> SyncAsync(string key, CancellationToken ct)
    {
        var name = key[2..];
        return key[0] switch
        {
            'd' when deployments.Items.TryGetValue(name, out var deployment) && deployment.DeletionTimestamp is null => DeploymentAsync(deployment, ct),
            'r' when replicaSets.Items.TryGetValue(name, out var set) && set.DeletionTimestamp is null => ReplicaSetAsync(set, ct),
            's' when statefulSets.Items.TryGetValue(name, out var stateful) && stateful.DeletionTimestamp is null => StatefulSetAsync(stateful, ct),
            _ => Task.FromResult<TimeSpan?>(null),
        };
    }

    private async Task<TimeSpan?> DeploymentAsync(KubeObject deployment, CancellationToken ct)
    {
        var hash = Hash(deployment);
        var own = replicaSets.Items.Values.Where(set => set.Json.Controller("Deployment")?.Uid == deployment.Uid).ToList();
        var wanted = deployment.Json.Int("spec", "replicas") ?? 1;
        if (own.Find(set => set.Label(HashLabel) == hash) is not { } current)
        {
            await CreateAsync(Kinds.ReplicaSet, deployment.Namespace!, ReplicaSet(deployment, hash, own.Count == 0 ? wanted : 0), ct);
            return Look;
        }

        var old = own.Where(set => set != current).ToList();
        var surge = Allowance(deployment.Json.At("spec", "strategy", "rollingUpdate", "maxSurge"), wanted, up: true);
        var unavailable = Allowance(deployment.Json.At("spec", "strategy", "rollingUpdate", "maxUnavailable"), wanted, up: false);
        var total = own.Sum(Replicas);
        var grown = Math.Min(wanted, Replicas(current) + Math.Max(0, wanted + surge - total));
        if (old.Sum(Replicas) == 0) grown = wanted;
        if (grown != Replicas(current)) await ScaleAsync(current, grown, ct);
        var spare = own.Sum(Available) - (wanted - unavailable);
        foreach (var set in old)
        {
            // Those that do not serve go first; of those that do, as many as can be spared.
            var gone = Math.Min(Replicas(set), Replicas(set) - Available(set) + Math.Max(0, spare));
            spare -= Math.Max(0, gone - (Replicas(set) - Available(set)));
            if (gone > 0) await ScaleAsync(set, Replicas(set) - gone, ct);
            else if (Replicas(set) == 0 && (set.Json.Int("status", "replicas") ?? 0) == 0) await DeleteAsync(Kinds.ReplicaSet, set, ct);
        }

        var status = new JsonObject
        {
            ["observedGeneration"] = deployment.Json.Int("metadata", "generation") ?? 1,
            ["replicas"] = own.Sum(set => set.Json.Int("status", "replicas") ?? 0),
            ["updatedReplicas"] = current.Json.Int("status", "replicas") ?? 0,
            ["readyReplicas"] = own.Sum(set => set.Json.Int("status", "readyReplicas") ?? 0),
            ["availableReplicas"] = own.Sum(Available),
        };
        await StatusAsync(Kinds.Deployment, deployment, status, ct);
        return old.Count > 0 || own.Sum(Available) < wanted ? Look : null;
    }

    private async Task<TimeSpan?> ReplicaSetAsync(KubeObject set, CancellationToken ct)
    {
        var own = Live("ReplicaSet", set.Uid!);
        var wanted = Replicas(set);
        for (var missing = wanted - own.Count; missing > 0; missing--) await CreateAsync(Kinds.Pod, set.Namespace!, Pod(set, "ReplicaSet", null, null), ct);
        foreach (var pod in own.OrderBy(pod => Ready(pod) ? 1 : 0).Take(Math.Max(0, own.Count - wanted))) await DeleteAsync(Kinds.Pod, pod, ct);
        var settle = TimeSpan.FromSeconds(set.Json.Int("spec", "minReadySeconds") ?? 0);
        var available = own.Count(pod => ReadySince(pod) is { } since && since + settle <= clock.GetUtcNow());
        var status = new JsonObject
        {
            ["observedGeneration"] = set.Json.Int("metadata", "generation") ?? 1,
            ["replicas"] = own.Count,
            ["fullyLabeledReplicas"] = own.Count,
            ["readyReplicas"] = own.Count(Ready),
            ["availableReplicas"] = available,
        };
        await StatusAsync(Kinds.ReplicaSet, set, status, ct);
        return own.Count != wanted || available < wanted ? Look : null;
    }

    private async Task<TimeSpan?> StatefulSetAsync(KubeObject set, CancellationToken ct)
    {
        var (hash, wanted) = (Hash(set), set.Json.Int("spec", "replicas") ?? 1);
        var parallel = set.Json.Text("spec", "podManagementPolicy") == "Parallel";
        var own = pods.Items.Values.Where(pod => pod.Json.Controller("StatefulSet")?.Uid == set.Uid).ToDictionary(pod => pod.Name, StringComparer.Ordinal);
        for (var number = 0; number < wanted; number++)
        {
            var name = $"{set.Name}-{number.ToString(CultureInfo.InvariantCulture)}";
            if (own.TryGetValue(name, out var there))
            {
                if (there.Json.Text("status", "phase") is "Failed" or "Succeeded" && there.DeletionTimestamp is null) await DeleteAsync(Kinds.Pod, there, ct);
                if (!parallel && !Ready(there)) break;
                continue;
            }

            foreach (var claim in set.Json.List("spec", "volumeClaimTemplates")) await ClaimAsync(set, claim, name, ct);
            await CreateAsync(Kinds.Pod, set.Namespace!, Pod(set, "StatefulSet", name, hash), ct);
            if (!parallel) break;
        }

        foreach (var (name, pod) in own)
            if (int.TryParse(name.AsSpan(set.Name.Length + 1), out var number) && number >= wanted && pod.DeletionTimestamp is null) await DeleteAsync(Kinds.Pod, pod, ct);

        // From the last on, one after another, each ready before the next.
        var stale = own.Values.Where(pod => pod.Label(RevisionLabel) != hash).OrderByDescending(pod => pod.Name, StringComparer.Ordinal).ToList();
        if (stale.Count > 0 && own.Values.Where(pod => pod.Label(RevisionLabel) == hash).All(Ready) && own.Values.All(pod => pod.DeletionTimestamp is null) && own.Count == wanted) await DeleteAsync(Kinds.Pod, stale[0], ct);
        var status = new JsonObject
        {
            ["observedGeneration"] = set.Json.Int("metadata", "generation") ?? 1,
            ["replicas"] = own.Count,
            ["readyReplicas"] = own.Values.Count(Ready),
            ["availableReplicas"] = own.Values.Count(Ready),
            ["updatedReplicas"] = own.Count - stale.Count,
            ["currentRevision"] = stale.Count == 0 ? hash : set.Json.Text("status", "currentRevision") ?? hash,
            ["updateRevision"] = hash,
        };
        await StatusAsync(Kinds.StatefulSet, set, status, ct);
        return own.Count != wanted || stale.Count > 0 || !own.Values.All(Ready) ? Look : null;
    }

    private async Task ClaimAsync(KubeObject set, JsonElement template, string pod, CancellationToken ct)
    {
        var metadata = template.At("metadata").Copy() as JsonObject ?? [];
        metadata["name"] = $"{template.Text("metadata", "name")}-{pod}";
        await CreateAsync(Kinds.PersistentVolumeClaim, set.Namespace!, new JsonObject { ["apiVersion"] = "v1", ["kind"] = "PersistentVolumeClaim", ["metadata"] = metadata, ["spec"] = template.At("spec").Copy() }, ct);
    }

    private static JsonObject ReplicaSet(KubeObject deployment, string hash, int replicas)
    {
        var template = (JsonObject)deployment.Json.At("spec", "template").Copy()!;
        if (template["metadata"] is not JsonObject metadata) template["metadata"] = metadata = [];
        if (metadata["labels"] is not JsonObject labels) metadata["labels"] = labels = [];
        labels[HashLabel] = hash;
        var selector = (JsonObject)deployment.Json.At("spec", "selector").Copy()!;
        if (selector["matchLabels"] is not JsonObject match) selector["matchLabels"] = match = [];
        match[HashLabel] = hash;
        return new JsonObject
        {
            ["apiVersion"] = "apps/v1",
            ["kind"] = "ReplicaSet",
            ["metadata"] = new JsonObject { ["name"] = $"{deployment.Name}-{hash}", ["labels"] = labels.DeepClone(), ["ownerReferences"] = new JsonArray(Owner(deployment, "apps/v1", "Deployment")) },
            ["spec"] = new JsonObject { ["replicas"] = replicas, ["minReadySeconds"] = deployment.Json.Int("spec", "minReadySeconds") ?? 0, ["selector"] = selector, ["template"] = template },
        };
    }

    private static JsonObject Pod(KubeObject owner, string kind, string? name, string? revision)
    {
        var metadata = new JsonObject { ["ownerReferences"] = new JsonArray(Owner(owner, "apps/v1", kind)) };
        if (name is null) metadata["generateName"] = owner.Name + "-";
        else metadata["name"] = name;
        var labels = owner.Json.At("spec", "template", "metadata", "labels").Copy() as JsonObject ?? [];
        if (revision is not null) (labels[RevisionLabel], labels[PodNameLabel]) = (revision, name);
        metadata["labels"] = labels;
        if (owner.Json.At("spec", "template", "metadata", "annotations").Copy() is { } annotations) metadata["annotations"] = annotations;
        var spec = (JsonObject)owner.Json.At("spec", "template", "spec").Copy()!;
        if (name is not null)
        {
            spec["hostname"] = name;
            if (spec["volumes"] is not JsonArray volumes) spec["volumes"] = volumes = [];
            foreach (var claim in owner.Json.List("spec", "volumeClaimTemplates"))
                volumes.Add(new JsonObject { ["name"] = claim.Text("metadata", "name"), ["persistentVolumeClaim"] = new JsonObject { ["claimName"] = $"{claim.Text("metadata", "name")}-{name}" } });
        }

        return new JsonObject { ["apiVersion"] = "v1", ["kind"] = "Pod", ["metadata"] = metadata, ["spec"] = spec };
    }

    private static JsonObject Owner(KubeObject of, string apiVersion, string kind) => new()
    {
        ["apiVersion"] = apiVersion,
        ["kind"] = kind,
        ["name"] = of.Name,
        ["uid"] = of.Uid,
        ["controller"] = true,
        ["blockOwnerDeletion"] = true,
    };

    private async Task CreateAsync(ResourceKind kind, string ns, JsonObject body, CancellationToken ct)
    {
        try
        {
            var created = await client.CreateAsync(kind, ns, body, ct);
            if (kind == Kinds.Pod && !pods.Items.ContainsKey(created.Key)) made[created.Key] = created;
        }
        catch (KubernetesException e) when (e.IsAlreadyExists)
        {
            // The watch has not told of it yet.
        }
    }

    private async Task DeleteAsync(ResourceKind kind, KubeObject item, CancellationToken ct)
    {
        try
        {
            await client.DeleteAsync(kind, item.Namespace, item.Name, ct, new DeleteOptions { PropagationPolicy = "Background", Preconditions = new Preconditions(Uid: item.Uid) });
        }
        catch (KubernetesException e) when (e.IsNotFound || e.IsConflict)
        {
            // Gone, or another one.
        }
    }

    private Task ScaleAsync(KubeObject set, int replicas, CancellationToken ct) =>
        client.PatchAsync(Kinds.ReplicaSet, set.Namespace, set.Name, PatchType.Merge, new JsonObject { ["spec"] = new JsonObject { ["replicas"] = replicas } }, ct);

    private async Task StatusAsync(ResourceKind kind, KubeObject item, JsonObject status, CancellationToken ct)
    {
        if (status.All(field => item.Json.At("status", field.Key) is { ValueKind: not JsonValueKind.Undefined } known && known.ToString() == field.Value!.ToString())) return;
        try
        {
            await client.PatchAsync(kind, item.Namespace, item.Name, PatchType.Merge, new JsonObject { ["metadata"] = new JsonObject { ["uid"] = item.Uid }, ["status"] = status }, ct, new WriteOptions { Subresource = "status" });
        }
        catch (KubernetesException e) when (e.IsNotFound || e.IsConflict)
        {
            // Gone, or another one.
        }
    }

    private List<KubeObject> Live(string kind, string uid) =>
        [.. pods.Items.Values.Concat(made.Values).DistinctBy(pod => pod.Key, StringComparer.Ordinal).Where(pod => pod.Json.Controller(kind)?.Uid == uid && pod.DeletionTimestamp is null && pod.Json.Text("status", "phase") is not ("Failed" or "Succeeded"))];

    private static string Hash(KubeObject workload) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(workload.Json.At("spec", "template").GetRawText())))[..10];

    private static int Replicas(KubeObject set) => set.Json.Int("spec", "replicas") ?? 0;

    private static int Available(KubeObject set) => set.Json.Int("status", "availableReplicas") ?? 0;

    private static bool Ready(KubeObject pod) => ReadySince(pod) is not null && pod.DeletionTimestamp is null;

    private static DateTimeOffset? ReadySince(KubeObject pod) =>
        pod.Json.Holds("Ready") ? pod.Json.Condition("Ready")?.Time("lastTransitionTime") ?? DateTimeOffset.MinValue : null;

    /// <summary>A number, or a share of the replicas, rounded as the strategy says.</summary>
    private static int Allowance(JsonElement value, int replicas, bool up)
    {
        if (value.ValueKind == JsonValueKind.Number) return value.GetInt32();
        if (value.ValueKind != JsonValueKind.String || !int.TryParse(value.GetString()!.TrimEnd('%'), NumberStyles.None, CultureInfo.InvariantCulture, out var share)) return up ? 1 : 0;
        return up ? (replicas * share + 99) / 100 : replicas * share / 100;
    }
}
