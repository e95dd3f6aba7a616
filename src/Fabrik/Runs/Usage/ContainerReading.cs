namespace Fabrik.Runs.Usage;

/// <summary>What a source told of one container at one moment. CPU is told either as a counter or as a mean over a window; whatever is null was not told.</summary>
public sealed record ContainerReading
{
    public required string Namespace { get; init; }
    public required string Pod { get; init; }

    /// <summary>"" for all of the Pod together.</summary>
    public required string Container { get; init; }
    public required DateTimeOffset At { get; init; }

    /// <summary>Working set.</summary>
    public long? MemoryBytes { get; init; }

    /// <summary>Core-seconds since the container was started.</summary>
    public double? CpuCounter { get; init; }

    /// <summary>When this instance of the container was started.</summary>
    public DateTimeOffset? Since { get; init; }

    /// <summary>Mean of thousandths of a core over <see cref="Window"/>, which ends at <see cref="At"/>.</summary>
    public double? CpuMillis { get; init; }
    public TimeSpan Window { get; init; }
}
