using Fabrik.Costs;
using Fabrik.Experiments;
using Fabrik.Runs;

namespace Fabrik.Analysis;

/// <summary>What is looked at, and how: of one change that is on trial or applied, among all others.</summary>
public sealed record ExperimentLook
{
    /// <summary>When this trial began.</summary>
    public required DateTimeOffset StartedAt { get; init; }

    /// <summary>When what goes on now began: the trial, or the rollout.</summary>
    public required DateTimeOffset Since { get; init; }

    public bool IsApplied { get; init; }

    /// <summary>Whether Jobs are drawn into its arms now, or come under it: not while it waits for a decision.</summary>
    public bool IsDrawing { get; init; } = true;

    /// <summary>The chance of treatment among its treated and controls; 1 where it is applied and nothing is held back.</summary>
    public required double TreatedShare { get; init; }

    /// <summary>Whether it is for out-of-memory kills; else for success.</summary>
    public bool IsMemory { get; init; }

    /// <summary>Whether it is of the model that calls are made with: a run's cost is then what its calls cost, as what it reserves is the same in both arms.</summary>
    public bool IsModel { get; init; }

    /// <summary>It may not run any longer.</summary>
    public bool IsOver { get; init; }
    public Goal Goal { get; init; }
    public RollbackPlan? RollbackPlan { get; init; }
    public DecisionRules Rules { get; init; } = new();
    public PriceBook Prices { get; init; } = PriceBook.Default;

    /// <summary>Other applied changes that are still compared: their controls lack what this one's controls have.</summary>
    public IReadOnlyCollection<string> OtherHoldbacks { get; init; } = [];

    /// <param name="change">On trial, or applied after one.</param>
    /// <param name="all">All changes there are: those that run or are held back take buckets out of every control.</param>
    /// <param name="policy">Confidence, least runs, longest time, and whether anything is drawn.</param>
    public static ExperimentLook Of(OptimizationChange change, IReadOnlyCollection<OptimizationChange> all, PolicySpec policy, DateTimeOffset now)
    {
        var (treatment, applied) = (change.Spec.Change, change.Phase == Phase.Applied);
        var started = change.Status.StartedAt ?? change.Metadata.CreationTimestamp ?? DateTimeOffset.UnixEpoch;
        var others = all.Where(one => one.Phase == Phase.Applied && one.Status.Holdback is not null && one.Name != change.Name).Select(one => one.Name).ToList();
        return new ExperimentLook
        {
            StartedAt = started,
            Since = !applied ? started : change.Status.LastAppliedAt is { } at && at > started ? at : now,
            IsApplied = applied,
            IsDrawing = change.Phase is Phase.ExperimentRunning or Phase.Applied,
            TreatedShare = applied ? AppliedShare(change, all, others.Count, policy) : TrialShare(change, all, others.Count),
            IsMemory = (treatment.MemoryLimit ?? treatment.MemoryRequest) is not null,
            IsModel = change.Spec.Type == ChangeType.Model,
            IsOver = now - started > ExperimentTime.Of(change, policy),
            Goal = change.Spec.Goal,
            RollbackPlan = change.Spec.RollbackPlan,
            Rules = new DecisionRules { Confidence = policy.Experiments.Confidence, MinimumRunsPerArm = policy.Experiments.MinimumRunsPerArm },
            OtherHoldbacks = others,
        };
    }

    /// <summary>
    /// Null for a run that is in neither arm. Under an applied change all runs are treated that differ from those that are held back by this
    /// change alone: not those that another experiment treats, nor those that another applied change is held back from.
    /// </summary>
    public bool? IsTreated(Member run) => run.Role switch
    {
        MemberRole.Treatment => true,
        MemberRole.Control => false,
        MemberRole.Applied when run.Arm == Arm.Applied => true,
        MemberRole.Applied when run.Arm == Arm.Control && (run.ArmChange is null || !OtherHoldbacks.Contains(run.ArmChange)) => true,
        _ => null,
    };

    private static double TrialShare(OptimizationChange change, IReadOnlyCollection<OptimizationChange> all, int otherHoldbacks)
    {
        var control = Math.Max(0, Part(AssignmentBuckets.HoldoutFrom) - Running(all) - (otherHoldbacks * Part(AssignmentBuckets.HoldbackSize)));
        return Math.Clamp(Share(change) / (Share(change) + control), 0.001, 0.999);
    }

    /// <summary>As if every experiment that runs were for the same Jobs. Nothing is held back while the policy is paused.</summary>
    private static double AppliedShare(OptimizationChange change, IReadOnlyCollection<OptimizationChange> all, int otherHoldbacks, PolicySpec policy)
    {
        if (change.Status.Holdback is null || policy.Paused) return 1;
        var heldBack = Part(AssignmentBuckets.HoldbackSize);
        var treated = Part(AssignmentBuckets.HoldoutFrom) - Running(all) - ((otherHoldbacks + 1) * heldBack);
        return treated / (treated + heldBack);
    }

    private static double Running(IReadOnlyCollection<OptimizationChange> all) => all.Where(one => one.Phase == Phase.ExperimentRunning).Sum(Share);

    private static double Part(int buckets) => buckets / (double)AssignmentBuckets.Count;

    private static double Share(OptimizationChange change) => change.Status.Share ?? change.Spec.Experiment.Share;
}
