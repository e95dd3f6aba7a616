using System.Text.Json.Serialization;
using Fabrik.Experiments;

namespace Fabrik.Reports;

/// <summary>What an experiment has shown so far, as the API tells it and people read it. It is looked at every 20 seconds.</summary>
public sealed record ExperimentReport
{
    /// <summary>Name of the OptimizationChange.</summary>
    public required string Change { get; init; }

    public string? ExperimentId { get; init; }

    /// <summary>metadata.generation of the change that was tried.</summary>
    public long Generation { get; init; }

    /// <summary>When the first and the last run that counts were created.</summary>
    public DateTimeOffset? FirstRunAt { get; init; }
    public DateTimeOffset? LastRunAt { get; init; }

    /// <summary>When a look last found anything new.</summary>
    public DateTimeOffset? AnalyzedAt { get; init; }
    public required ArmReport Treatment { get; init; }
    public required ArmReport Control { get; init; }

    /// <summary>Runs that had the change after it was applied; null where there are none.</summary>
    public ArmReport? Applied { get; init; }

    /// <summary>Null before the first analysis.</summary>
    public EvidenceReport? Evidence { get; init; }

    /// <summary>rollout, continue, inconclusive or rollback; null before the first analysis.</summary>
    public string? Verdict { get; init; }

    /// <summary>Why, in sentences.</summary>
    public IReadOnlyList<string> Reasons { get; init; } = [];

    /// <summary>Of a rollback, all that spoke for it, the weightiest first.</summary>
    public IReadOnlyList<TripReport>? Trips { get; init; }

    /// <summary>What a person should know and nothing is done about.</summary>
    public IReadOnlyList<AlertReport>? Alerts { get; init; }

    /// <summary>Of an applied change: its runs against the controls that its experiment had.</summary>
    public WatchReport? Watch { get; init; }

    public ForecastReport? Forecast { get; init; }

    /// <summary>Treatment over control, 95 % at any number of looks.</summary>
    public RatioReport? Duration { get; init; }
    public RatioReport? Cost { get; init; }

    /// <summary>Of a change of model, what calls of a run cost; null where the cost is that of what runs reserve, or nothing is known.</summary>
    public CallCostReport? CallCost { get; init; }

    /// <summary>Runs of both arms that have ended, by the time in which they came; null where that is too short to tell.</summary>
    [JsonIgnore]
    public double? RunsPerDay => Treatment.Runs + Control.Runs is > 1 and var runs && LastRunAt - FirstRunAt is { Ticks: > 0 } time ? runs / time.TotalDays : null;

    /// <summary>Oldest first; in lists of experiments left out.</summary>
    public IReadOnlyList<EvidencePoint>? Points { get; init; }
}

/// <summary>Runs of one arm that have ended, and how.</summary>
public sealed record ArmReport(long Runs, long Succeeded, long OomKilled)
{
    /// <summary>Not ended yet.</summary>
    public long Running { get; init; }
}

/// <summary>The largest e-values so far; <paramref name="Threshold"/> is what each has to reach.</summary>
/// <param name="Win">That the change is better; for goal save: that no more runs end out of memory than the margin allows.</param>
/// <param name="NonInferior">That it is not worse by the margin.</param>
/// <param name="Harm">That it does harm.</param>
public sealed record EvidenceReport(double Win, double NonInferior, double Harm, double Threshold)
{
    /// <summary>The displayed confidence of an e-value: 1 - 1/max(1, e). 7.7 is 0.87, 20 is 0.95.</summary>
    public static double Confidence(double e) => double.IsNaN(e) ? 0 : 1 - (1 / Math.Max(1, e));
}

/// <summary>Total runs until a decision, as simulated when the change was proposed, and days from now at the rate of its runs so far.</summary>
public sealed record ForecastReport(double MedianRuns, double LateRuns, double? MedianDays, double? LateDays)
{
    /// <summary>Null for a change that was proposed without a forecast, or that has had more runs than it spoke of.</summary>
    public static ForecastReport? Of(OptimizationChange change, ExperimentReport report)
    {
        if (change.Spec.Evidence?.Figures is not { } figures || figures.GetValueOrDefault(Names.Figures.ForecastRuns) is not (> 0 and var median) || figures.GetValueOrDefault(Names.Figures.ForecastRuns90) is not (> 0 and var late)) return null;
        var counted = report.Treatment.Runs + report.Control.Runs;
        if (counted >= late) return null;
        return new ForecastReport(median, late, Math.Max(0, median - counted) / report.RunsPerDay, (late - counted) / report.RunsPerDay);
    }
}

/// <param name="Trigger">Such as harm, first_runs_failed or baseline_shift.</param>
/// <param name="Figures">What it rests on, by name.</param>
public sealed record TripReport(string Trigger, string Text, IReadOnlyDictionary<string, double> Figures);

/// <param name="Kind">duration or rollback_plan.</param>
public sealed record AlertReport(string Kind, string Text);

/// <param name="Runs">Since the rollout, of strata whose baseline is known.</param>
/// <param name="Expected">Failures that the baselines allow so many runs at most.</param>
/// <param name="Greatest">Of the alarm, so far.</param>
/// <param name="Limit">Where the change is rolled back: without cause once in that many runs at most.</param>
public sealed record WatchReport(long Runs, long Failed, double Expected, double Greatest, double Limit);

public sealed record RatioReport(double Ratio, double Low, double High);

/// <param name="Currency">ISO 4217.</param>
/// <param name="Treatment">Mean of the treated runs whose calls are priced.</param>
/// <param name="Control">Likewise; null without any, as of the treated.</param>
public sealed record CallCostReport(string Currency, double? Treatment, double? Control);

/// <summary>E-values (not their maxima) after so many runs of both arms.</summary>
public sealed record EvidencePoint(int Runs, double Win, double NonInferior, double Harm);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals)]
[JsonSerializable(typeof(ExperimentReport))]
[JsonSerializable(typeof(HistoryEntry))]
[JsonSerializable(typeof(IncidentReport))]
public sealed partial class ReportJson : JsonSerializerContext;
