using System.Text.Json;
using Fabrik.Quantities;
using Fabrik.Schedules;

namespace Fabrik.Runs.Usage;

/// <summary>An object PodMetrics of metrics.k8s.io/v1beta1: a moment, the window before it, and for each container a mean of CPU and a working set.</summary>
public static class PodMetrics
{
    /// <returns>Nothing for an object that is not one.</returns>
    public static IEnumerable<ContainerReading> Read(JsonElement pod)
    {
        var metadata = pod.Get("metadata");
        if (metadata.Text("namespace") is not { } ns || metadata.Text("name") is not { } name || ((JsonElement?)pod).Time("timestamp") is not { } at) yield break;
        var window = GoDuration.TryParse(pod.Text("window") ?? "", out var span, out _) ? span : TimeSpan.Zero;
        foreach (JsonElement? container in pod.Items("containers"))
        {
            if (container.Text("name") is not { Length: > 0 } own) continue;
            var usage = container.Get("usage");
            yield return new ContainerReading
            {
                Namespace = ns,
                Pod = name,
                Container = own,
                At = at,
                MemoryBytes = Quantity.TryParse(usage.Text("memory"), out var memory) ? memory.RoundUp() : null,
                CpuMillis = Quantity.TryParse(usage.Text("cpu"), out var cpu) ? (double)cpu.Billionths / 1_000_000 : null,
                Window = window,
            };
        }
    }
}
