using System.Text.Json;
using System.Text.Json.Serialization;

namespace Fabrik.Experiments;

/// <summary>The custom resource OptimizationChange (fabrik.dev/v1, namespaced) as it stands on the wire: manifests/crds has the schema.</summary>
public sealed record OptimizationChange
{
    public required ChangeMetadata Metadata { get; init; }
    public required ChangeSpec Spec { get; init; }
    public ChangeStatus Status { get; set; } = new();

    [JsonIgnore]
    public string Name => Metadata.Name;

    /// <summary>An object without a phase is as good as proposed: nobody has judged it.</summary>
    [JsonIgnore]
    public Phase Phase => Status.Phase ?? Phase.Proposed;
}

public sealed record ChangeMetadata
{
    public required string Name { get; init; }
    public string? Namespace { get; init; }
    public string? Uid { get; init; }
    public string? ResourceVersion { get; init; }
    public long Generation { get; init; }
    public DateTimeOffset? CreationTimestamp { get; init; }
}

public sealed record ChangeSpec
{
    public ChangeType Type { get; init; }
    public ChangeTarget Target { get; set; } = new();
    public Treatment Change { get; set; } = new();
    public string? Rationale { get; init; }
    public ChangeEvidence? Evidence { get; init; }
    public ExperimentPlan Experiment { get; set; } = new();
    public Goal Goal { get; init; }
    public Risk Risk { get; init; }
    public bool AutoApply { get; init; }
    public RollbackPlan? RollbackPlan { get; init; }

    /// <summary>The only part of the spec that may change after phase proposed; null until a person decided.</summary>
    public Approval? Approval { get; init; }
}

[JsonConverter(typeof(WordConverter<ChangeType>))]
public enum ChangeType
{
    [JsonStringEnumMemberName("resource")] Resource,
    [JsonStringEnumMemberName("parallelism")] Parallelism,
    [JsonStringEnumMemberName("scheduling")] Scheduling,
    [JsonStringEnumMemberName("environment")] Environment,
    [JsonStringEnumMemberName("lifecycle")] Lifecycle,
    [JsonStringEnumMemberName("model")] Model,
    [JsonStringEnumMemberName("spec")] Spec,
}

[JsonConverter(typeof(WordConverter<Risk>))]
public enum Risk
{
    [JsonStringEnumMemberName("low")] Low,
    [JsonStringEnumMemberName("medium")] Medium,
    [JsonStringEnumMemberName("high")] High,
}

/// <summary>What must be shown before a rollout: an improvement, or no loss worth its saving.</summary>
[JsonConverter(typeof(WordConverter<Goal>))]
public enum Goal
{
    [JsonStringEnumMemberName("win")] Win,
    [JsonStringEnumMemberName("save")] Save,
}

/// <summary>Jobs a change is meant for; every given condition must hold.</summary>
public sealed record ChangeTarget
{
    /// <summary>Equality on the Job's labels.</summary>
    public IReadOnlyDictionary<string, string> LabelSelector { get; set; } = new Dictionary<string, string>();

    /// <summary>Empty: every namespace that is opted in.</summary>
    public IReadOnlyList<string> Namespaces { get; set; } = [];

    /// <summary>Name of the CronJob that owns the Job.</summary>
    public string? CronJob { get; init; }

    /// <summary>Names of containers that resources and environment go to; empty: all ordinary containers.</summary>
    public IReadOnlyList<string> Containers { get; set; } = [];

    /// <summary>Of a change of type model: the model whose calls are made with another, as the client names it or as its project's alias stands for.</summary>
    public string? Model { get; init; }
}

/// <summary>What a treated Job gets; absent fields stay as they are. Quantities are Kubernetes quantities.</summary>
public sealed record Treatment
{
    public string? MemoryRequest { get; init; }
    public string? MemoryLimit { get; init; }
    public string? CpuRequest { get; init; }
    public string? CpuLimit { get; init; }
    public string? EphemeralStorageRequest { get; init; }
    public string? EphemeralStorageLimit { get; init; }
    public int? Parallelism { get; init; }
    public IReadOnlyDictionary<string, string>? NodeSelector { get; init; }

    /// <summary>Toleration objects of core/v1, added to those of the Job.</summary>
    public IReadOnlyList<JsonElement>? Tolerations { get; init; }
    public string? RuntimeClassName { get; init; }
    public IReadOnlyDictionary<string, string>? Environment { get; init; }

    /// <summary>Seconds; put only on Jobs that have none.</summary>
    public int? TtlSecondsAfterFinished { get; init; }
    public string? Model { get; init; }
}

public sealed record ChangeEvidence
{
    public IReadOnlyList<string> Runs { get; set; } = [];
    public IReadOnlyDictionary<string, double> Figures { get; set; } = new Dictionary<string, double>();
}

public sealed record ExperimentPlan
{
    /// <summary>Fraction of matching Jobs that get the treatment at the start; above 0, below 0.2.</summary>
    public double Share { get; set; } = 0.10;

    /// <summary>What an earlier experiment showed, when the change was written from one.</summary>
    public int? ControlRuns { get; init; }
    public int? TreatmentRuns { get; init; }

    /// <summary>Such as 3d or 36h.</summary>
    public string? Duration { get; init; }

    /// <summary>0 to 1.</summary>
    public double? Confidence { get; init; }
}

public sealed record RollbackPlan
{
    public string? Metric { get; init; }
    public double? Threshold { get; init; }
    public string? Action { get; init; }
}

public sealed record Approval
{
    public bool Approved { get; init; }
    public string? By { get; init; }
    public string? Reason { get; init; }
    public DateTimeOffset? At { get; init; }
}

public sealed record ChangeStatus
{
    public Phase? Phase { get; init; }
    public string? ExperimentId { get; init; }

    /// <summary>0, 1 or 2 while an experiment runs: which 1,900 buckets it owns.</summary>
    public int? Slot { get; init; }

    /// <summary>0 to 6 while an applied change is still compared: which 500 buckets go on without it.</summary>
    public int? Holdback { get; init; }

    /// <summary>The share in force now; ramps from spec.experiment.share.</summary>
    public double? Share { get; init; }
    public string? RolloutProgress { get; init; }
    public DateTimeOffset? StartedAt { get; init; }
    public DateTimeOffset? LastAppliedAt { get; init; }
    public string? Reason { get; init; }

    /// <summary>Which recorded step made this status; so a step that was cut off is neither lost nor taken twice.</summary>
    public string? Transition { get; init; }
    public long ObservedGeneration { get; init; }
    public IReadOnlyList<Condition> Conditions { get; set; } = [];
}

public sealed record Condition
{
    public required string Type { get; init; }
    public required string Status { get; init; }
    public string? Reason { get; init; }
    public string? Message { get; init; }
    public DateTimeOffset? LastTransitionTime { get; init; }
    public long ObservedGeneration { get; init; }
}
