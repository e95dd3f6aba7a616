using System.Globalization;
using Fabrik.Experiments;
using Fabrik.Reports;

namespace Fabrik.Analysis;

/// <summary>From evidence to a verdict. All comparisons are with the greatest evidence so far, which is what the error rates are guaranteed for.</summary>
public static class Judgement
{
    /// <param name="evidence">Released blocks.</param>
    /// <param name="goal">An improvement, or no loss.</param>
    /// <param name="rules">Confidence, margin, least runs.</param>
    /// <param name="logSampleRatio">Logarithm of the Bayes factor against the shares that were set; see <see cref="SampleRatio"/>.</param>
    /// <param name="isOver">The experiment may not run any longer.</param>
    public static Verdict Of(Evidence evidence, Goal goal, DecisionRules rules, double logSampleRatio = 0, bool isOver = false)
    {
        var threshold = Math.Log(rules.Threshold);
        if (evidence.Harm.MaximumLog >= threshold)
        {
            return new Verdict(Decision.Rollback,
                [Said("the treatment costs success", evidence.Success, evidence.Harm.Maximum, rules)], Confidence(evidence.Harm.MaximumLog));
        }

        if (logSampleRatio >= Math.Log(SampleRatio.Limit))
        {
            return new Verdict(isOver ? Decision.Inconclusive : Decision.Continue,
                ["the arms do not hold the Jobs they should: something loses Jobs of one arm, so nothing is decided until that is found"], 0);
        }

        var log = goal == Goal.Win ? evidence.Win.MaximumLog : Math.Min(evidence.NonInferior.MaximumLog, evidence.NonInferiorGoal.MaximumLog);
        if (Suffices(evidence, goal, rules))
        {
            string[] shown = goal == Goal.Win
                ? [Said("the treatment is better", evidence.Goal, evidence.Win.Maximum, rules), $"it does not cost {Points(rules)} of success (evidence {Number(evidence.NonInferior.Maximum)})"]
                : [Said($"the treatment does not cost {Points(rules)}", evidence.Success, Math.Exp(log), rules)];
            return new Verdict(Decision.Rollout, shown, Confidence(log));
        }

        var missing = Missing(evidence, goal, rules, threshold);
        if (!isOver) return new Verdict(Decision.Continue, missing, Confidence(log));
        return new Verdict(Decision.Inconclusive, ["the time for this experiment is over; the baseline stays", .. missing], Confidence(log));
    }

    /// <summary>Whether enough runs and evidence speak for a rollout; harm and a broken draw are another matter.</summary>
    public static bool Suffices(Evidence evidence, Goal goal, DecisionRules rules)
    {
        var threshold = Math.Log(rules.Threshold);
        return evidence.Success.Treated >= rules.MinimumRunsPerArm && evidence.Success.Control >= rules.MinimumRunsPerArm
            && evidence.NonInferior.MaximumLog >= threshold && (goal == Goal.Win ? evidence.Win : evidence.NonInferiorGoal).MaximumLog >= threshold;
    }

    private static double Confidence(double maximumLog) => EvidenceReport.Confidence(Math.Exp(maximumLog));

    private static List<string> Missing(Evidence evidence, Goal goal, DecisionRules rules, double threshold)
    {
        var missing = new List<string>();
        if (evidence.Success.Treated < rules.MinimumRunsPerArm) missing.Add($"{evidence.Success.Treated} of {rules.MinimumRunsPerArm} treated runs");
        if (evidence.Success.Control < rules.MinimumRunsPerArm) missing.Add($"{evidence.Success.Control} of {rules.MinimumRunsPerArm} control runs");
        if (goal == Goal.Win) Need("that the treatment is better", evidence.Win);
        Need($"that it does not cost {Points(rules)} of success", evidence.NonInferior);
        if (goal == Goal.Save) Need($"that it does not cost {Points(rules)} of its goal", evidence.NonInferiorGoal);
        return missing;

        void Need(string what, EProcess process)
        {
            if (process.MaximumLog < threshold) missing.Add($"evidence {what}: {Number(process.Maximum)} of {Number(rules.Threshold)}");
        }
    }

    private static string Said(string what, Tally tally, double evidence, DecisionRules rules) =>
        $"{what}: {Percent(tally.TreatedRate)} of {tally.Treated} treated against {Percent(tally.ControlRate)} of {tally.Control} control runs (evidence {Number(evidence)}, {Number(rules.Threshold)} needed)";

    private static string Points(DecisionRules rules) => string.Create(CultureInfo.InvariantCulture, $"{-100 * rules.Margin:0.#} points");

    private static string Percent(double rate) => double.IsNaN(rate) ? "-" : string.Create(CultureInfo.InvariantCulture, $"{100 * rate:0.#} %");

    private static string Number(double value) => value >= 1e6 ? value.ToString("0.0e+0", CultureInfo.InvariantCulture) : value.ToString(value < 100 ? "0.##" : "0", CultureInfo.InvariantCulture);
}
