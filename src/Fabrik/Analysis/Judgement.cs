using System.Globalization;
using Fabrik.Experiments;
using Fabrik.Reports;

namespace Fabrik.Analysis;

/// <summary>From evidence to a verdict. All comparisons are with the greatest evidence so far, which is what the error rates are guaranteed for.</summary>
public static class Judgement
{
    /// <summary>Of a change on trial: anything. Of an applied one: rollback or continue.</summary>
    public static Verdict Of(ExperimentState state, ExperimentLook look)
    {
        var verdict = Safety.Trips(state, look) is { Count: > 0 } trips ? Rollback(trips, state.Evidence)
            : look.IsApplied ? Watching(state, look.Rules)
            : Saving(Of(state.Evidence, look.Goal, look.Rules, state.Incomparable, look.IsOver), state, look);
        return verdict with { Alerts = Safety.Alerts(state, look) };
    }

    /// <summary>Of blocks alone.</summary>
    /// <param name="evidence">Released blocks.</param>
    /// <param name="goal">An improvement, or no loss.</param>
    /// <param name="rules">Confidence, margin, least runs.</param>
    /// <param name="incomparable">Why the arms cannot be compared; see <see cref="ExperimentState.Incomparable"/>.</param>
    /// <param name="isOver">The experiment may not run any longer.</param>
    public static Verdict Of(Evidence evidence, Goal goal, DecisionRules rules, string? incomparable = null, bool isOver = false)
    {
        if (Safety.Harm(evidence, rules) is { } harm) return Rollback([harm], evidence);
        if (incomparable is not null) return new Verdict(isOver ? Decision.Inconclusive : Decision.Continue, [incomparable], 0);
        var log = goal == Goal.Win ? evidence.Win.MaximumLog : Math.Min(evidence.NonInferior.MaximumLog, evidence.NonInferiorGoal.MaximumLog);
        var missing = Requirements(evidence, goal, rules).Where(one => !one.IsMet).Select(one => one.Text(rules)).ToList();
        if (missing.Count > 0)
        {
            return isOver
                ? new Verdict(Decision.Inconclusive, ["the time for this experiment is over; the baseline stays", .. missing], Confidence(log))
                : new Verdict(Decision.Continue, missing, Confidence(log));
        }

        string[] shown = goal == Goal.Win
            ? [Said("the treatment is better", evidence.Goal, evidence.Win.Maximum, rules), $"it does not cost {Points(rules)} of success (evidence {Wording.Number(evidence.NonInferior.Maximum)})"]
            : [Said($"the treatment does not cost {Points(rules)}", evidence.Success, Math.Exp(log), rules)];
        return new Verdict(Decision.Rollout, shown, Confidence(log));
    }

    /// <summary>Whether enough runs and evidence speak for a rollout; harm and a broken draw are another matter.</summary>
    public static bool Suffices(Evidence evidence, Goal goal, DecisionRules rules)
    {
        foreach (var one in Requirements(evidence, goal, rules))
            if (!one.IsMet) return false;
        return true;
    }

    /// <summary>All that a rollout needs.</summary>
    private static IEnumerable<Requirement> Requirements(Evidence evidence, Goal goal, DecisionRules rules)
    {
        yield return new Requirement(evidence.Success.Treated, rules.MinimumRunsPerArm, false, static _ => "treated runs");
        yield return new Requirement(evidence.Success.Control, rules.MinimumRunsPerArm, false, static _ => "control runs");
        var threshold = Math.Log(rules.Threshold);
        if (goal == Goal.Win) yield return new Requirement(evidence.Win.MaximumLog, threshold, true, static _ => "that the treatment is better");
        yield return new Requirement(evidence.NonInferior.MaximumLog, threshold, true, static rules => $"that it does not cost {Points(rules)} of success");
        if (goal == Goal.Save) yield return new Requirement(evidence.NonInferiorGoal.MaximumLog, threshold, true, static rules => $"that it does not cost {Points(rules)} of its goal");
    }

