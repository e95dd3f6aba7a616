using System.Text.Json.Serialization;

namespace Fabrik.Runs;

/// <summary>
/// What a run used at the samples that were taken of it. Limits bind each container on its own, so each figure is the most (or the mean) that
/// one ordinary container used in any Pod of the run, summed over the containers as <see cref="RunResources"/> sums their limits.
/// </summary>
public sealed record RunUsage
{
    /// <summary>Where the figures are from. None: no sample is known, which is the rule for a Job that is shorter than the sampling.</summary>
    public required UsageSource Source { get; init; }

    /// <summary>Working set in bytes. What was never sampled is not in it: of a run that was killed for memory see <see cref="MemoryNeed"/>.</summary>
    public long? PeakMemoryBytes { get; init; }

    /// <summary>Thousandths of a core over the time that is covered by samples.</summary>
    public long? MeanCpuMillis { get; init; }

    /// <summary>Thousandths of a core that were enough for 95 % of that time; up to 5 % too high.</summary>
    public long? P95CpuMillis { get; init; }

    /// <summary>Thousandths of a core, the highest mean between two samples.</summary>
    public long? PeakCpuMillis { get; init; }

    /// <summary>Samples of memory, of the container that has the most.</summary>
    public int Samples { get; init; }

    /// <summary>Sources that were asked before and gave nothing, and why.</summary>
    public MissingSources Missing { get; init; } = new();

    /// <summary>False while more may come.</summary>
    public bool Settled { get; init; }
}

/// <summary>Null: the source gave the figures, or was not asked because a better one answered.</summary>
public sealed record MissingSources(UsageGap? Prometheus = null, UsageGap? MetricsServer = null, UsageGap? Kubelet = null);

[JsonConverter(typeof(JsonStringEnumConverter<UsageSource>))]
public enum UsageSource
{
    [JsonStringEnumMemberName("none")] None,
    [JsonStringEnumMemberName("prometheus")] Prometheus,

    /// <summary>metrics.k8s.io, whoever serves it.</summary>
    [JsonStringEnumMemberName("metrics-server")] MetricsServer,
    [JsonStringEnumMemberName("kubelet")] Kubelet,
}

/// <summary>Why a source gave nothing.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<UsageGap>))]
public enum UsageGap
{
    [JsonStringEnumMemberName("not_configured")] NotConfigured,

    /// <summary>No connection.</summary>
    [JsonStringEnumMemberName("unreachable")] Unreachable,
    [JsonStringEnumMemberName("timed_out")] TimedOut,
    [JsonStringEnumMemberName("unauthorized")] Unauthorized,
    [JsonStringEnumMemberName("forbidden")] Forbidden,

    /// <summary>The server has no such API.</summary>
    [JsonStringEnumMemberName("not_served")] NotServed,

    /// <summary>It is there but cannot answer now.</summary>
    [JsonStringEnumMemberName("unavailable")] Unavailable,

    /// <summary>What it answers cannot be understood, or it does not understand what it is asked.</summary>
    [JsonStringEnumMemberName("bad_answer")] BadAnswer,
    [JsonStringEnumMemberName("too_large")] TooLarge,

    /// <summary>It answers, and has nothing of this run.</summary>
    [JsonStringEnumMemberName("no_samples")] NoSamples,

    /// <summary>The names of the run's Pods are no longer known, so nobody could be asked.</summary>
    [JsonStringEnumMemberName("pods_unknown")] PodsUnknown,
}
