using System.IO.Enumeration;
using Fabrik.Kubernetes;

namespace Fabrik.Sandbox.Worlds;

/// <summary>What Pods of one kind need and how they fail.</summary>
public sealed record NeedRule
{
    /// <summary>All must stand on the Pod with this value.</summary>
    public IReadOnlyDictionary<string, string> Labels { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);
    public string? Namespace { get; init; }

    /// <summary>Of any of its containers; * stands for anything.</summary>
    public string? Image { get; init; }

    /// <summary>The container that needs all this; null: the first.</summary>
    public string? Container { get; init; }

    /// <summary>Bytes. Drawn once for each Job, so that a retry needs the same.</summary>
    public Distribution? Memory { get; init; }

    /// <summary>Seconds. Drawn once for each Job.</summary>
    public Distribution? Duration { get; init; }

    /// <summary>Not null: the duration holds for this many cores; with another CPU limit it is multiplied by (cores / limit) ^ <see cref="CpuExponent"/>.</summary>
    public double? CpuCores { get; init; }
    public double CpuExponent { get; init; } = 1;
    public double FailureRate { get; init; }
    public IReadOnlyList<int> ExitCodes { get; init; } = [1];

    /// <summary>When the memory runs out, as a fraction of the duration; null: anywhere from 0.3 to 0.95.</summary>
    public double? OutOfMemoryAt { get; init; }
    public int OutOfMemoryExitCode { get; init; } = 137;

    /// <summary>Part of the Pods that the node evicts.</summary>
    public double EvictionRate { get; init; }
    public bool Unpullable { get; init; }
    public string? Log { get; init; }

    internal bool Matches(KubeObject pod, IEnumerable<string> images) =>
        (Namespace is null || Namespace == pod.Namespace)
        && Labels.All(label => pod.Label(label.Key) == label.Value)
        && (Image is null || images.Any(image => FileSystemName.MatchesSimpleExpression(Image, image, ignoreCase: false)));
}