    /// <param name="Have">Runs, or the logarithm of evidence.</param>
    /// <param name="Need">Likewise.</param>
    private readonly record struct Requirement(double Have, double Need, bool IsEvidence, Func<DecisionRules, string> What)
    {
        public bool IsMet => Have >= Need;

        public string Text(DecisionRules rules) => IsEvidence
            ? $"evidence {What(rules)}: {Wording.Number(Math.Exp(Have))} of {Wording.Number(Math.Exp(Need))}"
            : string.Create(CultureInfo.InvariantCulture, $"{Have:0} of {Need:0} {What(rules)}");
    }

    /// <summary>
    /// Another model that is no loss is worth a rollout only if its calls cost less: of a run surely, and of a success too. Other changes save
    /// what they say that they reserve, which needs no showing.
    /// </summary>
    private static Verdict Saving(Verdict verdict, ExperimentState state, ExperimentLook look)
    {
        if (verdict.Decision != Decision.Rollout || look is not { IsModel: true, Goal: Goal.Save }) return verdict;
        var (treated, control) = (state.Completions.Treated, state.Completions.Control);
        var (low, high) = state.Cost.Interval(look.Rules.Confidence);
        var known = Math.Min(treated.Paid, control.Paid) >= Safety.LeastPaid;
        var said = known
            ? $"calls of a treated run cost {Wording.Number(state.Cost.Ratio)} times those of a control run ({Wording.Number(low)} to {Wording.Number(high)}), those of a success {Wording.Number(treated.CostOfSuccess / control.CostOfSuccess)} times"
            : $"cost of calls known of {treated.Paid} treated and {control.Paid} control runs, {Safety.LeastPaid} of each needed{(state.Unpriced == 0 ? "" : $"; of {state.Unpriced} it cannot be compared, as the gateway's price book lacks a model of theirs or is of another currency")}";
        if (known && high < 1 && treated.CostOfSuccess < control.CostOfSuccess) return verdict with { Reasons = [.. verdict.Reasons, said] };
        return look.IsOver && state.Unpaid.Count == 0
            ? verdict with { Decision = Decision.Inconclusive, Reasons = ["the time for this experiment is over; the baseline stays", $"it is no loss, but that it saves is not shown: {said}"] }
            : verdict with { Decision = Decision.Continue, Reasons = [.. verdict.Reasons, $"whether it saves is open: {said}"] };
    }

    private static Verdict Rollback(IReadOnlyList<Trip> trips, Evidence evidence) =>
        new(Decision.Rollback, [.. trips.Select(trip => trip.Text)], Confidence(evidence.Harm.MaximumLog)) { Trips = trips };

    private static Verdict Watching(ExperimentState state, DecisionRules rules)
    {
        var (harm, watch) = (state.Evidence.Harm, state.Watch);
        return new Verdict(
            Decision.Continue,
            [
                $"evidence of harm: {Wording.Number(harm.Maximum)} of {Wording.Number(rules.Threshold)}",
                $"failures since the rollout: {watch.Failed} of {watch.Runs}, at most {Wording.Number(watch.Allowed)} expected (watch at {Wording.Number(watch.Maximum)} of {Wording.Number(BaselineWatch.Limit)})",
            ],
            Confidence(harm.MaximumLog));
    }

    private static double Confidence(double maximumLog) => EvidenceReport.Confidence(Math.Exp(maximumLog));

    private static string Said(string what, Tally tally, double evidence, DecisionRules rules) =>
        $"{what}: {Wording.Rates(tally.TreatedRate, tally.Treated, tally.ControlRate, tally.Control)} (evidence {Wording.Number(evidence)}, {Wording.Number(rules.Threshold)} needed)";

    private static string Points(DecisionRules rules) => string.Create(CultureInfo.InvariantCulture, $"{-100 * rules.Margin:0.#} points");
}
