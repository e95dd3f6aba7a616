using System.Text.Json.Serialization;

namespace Fabrik.Analysis;

/// <summary>Why a change is rolled back.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<Trigger>))]
public enum Trigger
{
    /// <summary>The treated succeed less often, beyond doubt: the specification's drop of the success rate.</summary>
    [JsonStringEnumMemberName("harm")] Harm,
    [JsonStringEnumMemberName("first_runs_failed")] FirstRunsFailed,
    [JsonStringEnumMemberName("unschedulable")] Unschedulable,

    /// <summary>The Pods of a treated Job were not let in: by a quota, a policy or another webhook.</summary>
    [JsonStringEnumMemberName("pods_refused")] PodsRefused,
    [JsonStringEnumMemberName("out_of_memory")] OutOfMemory,
    [JsonStringEnumMemberName("error_rate_doubled")] ErrorRateDoubled,

    /// <summary>The change's own plan says so.</summary>
    [JsonStringEnumMemberName("rollback_plan")] RollbackPlan,
    [JsonStringEnumMemberName("cost_tripled")] CostTripled,

    /// <summary>Runs under the applied change fail more often than the controls of its experiment did.</summary>
    [JsonStringEnumMemberName("baseline_shift")] BaselineShift,
}

/// <summary>A reason to roll back, as it stood when it was found.</summary>
/// <param name="Text">A sentence for a person.</param>
/// <param name="Figures">What it rests on, by name.</param>
public sealed record Trip(Trigger Trigger, string Text, IReadOnlyDictionary<string, double> Figures);

/// <summary>What a person should know and nothing is done about.</summary>
public sealed record Alert(AlertKind Kind, string Text);

[JsonConverter(typeof(JsonStringEnumConverter<AlertKind>))]
public enum AlertKind
{
    [JsonStringEnumMemberName("duration")] Duration,

    /// <summary>The change's rollback plan names a metric that is not watched.</summary>
    [JsonStringEnumMemberName("rollback_plan")] RollbackPlan,

    /// <summary>The arms cannot be compared: Jobs of one are missing, or how they ended is.</summary>
    [JsonStringEnumMemberName("arms")] Arms,
}
