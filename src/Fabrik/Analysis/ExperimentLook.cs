using Fabrik.Experiments;

namespace Fabrik.Analysis;

/// <summary>What is looked at, and how: of one change that is on trial, among all others.</summary>
/// <param name="StartedAt">When this trial began.</param>
/// <param name="TreatedShare">The chance of treatment among its treated and controls.</param>
/// <param name="IsMemory">Whether it is for out-of-memory kills; else for success.</param>
/// <param name="IsOver">It may not run any longer.</param>
public sealed record ExperimentLook(DateTimeOffset StartedAt, double TreatedShare, bool IsMemory, bool IsOver, DecisionRules Rules)
{
    /// <param name="change">In phase experiment_running.</param>
    /// <param name="all">All changes there are: those that run or are held back take buckets out of every control.</param>
    /// <param name="policy">Confidence, least runs, longest time.</param>
    public static ExperimentLook Of(OptimizationChange change, IReadOnlyCollection<OptimizationChange> all, PolicySpec policy, DateTimeOffset now)
    {
        var running = all.Where(one => one.Phase == Phase.ExperimentRunning).Sum(Share);
        var heldBack = all.Count(one => one.Phase == Phase.Applied && one.Status.Holdback is not null) * AssignmentBuckets.HoldbackSize / (double)AssignmentBuckets.Count;
        var control = Math.Max(0, (AssignmentBuckets.HoldoutFrom / (double)AssignmentBuckets.Count) - running - heldBack);
        var started = change.Status.StartedAt ?? change.Metadata.CreationTimestamp ?? DateTimeOffset.UnixEpoch;
        var treatment = change.Spec.Change;
        return new ExperimentLook(
            started,
            Math.Clamp(Share(change) / (Share(change) + control), 0.001, 0.999),
            (treatment.MemoryLimit ?? treatment.MemoryRequest) is not null,
            now - started > TimeSpan.FromDays(policy.Experiments.MaximumDays),
            new DecisionRules { Confidence = policy.Experiments.Confidence, MinimumRunsPerArm = policy.Experiments.MinimumRunsPerArm });
    }

    private static double Share(OptimizationChange change) => change.Status.Share ?? change.Spec.Experiment.Share;
}
