using System.Globalization;
using Fabrik.Experiments;

namespace Fabrik.Decisions;

/// <summary>What people have said, what is applied, and when an applied change is no longer held back from anyone.</summary>
public static class Applying
{
    /// <summary>How long 5 % of the Jobs go on without an applied change.</summary>
    public static readonly TimeSpan HeldBackFor = TimeSpan.FromDays(7);

    public static IReadOnlyList<Step> Plan(OptimizerView view)
    {
        var steps = new List<Step>();
        var holdbacks = new Queue<int>(Enumerable.Range(0, AssignmentBuckets.Holdbacks)
            .Except(view.Changes.Where(change => change.Phase == Phase.Applied).Select(change => change.Status.Holdback).OfType<int>()));
        foreach (var change in view.Changes.OrderBy(change => change.Name, StringComparer.Ordinal))
        {
            var step = Person(change, view.Now) ?? change.Phase switch
            {
                Phase.Approved => Apply(change, view, holdbacks),
                Phase.Applied => Complete(change, view.Now),
                _ => null,
            };
            if (step is { ChangesAnything: true }) steps.Add(step);
        }

        return steps;
    }

    /// <summary>The step that a person's word asks for.</summary>
    private static Step? Person(OptimizationChange change, DateTimeOffset now)
    {
        if (PersonDecision.Step(change.Phase, change.Spec.Approval, Conditions.Since(change.Status)) is not { } phase) return null;
        var approval = change.Spec.Approval!;
        var by = approval.By is { Length: > 0 } name ? name : "a person";
        var step = Step.Into(change, phase, now, approval.Reason is { Length: > 0 } reason ? $"{by}: {reason}" : phase == Phase.Proposed ? $"{by} takes it up again" : $"refused by {by}") with { Actor = by };
        return phase switch
        {
            Phase.Proposed => step with { Next = step.Next with { StartedAt = null, ExperimentId = null, LastAppliedAt = null, RolloutProgress = null } },
            Phase.RolledBack => step with { Next = step.Next with { RolloutProgress = "0%" } },
            _ => step,
        };
    }

    private static Step Apply(OptimizationChange change, OptimizerView view, Queue<int> holdbacks)
    {
        if (Agreement(change, view) is { } agreement) return Step.Into(change, Phase.Approved, view.Now, agreement).ThatNeedsApproval(view.Now);
        if (!holdbacks.TryDequeue(out var holdback)) return Step.Into(change, Phase.Approved, view.Now, $"it waits: {AssignmentBuckets.Holdbacks} applied changes are compared with Jobs without them, and one ends within a week");
        var by = change.Spec.Approval is { Approved: true, By: { } person } ? $"approved by {person}" : $"its risk is {Word(change.Spec.Risk)}, so no person has to agree";
        var step = Step.Into(change, Phase.Applied, view.Now, by, $"5 % of the Jobs go on without it for {HeldBackFor.Days} days, to see that it holds");
        return step with
        {
            Next = step.Next with { Holdback = holdback, LastAppliedAt = view.Now, RolloutProgress = "95%" },
            Evidence = view.Findings(change)?.Figures ?? new Dictionary<string, double>(),
        };
    }

    /// <summary>Why a person has to agree to the rollout; null where nobody has to, or somebody has.</summary>
    private static string? Agreement(OptimizationChange change, OptimizerView view)
    {
        if (change.Spec.Approval is { Approved: true }) return null;
        if (AsksPerson(change, view.Policy) is { } asks) return $"it has shown its worth; {asks}";
        if (Guardrails.Protected(change, view) is { } environment) return $"it has shown its worth; {environment}: a person must agree";
        return Cost(change, view) is ({ } most, _)
            ? string.Create(CultureInfo.InvariantCulture, $"it has shown its worth; a run with it may cost up to {most:0.0} times as much, above the ceiling of {view.Policy.Experiments.CostCeiling:0.0}: a person must agree")
            : null;
    }

    /// <summary>Why the change by itself, wherever it is for and whatever it costs, is not applied without a person; null where it is.</summary>
    public static string? AsksPerson(OptimizationChange change, PolicySpec policy) =>
        change.Spec.Risk > policy.AutoApplyRisk ? $"its risk is {Word(change.Spec.Risk)}: a person must agree"
        : change.Spec.AutoApply ? null : "its author wants a person to agree (autoApply is false)";

    /// <summary>Whether nothing but a cost that might be above the ceiling, and might as well not be, keeps it from being applied by itself: more runs will tell.</summary>
    internal static bool IsOnlyCostOpen(OptimizationChange change, OptimizerView view) =>
        change.Spec.Approval is not { Approved: true } && AsksPerson(change, view.Policy) is null && Guardrails.Protected(change, view) is null && Cost(change, view) is (_, false);

    /// <summary>The most that a run may cost over one without the change, and whether it surely is above the ceiling; null where it surely is below, or nothing is known.</summary>
    private static (double Most, bool Surely)? Cost(OptimizationChange change, OptimizerView view)
    {
        var limits = view.Policy.Experiments;
        return view.Findings(change)?.Cost(limits.Confidence) is (var low, var high) && high > limits.CostCeiling ? (high, low > limits.CostCeiling) : null;
    }

    private static Step? Complete(OptimizationChange change, DateTimeOffset now)
    {
        if (change.Status.Holdback is null || change.Status.LastAppliedAt is not { } applied || now - applied < HeldBackFor) return null;
        var step = Step.Into(change, Phase.Applied, now, $"it held for {HeldBackFor.Days} days against Jobs without it; now every matching Job has it");
        return step with { Next = step.Next with { RolloutProgress = "100%" } };
    }

    private static string Word(Risk risk) => risk switch { Risk.Low => "low", Risk.Medium => "medium", _ => "high" };
}
