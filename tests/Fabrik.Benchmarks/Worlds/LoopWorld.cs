using System.Diagnostics.CodeAnalysis;
using Fabrik.Analysis;
using Fabrik.Decisions;
using Fabrik.Experiments;
using Fabrik.Runs;

namespace Fabrik.Benchmarks.Worlds;

/// <summary>What a change really does.</summary>
internal enum Truth
{
    Helpful,
    Useless,
    Harmful,
    Harmless,
}

/// <summary>
/// A generated world under the real rules: Jobs of three strata with drifting rates are drawn into arms by their bucket, their runs are judged as
/// they end, and the steps that are planned are taken. Only the cluster, the database and the clock are left out.
/// </summary>
[SuppressMessage("Security", "CA5394", Justification = "a simulation that must repeat")]
internal sealed class LoopWorld
{
    private const int JobsPerDay = 300;
    private const int Days = 40;
    private const int DecideEvery = 3;
    private static readonly DateTimeOffset Start = new(2026, 11, 2, 0, 0, 0, TimeSpan.Zero);

    private readonly Random random;
    private readonly (double Success, double Oom, double Drift)[] strata;
    private readonly Truth[] truths;
    private readonly OptimizationChange[] changes;
    private readonly ExperimentState[] states;
    private readonly Verdict?[] verdicts;
    private readonly HashSet<Phase>[] seen;
    private readonly double[] effects;
    private long revision;

    public LoopWorld(int seed)
    {
        random = new Random(seed);
        strata = [.. Enumerable.Range(0, 3).Select(_ => (0.75 + (0.22 * random.NextDouble()), 0.15 + (0.25 * random.NextDouble()), 0.1 * (random.NextDouble() - 0.5)))];
        truths = [.. Enumerable.Range(0, 3).Select(_ => (Truth)random.Next(4))];
        effects = [.. truths.Select(truth => truth == Truth.Helpful ? 0.1 + (0.2 * random.NextDouble()) : 0.15 + (0.35 * random.NextDouble()))];
        changes = [.. truths.Select((truth, number) => new OptimizationChange
        {
            Metadata = new ChangeMetadata { Name = $"change-{number}", Uid = $"uid-{number}", CreationTimestamp = Start },
            Spec = new ChangeSpec { Change = truth == Truth.Harmless ? new Treatment { CpuRequest = "500m" } : new Treatment { MemoryLimit = "4Gi" }, Goal = truth is Truth.Harmless ? Goal.Save : Goal.Win, AutoApply = true },
        })];
        (states, verdicts, seen) = ([.. changes.Select(_ => new ExperimentState())], new Verdict?[3], [.. changes.Select(_ => new HashSet<Phase>())]);
    }

    public int[] HarmedJobs { get; } = new int[3];
    public int[] DecidedAfter { get; } = new int[3];

    /// <returns>Of each change: what it truly does, and every phase it was in.</returns>
    public IEnumerable<(Truth Truth, IReadOnlySet<Phase> Phases, int Jobs, int Harmed)> Play()
    {
        for (var job = 0; job < JobsPerDay * Days; job++)
        {
            var now = Start.AddDays((double)job / JobsPerDay);
            Take(Starting.Plan(View(now)), job);
            Draw(job, now);
            Look(now);
            Take(Guarding.Plan(View(now)), job);
            if (job % DecideEvery == 0) Take(Deciding.Plan(View(now)), job);
            Take(Applying.Plan(View(now)), job);
        }

        for (var i = 0; i < changes.Length; i++) yield return (truths[i], seen[i], DecidedAfter[i], HarmedJobs[i]);
    }

    private OptimizerView View(DateTimeOffset now) => new(now, new PolicySpec(), changes, [], new HashSet<string>(), change =>
        Array.FindIndex(changes, one => one.Name == change.Name) is var i && verdicts[i] is { } verdict ? new Findings(now, verdict, states[i]) : null);

    private void Take(IReadOnlyList<Step> steps, int job)
    {
        foreach (var step in steps)
        {
            var i = Array.FindIndex(changes, one => one.Name == step.Change.Name);
            changes[i] = changes[i] with { Status = step.Next };
            seen[i].Add(step.To);
            if (DecidedAfter[i] == 0 && step.To is Phase.Approved or Phase.Rejected or Phase.RolledBack) DecidedAfter[i] = job;
        }
    }

    private void Draw(int job, DateTimeOffset now)
    {
        var bucket = random.Next(AssignmentBuckets.Count);
        var stratum = random.Next(strata.Length);
        var (success, oom, drift) = strata[stratum];
        var good = Math.Clamp(success + (drift * job / (JobsPerDay * Days)), 0.05, 0.99);
        var running = changes.Where(change => change.Phase == Phase.ExperimentRunning).ToList();
        var treating = running.FirstOrDefault(change => AssignmentBuckets.IsTreated(bucket, change.Status.Slot!.Value, change.Status.Share!.Value));
        var holdout = AssignmentBuckets.IsHoldout(bucket);
        var heldBack = changes.FirstOrDefault(change => change is { Phase: Phase.Applied, Status.Holdback: { } holdback } && AssignmentBuckets.IsHeldBack(bucket, holdback));
        var members = new List<(int Change, MemberRole Role)>();
        for (var i = 0; i < changes.Length; i++)
        {
            var has = !holdout && (ReferenceEquals(changes[i], treating) || (changes[i].Phase == Phase.Applied && !ReferenceEquals(changes[i], heldBack)));
            if (has) (good, oom) = Under(i, good, oom);
            if (holdout) continue;
            if (ReferenceEquals(changes[i], treating)) members.Add((i, MemberRole.Treatment));
            else if (ReferenceEquals(changes[i], heldBack)) members.Add((i, MemberRole.Control));
            else if (changes[i].Phase == Phase.ExperimentRunning && treating is null && heldBack is null) members.Add((i, MemberRole.Control));
            else if (changes[i].Phase == Phase.Applied) members.Add((i, MemberRole.Applied));
        }

        var killed = random.NextDouble() < oom;
        var succeeded = !killed && random.NextDouble() < good;
        var arm = treating is not null ? Arm.Treatment : running.Count > 0 && !holdout ? Arm.Control : Arm.Applied;
        foreach (var (i, role) in members)
        {
            if (truths[i] == Truth.Harmful && role != MemberRole.Control && !succeeded) HarmedJobs[i]++;
            var run = new Member(
                job, $"uid-{job}", null, $"stratum-{stratum}", role, arm, (treating ?? heldBack)?.Name, now, now, now.AddMinutes(4), succeeded ? Outcome.Succeeded : Outcome.Failed, killed, null, 200 + (100 * random.NextDouble()), 1,
                new RunResources(), new RunResources(), ++revision);
            var look = ExperimentLook.Of(changes[i], changes, new PolicySpec(), now);
            states[i].Begin(look, now);
            states[i].Take([run], look);
        }
    }

    private (double Good, double Oom) Under(int change, double good, double oom) => truths[change] switch
    {
        Truth.Helpful => (good, oom * effects[change]),
        Truth.Harmful => (good * (1 - effects[change]), oom),
        _ => (good, oom),
    };

    private void Look(DateTimeOffset now)
    {
        for (var i = 0; i < changes.Length; i++)
        {
            if (changes[i].Phase is not (Phase.ExperimentRunning or Phase.Analyzing or Phase.Approved or Phase.Applied)) continue;
            var look = ExperimentLook.Of(changes[i], changes, new PolicySpec(), now);
            states[i].Begin(look, now);
            states[i].Release(now, look.IsMemory, look.Rules);
            verdicts[i] = Judgement.Of(states[i], look);
        }
    }
}
