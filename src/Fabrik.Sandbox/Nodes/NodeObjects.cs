using System.Text.Json.Nodes;
using Fabrik.Kubernetes;
using Fabrik.Sandbox.Controllers;

namespace Fabrik.Sandbox.Nodes;

/// <summary>The Node and its Lease: registered once, then kept alive.</summary>
internal sealed class NodeObjects(KubernetesClient client, TimeProvider clock, NodeShape node, int? kubeletPort = null)
{
    private const string LeaseNamespace = "kube-node-lease";

    public IReadOnlyDictionary<string, string> Labels { get; } = new Dictionary<string, string>(node.Labels, StringComparer.Ordinal)
    {
        ["kubernetes.io/hostname"] = node.Name,
        ["kubernetes.io/os"] = "linux",
        ["kubernetes.io/arch"] = "amd64",
    };

    public async Task RegisterAsync(CancellationToken ct)
    {
        var labels = new JsonObject(Labels.Select(label => KeyValuePair.Create<string, JsonNode?>(label.Key, label.Value)));
        var spec = new JsonObject();
        if (node.Taints.Count > 0)
        {
            spec["taints"] = new JsonArray([.. node.Taints.Select(taint =>
            {
                var json = new JsonObject { ["key"] = taint.Key, ["effect"] = taint.Effect };
                if (taint.Value is { } value) json["value"] = value;
                return (JsonNode)json;
            })]);
        }

        var body = Named("v1", "Node", node.Name);
        body["metadata"]!["labels"] = labels;
        body["spec"] = spec;
        await CreateOrMergeAsync(Kinds.Node, null, body, ct);
        await client.PatchAsync(Kinds.Node, null, node.Name, PatchType.Merge, new JsonObject { ["status"] = Status() }, ct, new WriteOptions { Subresource = "status" });
        await CreateUnlessThereAsync(Kinds.Namespace, null, Named("v1", "Namespace", LeaseNamespace), ct);
        await BeatAsync(ct);
    }

    /// <summary>Real seconds between two beats, whatever the speed of the clock.</summary>
    public async Task KeepAliveAsync(CancellationToken ct)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(10), TimeProvider.System);
        while (await timer.WaitForNextTickAsync(ct))
        {
            try
            {
                await BeatAsync(ct);
            }
            catch (KubernetesException)
            {
                // The next beat is ten seconds away.
            }
        }
    }

    private async Task BeatAsync(CancellationToken ct)
    {
        var lease = Named("coordination.k8s.io/v1", "Lease", node.Name);
        lease["metadata"]!["namespace"] = LeaseNamespace;
        lease["spec"] = new JsonObject { ["holderIdentity"] = node.Name, ["leaseDurationSeconds"] = 40, ["renewTime"] = clock.GetUtcNow().MicroStamp() };
        await CreateOrMergeAsync(Kinds.Lease, LeaseNamespace, lease, ct);
    }

    private JsonObject Status()
    {
        var now = clock.GetUtcNow().Stamp();
        return new JsonObject
        {
            ["capacity"] = Amounts(),
            ["allocatable"] = Amounts(),
            ["conditions"] = new JsonArray(
                Condition("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
                Condition("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
                Condition("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
                Condition("Ready", "True", "KubeletReady", "kubelet is posting ready status")),
            ["addresses"] = new JsonArray(new JsonObject { ["type"] = "InternalIP", ["address"] = "127.0.0.1" }, new JsonObject { ["type"] = "Hostname", ["address"] = node.Name }),
            ["daemonEndpoints"] = kubeletPort is null ? new JsonObject() : new JsonObject { ["kubeletEndpoint"] = new JsonObject { ["Port"] = kubeletPort } },
            ["nodeInfo"] = new JsonObject
            {
                ["machineID"] = "",
                ["systemUUID"] = "",
                ["bootID"] = "",
                ["kernelVersion"] = "simulated",
                ["osImage"] = "Fabrik sandbox",
                ["containerRuntimeVersion"] = "simulated://1",
                ["kubeletVersion"] = "v1.36.2",
                ["kubeProxyVersion"] = "",
                ["operatingSystem"] = "linux",
                ["architecture"] = "amd64",
            },
        };

        JsonObject Condition(string type, string status, string reason, string message) => new()
        {
            ["type"] = type,
            ["status"] = status,
            ["lastHeartbeatTime"] = now,
            ["lastTransitionTime"] = now,
            ["reason"] = reason,
            ["message"] = message,
        };
    }

    private JsonObject Amounts() => new()
    {
        ["cpu"] = node.Cpu,
        ["memory"] = node.Memory,
        ["ephemeral-storage"] = node.EphemeralStorage,
        ["pods"] = node.Pods.ToString(System.Globalization.CultureInfo.InvariantCulture),
    };

    private async Task CreateOrMergeAsync(ResourceKind kind, string? ns, JsonObject body, CancellationToken ct)
    {
        if (await CreateUnlessThereAsync(kind, ns, body, ct)) return;
        body.Remove("apiVersion");
        body.Remove("kind");
        await client.PatchAsync(kind, ns, (string)body["metadata"]!["name"]!, PatchType.Merge, body, ct);
    }

    private async Task<bool> CreateUnlessThereAsync(ResourceKind kind, string? ns, JsonObject body, CancellationToken ct)
    {
        try
        {
            await client.CreateAsync(kind, ns, body, ct);
            return true;
        }
        catch (KubernetesException error) when (error.IsAlreadyExists)
        {
            return false;
        }
    }

    private static JsonObject Named(string apiVersion, string kind, string name) =>
        new() { ["apiVersion"] = apiVersion, ["kind"] = kind, ["metadata"] = new JsonObject { ["name"] = name } };
}
