using System.Text.Json.Nodes;
using Fabrik.Sandbox.Discovery;
using Fabrik.Sandbox.Schema;
using Fabrik.Sandbox.Server;
using Fabrik.Sandbox.Store;

namespace Fabrik.Sandbox.Admission;

/// <summary>What every new Pod gets: its ServiceAccount and token volume, default tolerations, its priority, the namespace's default limits.</summary>
public static class PodAdmission
{
    private const string TokenPath = "/var/run/secrets/kubernetes.io/serviceaccount";

    public static void Prepare(Cluster cluster, string ns, JsonObject pod)
    {
        var spec = pod.Child("spec");
        LimitRanges.SetDefaults(cluster.Store, ns, pod);
        SetServiceAccount(cluster, ns, pod, spec);
        Tolerate(spec, "node.kubernetes.io/not-ready");
        Tolerate(spec, "node.kubernetes.io/unreachable");
        SetPriority(cluster, pod, spec);
    }

    private static void SetServiceAccount(Cluster cluster, string ns, JsonObject pod, JsonObject spec)
    {
        if (string.IsNullOrEmpty(spec.Text("serviceAccountName"))) spec["serviceAccountName"] = "default";
        var name = spec.Text("serviceAccountName")!;
        spec["serviceAccount"] = name;
        if (cluster.Store.Get(BuiltInTypes.ServiceAccount, ns, name) is not { } account)
        {
            throw ApiException.Forbidden(
                BuiltInTypes.Pod, pod.Text("metadata", "name") ?? "", $"error looking up service account {ns}/{name}: serviceaccount \"{name}\" not found");
        }

        if ((spec.Flag("automountServiceAccountToken") ?? account.Read().Flag("automountServiceAccountToken")) == false) return;
        JsonObject[] containers = [.. spec.Items("initContainers").Concat(spec.Items("containers")).OfType<JsonObject>()];
        if (containers.All(container => container.Items("volumeMounts").Any(mount => mount.Text("mountPath") == TokenPath))) return;
        var volume = "kube-api-access-" + Cluster.RandomSuffix();
        Append(spec, "volumes", JsonNode.Parse($$$"""
            {"name":"{{{volume}}}","projected":{"sources":[{"serviceAccountToken":{"expirationSeconds":3607,"path":"token"}},
             {"configMap":{"name":"kube-root-ca.crt","items":[{"key":"ca.crt","path":"ca.crt"}]}},
             {"downwardAPI":{"items":[{"path":"namespace","fieldRef":{"apiVersion":"v1","fieldPath":"metadata.namespace"}}]}}],"defaultMode":420}}
            """)!);
        foreach (var container in containers.Where(container => container.Items("volumeMounts").All(mount => mount.Text("mountPath") != TokenPath)))
        {
            Append(container, "volumeMounts", new JsonObject { ["name"] = volume, ["readOnly"] = true, ["mountPath"] = TokenPath });
        }
    }

    private static void Tolerate(JsonObject spec, string key)
    {
        if (spec.Items("tolerations").Any(each => (each.Text("key") ?? key) == key && each.Text("effect") is null or "NoExecute")) return;
        Append(spec, "tolerations", new JsonObject { ["key"] = key, ["operator"] = "Exists", ["effect"] = "NoExecute", ["tolerationSeconds"] = 300 });
    }

    private static void SetPriority(Cluster cluster, JsonObject pod, JsonObject spec)
    {
        if (spec.Text("priorityClassName") is not { Length: > 0 } name)
        {
            spec["priority"] = 0;
            spec["preemptionPolicy"] ??= "PreemptLowerPriority";
            return;
        }

        var type = cluster.Catalog.Find("scheduling.k8s.io", "v1", "priorityclasses")!;
        var found = cluster.Store.Get(type, null, name)?.Read();
        if (found is null && name is not ("system-node-critical" or "system-cluster-critical"))
        {
            throw ApiException.Forbidden(BuiltInTypes.Pod, pod.Text("metadata", "name") ?? "", $"no PriorityClass with name {name} was found");
        }

        spec["priority"] = found.Number("value") ?? (name == "system-node-critical" ? 2_000_001_000 : 2_000_000_000);
        spec["preemptionPolicy"] ??= found.Text("preemptionPolicy") ?? "PreemptLowerPriority";
    }

    private static void Append(JsonObject parent, string name, JsonNode item)
    {
        if (parent[name] is JsonArray list) list.Add(item);
        else parent[name] = new JsonArray(item);
    }
}
