using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.Analysis;
using Fabrik.Experiments;
using Fabrik.Runs;

namespace Fabrik.Tests.Analysis;

/// <summary>What goes on after a rollout: the same evidence against what is held back, and the watch over the baseline.</summary>
public class AppliedChangeTests
{
    private readonly TrialOfRuns trial = new(0.1);

    [Theory]
    [InlineData(0.1, 10)]
    [InlineData(0.9, 10)]
    [InlineData(0.95, 20)]
    [InlineData(0.5, 4)]
    [InlineData(0.19, 6)]
    public void A_block_has_one_unit_of_the_rarer_arm_on_average(double share, int size) => Block.Size(share).ShouldBe(size);

    [Fact]
    public void The_evidence_of_the_trial_goes_on_with_what_is_held_back_as_controls()
    {
        Tried();
        var (before, harm) = (trial.State.Evidence.Success, trial.State.Evidence.Harm.Log);
        Apply();
        trial.Verdict().Decision.ShouldBe(Decision.Continue);
        for (var block = 0; block < 40 && trial.State.Evidence.Harm.Maximum < 20; block++) Held(treatedFail: unit => unit % 3 == 0);
        trial.State.Evidence.Success.Treated.ShouldBeGreaterThan(before.Treated + 100);
        trial.State.Evidence.Harm.Log.ShouldBeGreaterThan(harm);
        trial.Trips().ShouldContain(Trigger.Harm);
        trial.State.Phases.Count.ShouldBe(2);
    }

    [Fact]
    public void Runs_under_the_change_that_another_experiment_treats_or_another_holdback_leaves_out_are_in_neither_arm()
    {
        Tried();
        Apply();
        trial.With(look => look with { OtherHoldbacks = ["other"] });
        var before = trial.State.Phases[^1];
        foreach (var (arm, change) in new (Arm, string?)[] { (Arm.Treatment, "experiment"), (Arm.Control, "other"), (Arm.Holdout, null) })
            trial.End(trial.Begin(MemberRole.Applied, arm: arm, armChange: change), Outcome.Failed);
        (before.Treated, before.Control, trial.State.Rollout.Treated.Ended, trial.State.Watch.Runs).ShouldBe((0, 0, 0, 0));
        trial.End(trial.Begin(MemberRole.Applied, arm: Arm.Control, armChange: "experiment"), Outcome.Succeeded);
        trial.End(trial.Begin(MemberRole.Applied), Outcome.Succeeded);
        trial.End(trial.Begin(MemberRole.Control), Outcome.Succeeded);
        (before.Treated, before.Control, trial.State.Rollout.Treated.Ended, trial.State.Watch.Runs).ShouldBe((2, 1, 2, 2));
    }

    [Fact]
    public void A_shortage_of_nodes_takes_no_applied_change_back_as_it_meets_nearly_all_its_runs()
    {
        Tried();
        Apply();
        trial.End(trial.Begin(MemberRole.Applied), Outcome.Unschedulable, reason: "FailedScheduling");
        trial.End(trial.Begin(MemberRole.Applied), Outcome.Unschedulable, reason: "FailedCreate");
        trial.Trips().ShouldBeEmpty();
        (trial.State.Rollout.Treated.Unschedulable, trial.State.Watch.Failed).ShouldBe((1, 2));
    }

    [Fact]
    public void The_share_after_a_rollout_is_of_the_buckets_that_differ_by_this_change_alone()
    {
        var at = new DateTimeOffset(2026, 11, 20, 12, 0, 0, TimeSpan.Zero);
        OptimizationChange Made(string name, Phase phase, int? holdback, double? share = null) => new()
        {
            Metadata = new ChangeMetadata { Name = name },
            Spec = new ChangeSpec { RollbackPlan = new RollbackPlan { Metric = "oom_rate" }, Goal = Goal.Save },
            Status = new ChangeStatus { Phase = phase, Holdback = holdback, Share = share, StartedAt = at, LastAppliedAt = at.AddDays(3) },
        };
        var (one, others) = (Made("one", Phase.Applied, 0), new[] { Made("two", Phase.Applied, 1), Made("three", Phase.Applied, null), Made("four", Phase.ExperimentRunning, null, 0.1) });
        var look = ExperimentLook.Of(one, [one, .. others], new PolicySpec(), at.AddDays(4));
        look.TreatedShare.ShouldBe(0.75 / 0.80, 1e-9); // 9,500 buckets less 1,000 held back and 1,000 treated by another, to those and the own 500
        look.OtherHoldbacks.ShouldBe(["two"]);
        (look.IsApplied, look.Since, look.StartedAt, look.Goal, look.RollbackPlan!.Metric).ShouldBe((true, at.AddDays(3), at, Goal.Save, "oom_rate"));
        ExperimentLook.Of(one, [one, .. others], new PolicySpec { Paused = true }, at).TreatedShare.ShouldBe(1); // nothing is held back then
        ExperimentLook.Of(others[1], [one, .. others], new PolicySpec(), at).TreatedShare.ShouldBe(1);
    }

    [Fact]
    public void A_run_that_waits_keeps_its_arm_when_another_change_begins_to_be_held_back()
    {
        Tried();
        Apply();
        var run = trial.Begin(MemberRole.Applied, arm: Arm.Control, armChange: "other");
        trial.With(look => look with { OtherHoldbacks = ["other"] });
        trial.End(run, Outcome.Succeeded);
        trial.State.Rollout.Treated.Succeeded.ShouldBe(1);
    }

