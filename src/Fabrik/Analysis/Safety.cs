using Fabrik.Experiments;

namespace Fabrik.Analysis;

/// <summary>
/// What takes a change back, on trial or applied. Harm is a matter of evidence and has the error rate that is promised; the other trips are for
/// what must not wait for evidence. Counts are of runs as they end, since the trial or the rollout began. After a rollout nearly every run is
/// treated, so that a run without a node or three kills say nothing of the change any more: there they are the failures that they are.
/// </summary>
public static class Safety
{
    private const int LeastControls = 10;
    private const double ControlsFareWell = 0.6;
    private const int LeastTreated = 10;

    /// <summary>Of harm, as it stands now. At 5, and its greatest value, the simulations take back 7 % of harmless changes; so it is below 4 %.</summary>
    private const double SomeEvidence = 10;
    private const double ErrorsTimes = 2;
    private const double CostTimes = 3;

    /// <summary>Runs of each arm of which the cost must be known.</summary>
    internal const int LeastPaid = 10;
    private const int LeastDurations = 30;
    private const double LateRuns = 0.95;
    private const double DurationTimes = 1.5;

    /// <summary>All that have tripped, the weightiest first.</summary>
    public static IReadOnlyList<Trip> Trips(ExperimentState state, ExperimentLook look)
    {
        var counts = state.Completions;
        Trip?[] always = [Harm(state.Evidence, look.Rules), FirstRunsFailed(counts), ErrorRateDoubled(counts, state.Evidence), Planned(counts, look.RollbackPlan), CostTripled(state, counts, look.Rules), BaselineShift(state.Watch)];
        Trip?[] onTrial = look.IsApplied ? [] : [OutOfMemory(counts), Unschedulable(counts), PodsRefused(counts)];
        return [.. always.Concat(onTrial).OfType<Trip>()];
    }

    /// <summary>Nothing is rolled back for these.</summary>
    public static IReadOnlyList<Alert> Alerts(ExperimentState state, ExperimentLook look)
    {
        var alerts = new List<Alert>();
        if (look.RollbackPlan is { Metric: { } metric } && !IsWatched(metric))
            alerts.Add(new Alert(AlertKind.RollbackPlan, $"the rollback plan's metric {metric} is not watched: only {OomRate} and {ErrorRate} are"));
        if (state.Incomparable is { } why) alerts.Add(new Alert(AlertKind.Arms, why));
        var (treated, control) = (state.Completions.Treated.Durations, state.Completions.Control.Durations);
        var (late, usual) = (LogBuckets.Quantile(treated, LateRuns), LogBuckets.Quantile(control, LateRuns));
        if (treated.Sum() >= LeastDurations && control.Sum() >= LeastDurations && late > DurationTimes * usual && state.Duration.Interval(look.Rules.Confidence).Low > 1)
            alerts.Add(new Alert(AlertKind.Duration, $"19 of 20 treated runs take up to {Wording.Number(late)} s, against {Wording.Number(usual)} s of the controls: {Wording.Number(late / usual)} times"));
        return alerts;
    }

    internal static Trip? Harm(Evidence evidence, DecisionRules rules) => evidence.Harm.MaximumLog < Math.Log(rules.Threshold) ? null : Tripped(
        Trigger.Harm,
        $"the treatment costs success: {Wording.Rates(evidence.Success.TreatedRate, evidence.Success.Treated, evidence.Success.ControlRate, evidence.Success.Control)} (evidence {Wording.Number(evidence.Harm.Maximum)}, {Wording.Number(rules.Threshold)} needed)",
        ("evidence", evidence.Harm.Maximum), ("treated", evidence.Success.Treated), ("treatedSucceeded", evidence.Success.TreatedGood), ("control", evidence.Success.Control), ("controlSucceeded", evidence.Success.ControlGood));

    private const string OomRate = "oom_rate";
    private const string ErrorRate = "error_rate";

    private static Trip? FirstRunsFailed(Completions counts)
    {
        var (first, control) = (counts.First, counts.Control);
        if (first.Count < Completions.FirstRuns || first.Exists(run => !run.Failed) || control.Ended < LeastControls || control.Succeeded < ControlsFareWell * control.Ended) return null;
        return Tripped(
            Trigger.FirstRunsFailed,
            $"the first {first.Count} treated runs all failed, while {control.Succeeded} of {control.Ended} control runs succeeded",
            ("treatedFailed", first.Count), ("control", control.Ended), ("controlSucceeded", control.Succeeded));
    }

    private static Trip? Unschedulable(Completions counts) => counts.Unschedulable.Count == 0 || counts.Control.Unschedulable > 0 ? null : Tripped(
        Trigger.Unschedulable,
        $"a treated run never got a node ({counts.Treated.Unschedulable} of {counts.Treated.Ended}), which happened to none of {counts.Control.Ended} control runs",
        ("treatedUnschedulable", counts.Treated.Unschedulable), ("treated", counts.Treated.Ended), ("control", counts.Control.Ended));

