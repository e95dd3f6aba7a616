using System.Text.Json;
using Fabrik.Kubernetes;
using Fabrik.Sandbox.Controllers;

namespace Fabrik.Sandbox.Nodes;

/// <summary>Whether a Pod may go to the node at all, room apart: its node selector and its tolerations. Affinity is not looked at.</summary>
internal static class NodeFit
{
    /// <summary>Null when it may, else why not in the words of the scheduler.</summary>
    public static string? Obstacle(KubeObject pod, NodeShape node, IReadOnlyDictionary<string, string> labels)
    {
        foreach (var wanted in pod.Json.Map("spec", "nodeSelector"))
            if (wanted.Value.ValueKind != JsonValueKind.String || labels.GetValueOrDefault(wanted.Name) != wanted.Value.GetString())
                return "1 node(s) didn't match Pod's node affinity/selector";

        var tolerations = pod.Json.List("spec", "tolerations").ToList();
        var hard = node.Taints.Where(taint => taint.Effect is "NoSchedule" or "NoExecute");
        return hard.Any(taint => !tolerations.Exists(toleration => Tolerates(toleration, taint))) ? "1 node(s) had untolerated taint(s)" : null;
    }

    public static string Sentence(string obstacle) =>
        $"0/1 nodes are available: {obstacle}. no new claims to deallocate, preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.";

    private static bool Tolerates(JsonElement toleration, NodeTaint taint)
    {
        if (toleration.Text("effect") is { Length: > 0 } effect && effect != taint.Effect) return false;
        if (toleration.Text("operator") == "Exists") return toleration.Text("key") is null or "" || toleration.Text("key") == taint.Key;
        return toleration.Text("key") == taint.Key && (toleration.Text("value") ?? "") == (taint.Value ?? "");
    }
}