    [Fact]
    public void When_nothing_is_held_back_any_more_the_watch_over_the_baseline_goes_on_alone()
    {
        Tried();
        Apply();
        trial.With(look => look with { TreatedShare = 1 });
        var (blocks, ratio) = (trial.State.Blocks, trial.State.LogSampleRatio);
        for (var run = 0; run < 300; run++) trial.End(trial.Begin(MemberRole.Applied), run % 10 == 0 ? Outcome.Failed : Outcome.Succeeded);
        trial.LookAgain();
        trial.Verdict().Decision.ShouldBe(Decision.Continue);
        (trial.State.Blocks, trial.State.LogSampleRatio, trial.State.Watch.Runs).ShouldBe((blocks, ratio, 300));

        var failures = 0;
        for (; trial.Verdict().Decision == Decision.Continue && failures < 40; failures++) trial.End(trial.Begin(MemberRole.Applied), failures % 2 == 0 ? Outcome.Failed : Outcome.Succeeded);
        trial.Verdict().Trigger.ShouldBe(Trigger.BaselineShift);
        failures.ShouldBeLessThan(30);
        trial.LookAgain();
        trial.Verdict().Trigger.ShouldBe(Trigger.BaselineShift);
    }

    [Fact]
    public void A_watched_run_counts_once_though_it_is_written_again_when_it_has_been_released()
    {
        Tried();
        Apply();
        trial.With(look => look with { TreatedShare = 1 });
        var run = trial.Begin(MemberRole.Applied);
        for (var again = 0; again < 20; again++)
        {
            trial.End(run, Outcome.Failed);
            trial.LookAgain();
        }

        trial.State.Watch.Runs.ShouldBe(1);
        trial.Verdict().Decision.ShouldBe(Decision.Continue);
    }

    [Fact]
    public void A_run_that_ends_after_it_was_overdue_counts_where_runs_count_as_they_end()
    {
        var run = trial.Begin(MemberRole.Treatment);
        trial.State.Release(trial.Now + StratumQueue.LongestWait + TimeSpan.FromMinutes(1), isMemory: false, trial.Look.Rules).ShouldBe(1);
        trial.End(run, Outcome.Failed);
        trial.End(run, Outcome.Failed);
        (trial.State.Trial.Treated.Ended, trial.State.Queues["s"].Overdue.Count).ShouldBe((1, 0));
    }

    [Fact]
    public void Jobs_of_the_trial_that_end_after_the_rollout_count_for_the_trial()
    {
        Tried();
        var late = trial.Begin(MemberRole.Treatment);
        var failed = trial.State.Trial.Treated.Failed;
        Apply();
        trial.End(late, Outcome.Failed);
        (trial.State.Rollout.Treated.Ended, trial.State.Watch.Runs, trial.State.Trial.Treated.Failed).ShouldBe((0, 0, failed + 1));
    }

    [Fact]
    public void A_state_that_an_earlier_version_wrote_is_gone_on_with()
    {
        Tried();
        var text = JsonSerializer.SerializeToNode(trial.State, EvidenceJson.Default.ExperimentState)!.AsObject();
        foreach (var name in (string[])["cost", "trial", "rollout", "watch", "appliedAt", "duration"]) text.Remove(name).ShouldBeTrue();
        foreach (var (_, queue) in text["queues"]!.AsObject()) queue!.AsObject().Remove("overdue").ShouldBeTrue();
        var old = JsonSerializer.Deserialize(text, EvidenceJson.Default.ExperimentState)!;
        old.Evidence.Success.ShouldBe(trial.State.Evidence.Success);
        var applied = Applied(trial);
        old.Begin(applied, trial.Now);
        old.Watch.Baselines.ShouldNotBeEmpty();
        old.Take([trial.Begin(MemberRole.Applied) with { Outcome = Outcome.Failed, DurationSeconds = 3 }], applied);
        (old.Watch.Failed, old.Release(trial.Now, false, applied.Rules)).ShouldBe((1, 1));
        Judgement.Of(old, applied).Decision.ShouldBe(Decision.Continue);

        var verdict = JsonSerializer.Deserialize("""{"decision":"continue","reasons":["few runs"],"confidence":0.5}""", EvidenceJson.Default.Verdict)!;
        (verdict.Trips.Count, verdict.Alerts.Count, verdict.Trigger).ShouldBe((0, 0, null));
    }

    /// <summary>Forty blocks in which one of ten fails in either arm.</summary>
    private void Tried() => trial.Blocks(40, () => trial.State.Blocks % 10 == 0, unit => unit == trial.State.Blocks % 9);

    private void Apply() => trial.With(_ => Applied(trial));

    private static ExperimentLook Applied(TrialOfRuns trial) => trial.Look with { IsApplied = true, Since = trial.Now, TreatedShare = 0.95 };

    private void Held(Func<int, bool> treatedFail)
    {
        for (var unit = 0; unit < 19; unit++) trial.End(trial.Begin(MemberRole.Applied), treatedFail(unit) ? Outcome.Failed : Outcome.Succeeded);
        trial.End(trial.Begin(MemberRole.Control), Outcome.Succeeded);
        trial.LookAgain();
    }
}
