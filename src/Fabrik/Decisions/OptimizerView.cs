using Fabrik.Analysis;
using Fabrik.Experiments;

namespace Fabrik.Decisions;

/// <summary>All that the rules look at, read at one moment.</summary>
/// <param name="Changes">Of the control namespace; those that can be read.</param>
/// <param name="Namespaces">All there are.</param>
/// <param name="RolledBackBefore">UIDs of changes that were rolled back once, and may be on trial again.</param>
/// <param name="Findings">The last look at the present trial of a change, where there was one.</param>
public sealed record OptimizerView(
    DateTimeOffset Now,
    PolicySpec Policy,
    IReadOnlyList<OptimizationChange> Changes,
    IReadOnlyList<NamespaceLabels> Namespaces,
    IReadOnlySet<string> RolledBackBefore,
    Func<OptimizationChange, Findings?> Findings);

/// <param name="Environment">Value of the label <see cref="Names.Labels.Environment"/>; null without one.</param>
public sealed record NamespaceLabels(string Name, string? Environment);

/// <summary>What the last look at a trial found.</summary>
public sealed record Findings(DateTimeOffset AnalyzedAt, Verdict Verdict, ExperimentState State)
{
    /// <summary>Runs of which the cost must be known before anything is said of it.</summary>
    private const int EnoughCosts = 30;

    /// <summary>The interval of the cost of a treated run over that of a control; null where too little is known.</summary>
    public (double Low, double High)? Cost(double confidence) => State.Cost.Count >= EnoughCosts ? State.Cost.Interval(confidence) : null;

    /// <summary>The figures that a step made of it rests on.</summary>
    public IReadOnlyDictionary<string, double> Figures => new Dictionary<string, double>
    {
        ["confidence"] = Verdict.Confidence,
        ["eWin"] = State.Evidence.Win.Maximum,
        ["eNonInferior"] = State.Evidence.NonInferior.Maximum,
        ["eHarm"] = State.Evidence.Harm.Maximum,
        ["treatedRuns"] = State.Evidence.Success.Treated,
        ["treatedSucceeded"] = State.Evidence.Success.TreatedGood,
        ["controlRuns"] = State.Evidence.Success.Control,
        ["controlSucceeded"] = State.Evidence.Success.ControlGood,
        ["durationRatio"] = State.Duration.Ratio,
        ["costRatio"] = State.Cost.Ratio,
    }.Where(one => double.IsFinite(one.Value)).ToDictionary();
}
