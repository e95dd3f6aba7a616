using Fabrik.Kubernetes;

namespace Fabrik.CronJobs.Runs;

/// <summary>A Pod whose containers run on a node.</summary>
public sealed record RunningPod(string Namespace, string Name, string Node, DateTimeOffset? StartedAt)
{
    /// <returns>Null for a Pod that does not run.</returns>
    public static RunningPod? Of(KubeObject pod)
    {
        if (Text(pod, "status", "phase") != "Running" || Text(pod, "spec", "nodeName") is not { } node || pod.Namespace is not { } ns) return null;
        return new RunningPod(ns, pod.Name, node, DateTimeOffset.TryParse(Text(pod, "status", "startTime"), out var started) ? started : null);
    }

    private static string? Text(KubeObject pod, string part, string field) =>
        pod.Json.TryGetProperty(part, out var inner) && inner.ValueKind == System.Text.Json.JsonValueKind.Object && inner.TryGetProperty(field, out var value) && value.ValueKind == System.Text.Json.JsonValueKind.String
            ? value.GetString()
            : null;
}
