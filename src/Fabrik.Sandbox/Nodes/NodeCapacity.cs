using System.Runtime.InteropServices;
using System.Text.Json;
using Fabrik.Kubernetes;
using Fabrik.Sandbox.Controllers;
using Fabrik.Sandbox.Schema;

namespace Fabrik.Sandbox.Nodes;

/// <summary>What a Pod asks of a node: thousandths of a core and bytes.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct PodRequest(long CpuMillis, long MemoryBytes)
{
    /// <summary>Ordinary containers run beside each other, init containers one after the other.</summary>
    public static PodRequest Of(KubeObject pod)
    {
        long cpu = 0, memory = 0;
        foreach (var container in pod.Json.List("spec", "containers"))
        {
            cpu += Asked(container, "cpu", 1000);
            memory += Asked(container, "memory", 1);
        }

        foreach (var container in pod.Json.List("spec", "initContainers"))
        {
            cpu = Math.Max(cpu, Asked(container, "cpu", 1000));
            memory = Math.Max(memory, Asked(container, "memory", 1));
        }

        return new PodRequest(cpu, memory);
    }

    private static long Asked(JsonElement container, string resource, int scale) =>
        NodeCapacity.Amount(container.Text("resources", "requests", resource) ?? container.Text("resources", "limits", resource), scale) ?? 0;
}

/// <summary>Who has how much of the node. Thread-safe.</summary>
internal sealed class NodeCapacity(NodeShape node)
{
    private readonly Lock gate = new();
    private readonly Dictionary<string, PodRequest> taken = [];
    private readonly long cpu = Amount(node.Cpu, 1000) ?? 0, memory = Amount(node.Memory) ?? 0;
    private long cpuTaken, memoryTaken;

    /// <summary>Null when the Pod has its place, else what is missing in the words of the scheduler.</summary>
    public string? Take(string uid, PodRequest request, bool always = false)
    {
        lock (gate)
        {
            if (taken.ContainsKey(uid)) return null;
            List<string> missing = [];
            if (taken.Count >= node.Pods) missing.Add("1 Too many pods");
            if (request.CpuMillis > cpu - cpuTaken) missing.Add("1 Insufficient cpu");
            if (request.MemoryBytes > memory - memoryTaken) missing.Add("1 Insufficient memory");
            if (missing.Count > 0 && !always) return string.Join(", ", missing);
            taken[uid] = request;
            cpuTaken += request.CpuMillis;
            memoryTaken += request.MemoryBytes;
            return null;
        }
    }

    public bool Fits(PodRequest request)
    {
        lock (gate) return taken.Count < node.Pods && request.CpuMillis <= cpu - cpuTaken && request.MemoryBytes <= memory - memoryTaken;
    }

    /// <summary>False when the Pod had no place.</summary>
    public bool Release(string uid)
    {
        lock (gate)
        {
            if (!taken.Remove(uid, out var request)) return false;
            cpuTaken -= request.CpuMillis;
            memoryTaken -= request.MemoryBytes;
            return true;
        }
    }

    /// <summary>A Kubernetes quantity times the scale, rounded up; null for none or nonsense.</summary>
    public static long? Amount(string? quantity, int scale = 1) =>
        !string.IsNullOrEmpty(quantity) && Quantity.TryParse(quantity, out var amount, out _) ? (amount with { Billionths = amount.Billionths * scale }).Value : null;
}
