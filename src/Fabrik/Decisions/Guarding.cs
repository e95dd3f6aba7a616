using Fabrik.Analysis;
using Fabrik.Experiments;

namespace Fabrik.Decisions;

/// <summary>Emergency rollbacks: of what does harm, and of what is not what the scheduler made it.</summary>
public static class Guarding
{
    public static IReadOnlyList<Step> Plan(OptimizerView view)
    {
        var steps = new List<Step>();
        var slots = new HashSet<int>();
        foreach (var change in view.Changes.OrderBy(change => change.Status.StartedAt ?? DateTimeOffset.MaxValue).ThenBy(change => change.Name, StringComparer.Ordinal))
        {
            if (change.Phase is not (Phase.ExperimentRunning or Phase.Analyzing or Phase.Approved or Phase.Applied)) continue;
            if (view.Findings(change) is { Verdict.Decision: Decision.Rollback } found) steps.Add(Back(change, view.Now, WireNames.Of(found.Verdict.Trigger ?? Trigger.Harm), found.Verdict.Reasons) with { Evidence = found.Figures });
            else if (change.Phase == Phase.ExperimentRunning && change.Status.Slot is { } slot && !slots.Add(slot))
                steps.Add(Back(change, view.Now, "edited_by_hand", [$"its status was edited by hand: slot {slot} belongs to another experiment, so its arms cannot be told apart"]));
        }

        return steps;
    }

    private static Step Back(OptimizationChange change, DateTimeOffset now, string incident, IReadOnlyList<string> reasons)
    {
        var step = Step.Into(change, Phase.RolledBack, now, reasons);
        return step with { Next = step.Next with { RolloutProgress = "0%" }, Incident = incident };
    }
}
