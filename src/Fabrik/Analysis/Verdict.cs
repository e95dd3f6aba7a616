using System.Text.Json.Serialization;

namespace Fabrik.Analysis;

/// <summary>What an experiment has to show before anything is decided.</summary>
public sealed record DecisionRules
{
    /// <summary>1 minus the chance of a wrong rollout or a wrong rollback that is accepted for one experiment, however often it is looked at.</summary>
    public double Confidence { get; init; } = 0.95;

    /// <summary>Treated minus control success that counts as a loss.</summary>
    public double Margin { get; init; } = -0.05;

    /// <summary>Released runs of each arm before a rollout; harm needs none.</summary>
    public int MinimumRunsPerArm { get; init; } = 30;

    /// <summary>An e-value from which on a hypothesis counts as refuted.</summary>
    public double Threshold => 1 / (1 - Confidence);
}

public enum Decision
{
    [JsonStringEnumMemberName("continue")] Continue,
    [JsonStringEnumMemberName("rollout")] Rollout,
    [JsonStringEnumMemberName("rollback")] Rollback,
    [JsonStringEnumMemberName("inconclusive")] Inconclusive,
}

/// <param name="Decision">What to do.</param>
/// <param name="Reasons">Why, for a person, the weightiest first.</param>
/// <param name="Confidence">0 to 1: one minus the inverse of the greatest evidence for what has been or would be decided.</param>
public sealed record Verdict(Decision Decision, IReadOnlyList<string> Reasons, double Confidence)
{
    /// <summary>Of a rollback, all that speak for it, the weightiest first.</summary>
    public IReadOnlyList<Trip> Trips { get; set; } = [];

    public IReadOnlyList<Alert> Alerts { get; set; } = [];

    /// <summary>Of a rollback, the weightiest reason.</summary>
    [JsonIgnore]
    public Trigger? Trigger => Trips.Count > 0 ? Trips[0].Trigger : null;

    /// <summary>Whether the other one tells a person the same.</summary>
    public bool Says(Verdict other) =>
        Decision == other.Decision && Confidence.Equals(other.Confidence) && Reasons.SequenceEqual(other.Reasons, StringComparer.Ordinal) && Alerts.SequenceEqual(other.Alerts);
}
