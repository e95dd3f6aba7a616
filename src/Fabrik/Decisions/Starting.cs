using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Fabrik.Experiments;

namespace Fabrik.Decisions;

/// <summary>Which changes go on trial, which wait and why, and which trials get a larger share.</summary>
public static class Starting
{
    /// <summary>Treated runs, and evidence of harm below which, the share may grow.</summary>
    private const int RunsBeforeRamp = 10;
    private const double HarmBeforeRamp = 3;

    public static IReadOnlyList<Step> Plan(OptimizerView view)
    {
        if (view.Policy.Paused) return [];
        var steps = new List<Step>();
        var running = view.Changes.Where(change => change.Phase == Phase.ExperimentRunning).ToList();
        foreach (var change in running)
            if ((Suspended(change, view) ?? Ramped(change, view)) is { } step) steps.Add(step);
        var slots = FreeSlots(running);
        var occupied = running.Count;
        foreach (var change in Waiting(view))
        {
            if (Guardrails.Of(change, view, occupied) is { } held)
            {
                if (Wait(change, held, view.Now) is { ChangesAnything: true } wait) steps.Add(wait);
            }
            else if (slots.TryDequeue(out var slot))
            {
                occupied++;
                steps.Add(Start(change, view, slot));
            }
        }

        return steps;
    }

    /// <summary>What waits, in the order in which it is tried: by expected value, then age. Trials that were suspended are first.</summary>
    private static IEnumerable<OptimizationChange> Waiting(OptimizerView view) => view.Changes
        .Where(change => change.Phase is Phase.Proposed or Phase.Queued || (change.Phase == Phase.Analyzing && Conditions.NeedsApproval(change.Status)))
        .Where(change => change.Spec.Approval is not { Approved: false })
        .OrderByDescending(change => change.Phase == Phase.Analyzing)
        .ThenByDescending(Value)
        .ThenBy(change => change.Metadata.CreationTimestamp ?? DateTimeOffset.MaxValue)
        .ThenBy(change => change.Name, StringComparer.Ordinal);

    /// <summary>Expected gain per day; a change without one (or with nonsense) is worth nothing.</summary>
    private static double Value(OptimizationChange change) =>
        change.Spec.Evidence?.Figures.GetValueOrDefault(Names.Figures.Value) is { } value && double.IsFinite(value) ? value : 0;

    /// <summary>Free slots from the lowest. Trials that somebody started by hand without a slot take the first ones, as the webhook has it.</summary>
    private static Queue<int> FreeSlots(IReadOnlyCollection<OptimizationChange> running)
    {
        var taken = running.Select(change => change.Status.Slot).OfType<int>().ToHashSet();
        var homeless = running.Count(change => change.Status.Slot is null);
        return new Queue<int>(Enumerable.Range(0, AssignmentBuckets.Slots).Where(slot => !taken.Contains(slot)).Skip(homeless));
    }

    private static Step Start(OptimizationChange change, OptimizerView view, int slot)
    {
        var limits = view.Policy.Experiments;
        var again = WasRolledBack(change, view);
        var share = Math.Min(change.Spec.Experiment.Share, Math.Min(limits.InitialShare, limits.MaxShare));
        if (again) share /= 2;
        var resumed = change.Phase == Phase.Analyzing;
        var started = resumed ? change.Status.StartedAt ?? view.Now : view.Now;
        var reasons = new List<string> { resumed ? "the trial goes on" : string.Create(CultureInfo.InvariantCulture, $"the trial begins with {share:0.#%} of the matching Jobs") };
        if (again) reasons.Add("it was rolled back before, so the share is halved and does not grow");
        if (change.Spec.Approval is { Approved: true, By: { } by }) reasons.Add($"approved by {by}");
        var step = Step.Into(change, Phase.ExperimentRunning, view.Now, reasons);
        return step with
        {
            Next = step.Next with { Slot = slot, Share = share, StartedAt = started, ExperimentId = resumed ? change.Status.ExperimentId : ExperimentId(change, started), RolloutProgress = null, LastAppliedAt = null },
            Evidence = change.Spec.Evidence?.Figures.Where(one => double.IsFinite(one.Value)).ToDictionary() ?? [],
        };
    }

    /// <summary>Null where there is nothing new to say.</summary>
    private static Step? Wait(OptimizationChange change, Held held, DateTimeOffset now)
    {
        if (change.Phase == Phase.Analyzing) return null;
        var phase = held.Hold == Hold.Queue ? Phase.Queued : change.Phase;
        var step = Step.Into(change, phase, now, held.Reason);
        return held.Hold == Hold.Approval ? step.ThatNeedsApproval(now) : step;
    }

    /// <summary>A namespace may have become a protected one since the trial began.</summary>
    private static Step? Suspended(OptimizationChange change, OptimizerView view)
    {
        if (change.Spec.Approval is { Approved: true } || Guardrails.Protected(change, view) is not { } why) return null;
        var step = Step.Into(change, Phase.Analyzing, view.Now, $"{why}: no further Job is treated until a person agrees");
        return step.ThatNeedsApproval(view.Now);
    }

    private static Step? Ramped(OptimizationChange change, OptimizerView view)
    {
        var most = view.Policy.Experiments.MaxShare;
        if (change.Status.Share is not { } share || share >= most || WasRolledBack(change, view) || view.Findings(change) is not { } found) return null;
        var evidence = found.State.Evidence;
        if (evidence.Success.Treated < RunsBeforeRamp || evidence.Harm.Maximum >= HarmBeforeRamp) return null;
        var step = Step.Into(change, Phase.ExperimentRunning, view.Now, string.Create(CultureInfo.InvariantCulture,
            $"{evidence.Success.Treated} treated runs have ended without a sign of harm, so the share grows from {share:0.#%} to {most:0.#%}"));
        return step with { Next = step.Next with { Slot = change.Status.Slot, Share = most }, Evidence = found.Figures };
    }

    private static bool WasRolledBack(OptimizationChange change, OptimizerView view) => change.Metadata.Uid is { } uid && view.RolledBackBefore.Contains(uid);

    /// <summary>Such as exp-20260216-3f9a1c: the same for the same change and start.</summary>
    private static string ExperimentId(OptimizationChange change, DateTimeOffset started)
    {
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes($"{change.Metadata.Uid ?? change.Name}\n{started.ToUnixTimeMilliseconds()}"));
        return $"exp-{started.UtcDateTime.ToString("yyyyMMdd", CultureInfo.InvariantCulture)}-{Convert.ToHexStringLower(hash.AsSpan(0, 3))}";
    }
}
