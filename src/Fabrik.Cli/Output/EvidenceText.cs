using System.Globalization;
using Fabrik.Experiments;
using Fabrik.Reports;

namespace Fabrik.Cli.Output;

/// <summary>What an experiment has shown, in a person's words.</summary>
public static class EvidenceText
{
    public static string Arms(ExperimentReport report) => $"{report.Treatment.Runs} treated, {report.Control.Runs} control";

    /// <summary>success 96 % against 75 %, out of memory 0 % against 31 %; null without runs in both arms.</summary>
    public static string? Shown(ExperimentReport report)
    {
        var (treatment, control) = (report.Treatment, report.Control);
        return treatment.Runs == 0 || control.Runs == 0
            ? null
            : $"success {Percent(treatment.Succeeded, treatment.Runs)} against {Percent(control.Succeeded, control.Runs)}, out of memory {Percent(treatment.OomKilled, treatment.Runs)} against {Percent(control.OomKilled, control.Runs)}";
    }

    /// <summary>The displayed confidence of the goal: of both that are needed the lesser.</summary>
    public static double Goal(EvidenceReport evidence) => EvidenceReport.Confidence(Math.Min(evidence.Win, evidence.NonInferior));

    public static string Confidence(EvidenceReport evidence, Goal goal) =>
        $"{Figure(EvidenceReport.Confidence(evidence.Win))} that it {(goal == Fabrik.Experiments.Goal.Save ? "does not run out of memory more" : "is better")}, {Figure(EvidenceReport.Confidence(evidence.NonInferior))} that it is not worse, {Figure(EvidenceReport.Confidence(evidence.Harm))} that it harms (needs {Figure(1 - (1 / evidence.Threshold))})";

    /// <summary>When it will be decided at the rate of runs seen lately.</summary>
    public static string? When(ExperimentReport report)
    {
        if (report.Forecast is not { } forecast) return null;
        var counted = report.Treatment.Runs + report.Control.Runs;
        string Part(double runs, double? days) => $"{Math.Max(0, Math.Ceiling(runs - counted)):0} more runs{(days is { } known ? $", {Days(known)}" : "")}";
        return $"in about {Part(forecast.MedianRuns, forecast.MedianDays)}; nine times in ten within {Part(forecast.LateRuns, forecast.LateDays)}";
    }

    public static string Ratio(RatioReport ratio) => string.Create(CultureInfo.InvariantCulture, $"{ratio.Ratio:0.00} of control's ({ratio.Low:0.00} to {ratio.High:0.00})");

    /// <summary>What the calls of a run cost in each arm.</summary>
    public static string Calls(CallCostReport cost) =>
        $"a treated run's calls cost {Amount(cost.Treatment, cost.Currency)}, a control run's {Amount(cost.Control, cost.Currency)}";

    /// <summary>Runs since the rollout against what the trial's controls had shown.</summary>
    public static string Watch(WatchReport watch) => string.Create(
        CultureInfo.InvariantCulture, $"{watch.Failed} of {watch.Runs} runs failed, at most {watch.Expected:0.#} expected; the alarm stands at {watch.Greatest:0.#} of {watch.Limit:0}");

    private static string Amount(double? mean, string currency) => mean is { } known ? $"{known.ToString("0.######", CultureInfo.InvariantCulture)} {currency}" : "(not known)";

    /// <summary>Cut, not rounded: 0.9499 is not yet 0.95.</summary>
    public static string Figure(double confidence) => (Math.Floor((confidence * 100) + 1e-9) / 100).ToString("0.00", CultureInfo.InvariantCulture);

    private static string Percent(long part, long of) => string.Create(CultureInfo.InvariantCulture, $"{100.0 * part / of:0} %");

    private static string Days(double days) => days < 1 ? "less than a day" : $"{Math.Ceiling(days):0} days";
}
