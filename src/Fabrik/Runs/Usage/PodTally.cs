using System.Collections.Immutable;

namespace Fabrik.Runs.Usage;

/// <summary>What was seen of one Pod, by container; "" stands for the whole Pod.</summary>
public sealed record PodTally
{
    /// <summary>Bounds what a strange Pod can fill.</summary>
    private const int MaximumContainers = 100;

    /// <summary>Where the last reading came from.</summary>
    public required UsageSource Source { get; init; }
    public ImmutableDictionary<string, ContainerTally> Containers { get; init; } = ImmutableDictionary<string, ContainerTally>.Empty;

    public PodTally Add(UsageSource source, ContainerReading reading)
    {
        var known = Containers.GetValueOrDefault(reading.Container);
        if (known is null && Containers.Count >= MaximumContainers) return this;
        var before = known ?? new ContainerTally();
        var tally = before.Add(reading);
        return tally == before ? this : this with { Source = source, Containers = Containers.SetItem(reading.Container, tally) };
    }
}
