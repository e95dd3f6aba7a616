using Fabrik.Experiments;

namespace Fabrik.Reports;

/// <summary>What came of the experiments that ended within 30 days.</summary>
/// <param name="Completed">Applied, rolled back or rejected after a trial.</param>
/// <param name="Improved">Of those, applied and still so.</param>
public sealed record OptimizerHealth(int Completed, int Improved, int RolledBack)
{
    public static readonly TimeSpan Period = TimeSpan.FromDays(30);

    /// <summary>Fractions; null where nothing was completed. Below 0.7 and above 0.15 something is wrong with what is proposed or how it is tried.</summary>
    public double? SuccessRate => Completed == 0 ? null : (double)Improved / Completed;
    public double? RollbackRate => Completed == 0 ? null : (double)RolledBack / Completed;

    /// <summary>Median days from the proposal of a change to its rollout, also of those that were taken back since; null where nothing was rolled out. Should be below 7; above 14 is too slow.</summary>
    public double? DaysToRollout { get; init; }

    /// <summary>Null where nothing is known of what the applied changes cost.</summary>
    public CostSavings? CostSavings { get; init; }

    /// <param name="changes">Each with the time it came into its phase, where that is known; else the time of its creation counts.</param>
    /// <param name="reports">By name of the change, where its runs have shown anything.</param>
    /// <param name="now">End of the period.</param>
    public static OptimizerHealth Of(IReadOnlyCollection<(OptimizationChange Change, DateTimeOffset? Since)> changes, IReadOnlyDictionary<string, ExperimentReport> reports, DateTimeOffset now)
    {
        var ended = changes.Where(one => now - (one.Since ?? one.Change.Metadata.CreationTimestamp ?? DateTimeOffset.MinValue) <= Period)
            .Select(one => one.Change)
            .Where(change => change.Phase is Phase.Applied or Phase.RolledBack || (change.Phase == Phase.Rejected && change.Status.StartedAt is not null)).ToList();
        return new OptimizerHealth(ended.Count, ended.Count(change => change.Phase == Phase.Applied), ended.Count(change => change.Phase == Phase.RolledBack))
        {
            DaysToRollout = Median([.. changes.Select(one => one.Change).Where(change => now - change.Status.LastAppliedAt <= Period)
                .Select(change => (change.Status.LastAppliedAt - change.Metadata.CreationTimestamp)?.TotalDays).OfType<double>().Order()]),
            CostSavings = CostSavings.Of(ended.Where(change => change.Phase == Phase.Applied).Select(change => (change, reports.GetValueOrDefault(change.Name)))),
        };
    }

    private static double? Median(IReadOnlyList<double> sorted) =>
        sorted.Count == 0 ? null : (sorted[(sorted.Count - 1) / 2] + sorted[sorted.Count / 2]) / 2;
}

/// <summary>What runs cost less by the applied changes: each counts as often as its Jobs run.</summary>
/// <param name="Fraction">Of what the runs cost without them, such as 0.12; negative where they cost more.</param>
/// <param name="Changes">Of which that is known.</param>
/// <param name="Measured">Of those, by trial; of the others it is what was expected at the proposal.</param>
public sealed record CostSavings(double Fraction, int Changes, int Measured)
{
    internal static CostSavings? Of(IEnumerable<(OptimizationChange Change, ExperimentReport? Report)> applied)
    {
        var (runs, cost, changes, measured) = (0.0, 0.0, 0, 0);
        foreach (var (change, report) in applied)
        {
            if ((report?.Cost?.Ratio ?? Figure(change, Names.Figures.CostRatio)) is not { } ratio) continue;
            if ((Figure(change, Names.Figures.RunsPerDay) ?? report?.RunsPerDay) is not { } often) continue;
            (runs, cost) = (runs + often, cost + (often * ratio));
            (changes, measured) = (changes + 1, measured + (report?.Cost is null ? 0 : 1));
        }

        return changes == 0 ? null : new CostSavings(1 - (cost / runs), changes, measured);
    }

    /// <summary>Null where it is missing, or nonsense: who proposes a change writes its figures.</summary>
    private static double? Figure(OptimizationChange change, string name) =>
        change.Spec.Evidence?.Figures.TryGetValue(name, out var value) == true && value > 0 && double.IsFinite(value) ? value : null;
}
