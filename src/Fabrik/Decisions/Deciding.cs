using System.Globalization;
using Fabrik.Analysis;
using Fabrik.Experiments;

namespace Fabrik.Decisions;

/// <summary>From what the trials have shown to rollouts and ends; see <see cref="Guarding"/> for harm, which does not wait for this.</summary>
public static class Deciding
{
    public static IReadOnlyList<Step> Plan(OptimizerView view) =>
        [.. view.Changes.Select(change => Decide(change, view)).OfType<Step>()];

    private static Step? Decide(OptimizationChange change, OptimizerView view)
    {
        if (change.Phase is not (Phase.ExperimentRunning or Phase.Analyzing) || Conditions.NeedsApproval(change.Status)) return null;
        if (view.Findings(change) is not { } found) return null;
        if (found.Verdict.Decision == Decision.Rollout)
        {
            if (change.Phase == Phase.ExperimentRunning && Applying.IsOnlyCostOpen(change, view) && !IsOver(change, view)) return Longer(change, view);
            return Step.Into(change, Phase.Approved, view.Now, [.. found.Verdict.Reasons, Confidence(found.Verdict)]) with { Evidence = found.Figures };
        }

        if (found.Verdict.Decision != Decision.Inconclusive) return null;
        var waiting = found.State.Queues.Values.Sum(queue => queue.Waiting.Count);
        if (change.Phase == Phase.ExperimentRunning && waiting > 0)
        {
            var step = Step.Into(change, Phase.Analyzing, view.Now, "the time for this experiment is over; what its last runs show is waited for");
            return step with { Next = step.Next with { Share = change.Status.Share }, Evidence = found.Figures };
        }

        var waited = view.Now - (Conditions.Since(change.Status) ?? DateTimeOffset.MinValue);
        return waiting == 0 || (change.Phase == Phase.Analyzing && waited > StratumQueue.LongestWait)
            ? Step.Into(change, Phase.Rejected, view.Now, [.. found.Verdict.Reasons, Confidence(found.Verdict)]) with { Evidence = found.Figures }
            : null;
    }

    /// <summary>The reason has no figures that move: it is written once.</summary>
    private static Step? Longer(OptimizationChange change, OptimizerView view)
    {
        var step = Step.Into(change, Phase.ExperimentRunning, view.Now, string.Create(CultureInfo.InvariantCulture, $"it has shown its worth; whether a run with it costs more than {view.Policy.Experiments.CostCeiling:0.0} times as much is still open, so the trial goes on"));
        step = step with { Next = step.Next with { Slot = change.Status.Slot, Share = change.Status.Share } };
        return step.ChangesAnything ? step : null;
    }

    private static bool IsOver(OptimizationChange change, OptimizerView view) => change.Status.StartedAt is { } started && view.Now - started > ExperimentTime.Of(change, view.Policy);

    private static string Confidence(Verdict verdict) => string.Create(CultureInfo.InvariantCulture, $"confidence {verdict.Confidence:0.00}");
}
