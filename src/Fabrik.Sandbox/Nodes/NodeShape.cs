namespace Fabrik.Sandbox.Nodes;

/// <summary>The one simulated node. Amounts are Kubernetes quantities.</summary>
public sealed record NodeShape
{
    public string Name { get; init; } = "sandbox";
    public string Cpu { get; init; } = "16";
    public string Memory { get; init; } = "64Gi";
    public string EphemeralStorage { get; init; } = "100Gi";
    public int Pods { get; init; } = 500;
    public IReadOnlyDictionary<string, string> Labels { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);
    public IReadOnlyList<NodeTaint> Taints { get; init; } = [];
}

/// <summary>Effect is NoSchedule, NoExecute or PreferNoSchedule.</summary>
public sealed record NodeTaint(string Key, string? Value, string Effect);
