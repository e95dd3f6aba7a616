using System.Text.Json;
using System.Text.Json.Serialization;

namespace Fabrik.Experiments;

/// <summary>The custom resource OptimizerPolicy (fabrik.dev/v1, cluster-scoped); the one named default counts.</summary>
public sealed record OptimizerPolicy
{
    public required ChangeMetadata Metadata { get; init; }
    public PolicySpec Spec { get; set; } = new();
    public PolicyStatus Status { get; set; } = new();
}

public sealed record PolicySpec
{
    /// <summary>No arm is drawn while true; applied changes stay.</summary>
    public bool Paused { get; init; }
    public string? PauseReason { get; init; }

    /// <summary>Salt of the one bucket space.</summary>
    public string Salt { get; set; } = "fabrik";
    public ExperimentGuardrails Experiments { get; set; } = new();
    public Risk AutoApplyRisk { get; set; } = Risk.Low;
    public BusinessHours BusinessHours { get; set; } = new();

    /// <summary>Environments, as <see cref="Names.Labels.Environment"/> names them, where no experiment starts without approval.</summary>
    public IReadOnlyList<string> ProtectedEnvironments { get; set; } = ["prod"];

    /// <summary>Environment variables that a change may set.</summary>
    public IReadOnlyList<string> AllowedEnvironment { get; set; } = [];

    /// <summary>Runtime classes from least to most strict; a Job without one counts as less strict than all.</summary>
    public IReadOnlyList<string> RuntimeClasses { get; set; } = [];
    public IReadOnlyList<Budget> Budgets { get; set; } = [];
    public RunDefaults Runs { get; set; } = new();
}

/// <summary>What Jobs get that leave it unset, in namespaces with the label <see cref="Names.Labels.Untrusted"/>.</summary>
public sealed record RunDefaults
{
    public long RunAsUser { get; set; } = 1000;

    /// <summary>Of the processes and of their volumes' files.</summary>
    public long RunAsGroup { get; set; } = 1000;
    public bool ReadOnlyRootFilesystem { get; set; } = true;
    public int ActiveDeadlineSeconds { get; set; } = 21_600;
    public int TtlSecondsAfterFinished { get; set; } = 86_400;
    public string? RuntimeClassName { get; init; }

    /// <summary>The pool of nodes, with what it takes to be let on it: put on Jobs that choose no node themselves.</summary>
    public IReadOnlyDictionary<string, string>? NodeSelector { get; init; }

    /// <summary>Toleration objects of core/v1.</summary>
    public IReadOnlyList<JsonElement>? Tolerations { get; init; }

    /// <summary>An init container waits until a denied address is denied.</summary>
    public bool Gate { get; set; }

    /// <summary>Null: the one that Fabrik was installed with.</summary>
    public string? GateImage { get; init; }

    /// <summary>Where images may come from, as ghcr.io/example; empty: from anywhere.</summary>
    public IReadOnlyList<string> Registries { get; set; } = [];
}

public sealed record ExperimentGuardrails
{
    public int MaxConcurrent { get; set; } = 3;
    public double InitialShare { get; set; } = 0.10;
    public double MaxShare { get; set; } = 0.19;
    public int MinimumRunsPerArm { get; set; } = 30;
    public double Confidence { get; set; } = 0.95;
    public int MaximumDays { get; set; } = 14;

    /// <summary>Treatment cost over control cost above which a person must approve.</summary>
    public double CostCeiling { get; set; } = 2;
}

/// <summary>When risky changes may start: local time of <see cref="TimeZone"/>, Monday to Friday.</summary>
public sealed record BusinessHours
{
    public bool Only { get; set; } = true;
    public string TimeZone { get; set; } = "UTC";
    public string From { get; set; } = "09:00";
    public string To { get; set; } = "17:00";
}

public sealed record Budget
{
    public required string Name { get; init; }
    public string? Scope { get; init; }
    public string? Period { get; init; }

    /// <summary>What is counted; money where it does not say.</summary>
    public BudgetUnit? Unit { get; init; }
    public string? Currency { get; init; }

    /// <summary>Decimal amount of money in <see cref="Currency"/>; a whole number of requests or tokens.</summary>
    public string? Limit { get; init; }
    public bool Hard { get; init; }
}

[JsonConverter(typeof(WordConverter<BudgetUnit>))]
public enum BudgetUnit
{
    [JsonStringEnumMemberName("money")] Money,
    [JsonStringEnumMemberName("requests")] Requests,

    /// <summary>All that is read, from caches too, and all that is generated.</summary>
    [JsonStringEnumMemberName("tokens")] Tokens,
}

public sealed record PolicyStatus
{
    public IReadOnlyList<string> ExhaustedBudgets { get; set; } = [];
    public long ObservedGeneration { get; init; }
    public IReadOnlyList<Condition> Conditions { get; set; } = [];
}