    private static Trip? PodsRefused(Completions counts) => counts.Refused.Count == 0 || counts.Control.Refused > 0 ? null : Tripped(
        Trigger.PodsRefused,
        $"the Pods of a treated run were not let into the cluster ({counts.Treated.Refused} of {counts.Treated.Ended}), which happened to none of {counts.Control.Ended} control runs",
        ("treatedRefused", counts.Treated.Refused), ("treated", counts.Treated.Ended), ("control", counts.Control.Ended));

    private static Trip? OutOfMemory(Completions counts)
    {
        var (treated, control) = (counts.Treated, counts.Control);
        if (counts.Killed.Count < Completions.Kills || treated.OomRate < ErrorsTimes * control.OomRate) return null;
        return Tripped(
            Trigger.OutOfMemory,
            $"{treated.OomKilled} of {treated.Ended} treated runs were killed for memory, while they had less of it than they had asked for; {control.OomKilled} of {control.Ended} control runs were",
            ("treatedKilled", treated.OomKilled), ("treated", treated.Ended), ("controlKilled", control.OomKilled), ("control", control.Ended));
    }

    private static Trip? ErrorRateDoubled(Completions counts, Evidence evidence)
    {
        var (treated, control) = (counts.Treated, counts.Control);
        if (treated.Ended < LeastTreated || treated.Failed == 0 || control.Ended == 0 || treated.ErrorRate < ErrorsTimes * control.ErrorRate || evidence.Harm.Value < SomeEvidence) return null;
        return Tripped(
            Trigger.ErrorRateDoubled,
            $"treated runs fail at least twice as often: {Wording.Rates(treated.ErrorRate, treated.Ended, control.ErrorRate, control.Ended)} (evidence of harm {Wording.Number(evidence.Harm.Value)}, {Wording.Number(SomeEvidence)} needed)",
            ("evidence", evidence.Harm.Value), ("treated", treated.Ended), ("treatedFailed", treated.Failed), ("control", control.Ended), ("controlFailed", control.Failed));
    }

    /// <summary>The rate must be above the plan's threshold beyond the chance of few runs: Wilson's lower bound.</summary>
    private static Trip? Planned(Completions counts, RollbackPlan? plan)
    {
        if (plan is not { Metric: { } metric, Threshold: { } threshold } || !IsWatched(metric) || counts.Treated is not { Ended: >= LeastTreated } treated) return null;
        var bad = metric == OomRate ? treated.OomKilled : treated.Failed;
        var low = Intervals.Wilson(bad, treated.Ended).Low;
        if (!(low > threshold)) return null;
        return Tripped(
            Trigger.RollbackPlan,
            $"the change's plan is to roll back above {metric} {Wording.Percent(threshold)}: it is {Wording.Percent((double)bad / treated.Ended)} of {treated.Ended} treated runs, at least {Wording.Percent(low)}",
            ("threshold", threshold), ("treated", treated.Ended), ("rate", (double)bad / treated.Ended), ("low", low));
    }

    /// <summary>Of a success too: where failures are early and cheap, runs that succeed at last cost more, and that is no fault.</summary>
    private static Trip? CostTripled(ExperimentState state, Completions counts, DecisionRules rules)
    {
        if (counts.Treated.Paid < LeastPaid || counts.Control.Paid < LeastPaid) return null;
        var (low, high) = state.Cost.Interval(rules.Confidence);
        if (!(low > CostTimes) || !(counts.Treated.CostOfSuccess > CostTimes * counts.Control.CostOfSuccess)) return null;
        return Tripped(
            Trigger.CostTripled,
            $"a treated run costs {Wording.Number(state.Cost.Ratio)} times a control run ({Wording.Number(low)} to {Wording.Number(high)}), and so does a success ({Wording.Number(counts.Treated.CostOfSuccess / counts.Control.CostOfSuccess)} times)",
            ("ratio", state.Cost.Ratio), ("low", low), ("high", high));
    }

    private static Trip? BaselineShift(BaselineWatch watch) => !watch.IsAlarmed ? null : Tripped(
        Trigger.BaselineShift,
        $"runs under the applied change fail more often than the controls of its experiment did: {watch.Failed} of {watch.Runs}, where at most {Wording.Number(watch.Allowed)} were to be expected (watch at {Wording.Number(watch.Maximum)} of {Wording.Number(BaselineWatch.Limit)})",
        ("watch", watch.Maximum), ("runs", watch.Runs), ("failed", watch.Failed), ("expected", watch.Allowed));

    private static bool IsWatched(string metric) => metric is OomRate or ErrorRate;

    private static Trip Tripped(Trigger trigger, string text, params ReadOnlySpan<(string Name, double Value)> figures)
    {
        var named = new Dictionary<string, double>(figures.Length, StringComparer.Ordinal);
        foreach (var (name, value) in figures) named[name] = value;
        return new Trip(trigger, text, named);
    }
}
