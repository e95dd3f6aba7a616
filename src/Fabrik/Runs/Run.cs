using System.Text.Json.Serialization;
using Fabrik.Experiments;
using Fabrik.Gateway;

namespace Fabrik.Runs;

/// <summary>What happened to one Job, keyed by its UID. Written by the observer alone.</summary>
public sealed record Run
{
    /// <summary>UID of the Job.</summary>
    public required string Id { get; init; }
    public required string Namespace { get; init; }
    public required string Name { get; init; }

    /// <summary>Label fabrik.dev/run-id; null where the webhook missed the Job.</summary>
    public string? RunId { get; init; }

    /// <summary>Name of the OptimizationChange the arm belongs to: of a control the first of <see cref="Experiments"/>, of an applied run the last of <see cref="AppliedChanges"/>.</summary>
    public string? Change { get; init; }
    public required Arm Arm { get; init; }

    /// <summary>Changes whose experiment the run counts in, by slot: one of a treatment, every one that a control is a control of.</summary>
    public NameList Experiments { get; init; } = [];

    /// <summary>Applied changes that the run ran under, in the order in which they were put on, whatever its arm.</summary>
    public NameList AppliedChanges { get; init; } = [];
    public string? SpecType { get; init; }
    public string? SpecId { get; init; }

    /// <summary>What makes runs comparable: the owner's UID, else a hash of image, command and spec type.</summary>
    public required string Stratum { get; init; }
    public string? Project { get; init; }

    /// <summary>Controlling owner as Kind/name, such as CronJob/nightly.</summary>
    public string? Owner { get; init; }

    /// <summary>Ordinary containers of its Pods; null where that is not known.</summary>
    public int? Containers { get; init; }

    /// <summary>Of the whole Pod, before Fabrik's change and as it ran.</summary>
    public RunResources Requested { get; init; } = new();
    public RunResources Applied { get; init; } = new();
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>When the Job controller started it, as activeDeadlineSeconds counts; null where no Pod ever got a node.</summary>
    public DateTimeOffset? StartedAt { get; init; }

    /// <summary>When the Job was done; null while it runs, and for one that is lost.</summary>
    public DateTimeOffset? FinishedAt { get; init; }

    /// <summary>Seconds from start to end; null until finished or when it never started.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.Never)]
    public double? DurationSeconds => FinishedAt is { } end && StartedAt is { } start && end >= start ? (end - start).TotalSeconds : null;

    /// <summary>Pods that got a node, and container restarts.</summary>
    public int Attempts { get; init; }

    /// <summary>Running until terminal.</summary>
    public required Outcome Outcome { get; init; }

    /// <summary>Any container of any Pod was killed for memory; independent of the outcome.</summary>
    public bool OomKilled { get; init; }

    /// <summary>Of the last container that failed, else of the last one that ended.</summary>
    public int? ExitCode { get; init; }

    /// <summary>
    /// Kubernetes' own word for what went wrong, the closest to the cause that is known: OOMKilled, Error, ImagePullBackOff, Evicted,
    /// FailedScheduling, else the Job's BackoffLimitExceeded or DeadlineExceeded; null for a run that succeeded.
    /// </summary>
    public string? Reason { get; init; }

    /// <summary>What it used; null where nobody has looked yet, and on a run that was not read from the database.</summary>
    public RunUsage? Usage { get; init; }

    /// <summary>Its calls of models through the gateway, as far as the gateway has delivered them; null where there are none, and on a run that was not read from the database.</summary>
    public CallTotal? ModelCalls { get; init; }
}

[JsonConverter(typeof(JsonStringEnumConverter<Outcome>))]
public enum Outcome
{
    [JsonStringEnumMemberName("running")] Running,
    [JsonStringEnumMemberName("succeeded")] Succeeded,
    [JsonStringEnumMemberName("failed")] Failed,
    [JsonStringEnumMemberName("deadline")] Deadline,
    [JsonStringEnumMemberName("evicted")] Evicted,
    [JsonStringEnumMemberName("unschedulable")] Unschedulable,

    /// <summary>Gone before its end was seen.</summary>
    [JsonStringEnumMemberName("lost")] Lost,
}

/// <summary>Sums over the ordinary containers: memory and ephemeral storage in bytes, CPU in thousandths of a core; null where any container has none.</summary>
public sealed partial record RunResources
{
    public long? MemoryRequestBytes { get; init; }
    public long? MemoryLimitBytes { get; init; }
    public long? CpuRequestMillis { get; init; }
    public long? CpuLimitMillis { get; init; }
    public long? EphemeralStorageLimitBytes { get; init; }
}
