using Fabrik.Analysis;
using Fabrik.Costs;
using Fabrik.Experiments;
using Fabrik.Runs;

namespace Fabrik.Tests.Analysis;

/// <summary>What takes a change back without waiting for evidence, and what does not.</summary>
public class SafetyTests
{
    private const long GiB = 1024L * 1024 * 1024;
    private readonly TrialOfRuns trial = new(0.1);

    [Fact]
    public void The_first_five_treated_runs_that_all_fail_while_controls_fare_well_are_enough()
    {
        trial.Control(12, failed: 3);
        trial.Treated(4, failed: 4);
        trial.Trips().ShouldBeEmpty();
        trial.Treated(1, failed: 1);
        trial.Trips().ShouldBe([Trigger.FirstRunsFailed]);
        trial.Verdict().Reasons.ShouldContain("the first 5 treated runs all failed, while 9 of 12 control runs succeeded");
    }

    [Theory]
    [InlineData(9, 0, 5)] // too few controls to tell
    [InlineData(20, 9, 5)] // controls fail too often
    [InlineData(20, 0, 4)] // one treated run succeeded
    public void Five_failures_say_nothing_where_controls_are_few_or_fail_too_or_one_succeeded(int controls, int controlsFailed, int treatedFailed)
    {
        trial.Control(controls, failed: controlsFailed);
        trial.Treated(5, failed: treatedFailed);
        trial.Trips().ShouldBeEmpty();
    }

    [Fact]
    public void The_first_runs_are_the_first_to_end_and_each_counts_once_however_often_it_is_written()
    {
        trial.Control(20);
        var slow = trial.Begin(MemberRole.Treatment);
        var failing = Enumerable.Range(0, 4).Select(_ => trial.Begin(MemberRole.Treatment)).ToList();
        foreach (var run in failing.Concat(failing).Concat(failing)) trial.End(run, Outcome.Failed);
        trial.LookAgain();
        trial.Trips().ShouldBeEmpty();
        foreach (var run in failing) trial.End(run, Outcome.Failed);
        trial.Trips().ShouldBeEmpty();
        trial.End(slow, Outcome.Succeeded);
        trial.Treated(1, failed: 1);
        trial.State.Completions.First.Select(run => run.Failed).ShouldBe([true, true, true, true, false]);
        trial.Trips().ShouldBeEmpty();
    }

    [Fact]
    public void A_copy_among_the_first_runs_is_taken_out_again()
    {
        trial.Control(20);
        trial.Treated(4, failed: 4);
        var copy = trial.Treated(1, failed: 1)[0];
        trial.Trips().ShouldBe([Trigger.FirstRunsFailed]);
        trial.Withdraw(copy);
        trial.Trips().ShouldBeEmpty();
        (trial.State.Completions.Treated.Ended, trial.State.Completions.Treated.Failed).ShouldBe((4, 4));
        trial.Treated(1, failed: 1);
        trial.Trips().ShouldBe([Trigger.FirstRunsFailed]);
    }

    [Fact]
    public void A_treated_run_that_finds_no_node_is_enough_where_no_control_had_that_trouble()
    {
        trial.Control(3);
        var run = trial.Begin(MemberRole.Treatment);
        trial.End(run, Outcome.Unschedulable, reason: "FailedScheduling");
        trial.Trips().ShouldBe([Trigger.Unschedulable]);
        trial.End(trial.Begin(MemberRole.Control), Outcome.Unschedulable, reason: "FailedScheduling");
        trial.Trips().ShouldBeEmpty();
    }

    [Fact]
    public void A_treated_run_whose_Pods_the_cluster_refuses_is_enough_where_no_controls_were_refused()
    {
        trial.Control(3);
        trial.End(trial.Begin(MemberRole.Control), Outcome.Unschedulable, reason: "FailedScheduling");
        trial.End(trial.Begin(MemberRole.Treatment), Outcome.Unschedulable, reason: "FailedCreate");
        trial.Trips().ShouldBe([Trigger.PodsRefused]);
        trial.End(trial.Begin(MemberRole.Control), Outcome.Unschedulable, reason: "FailedCreate");
        trial.Trips().ShouldBeEmpty();
    }

    [Fact]
    public void Three_treated_runs_killed_for_less_memory_than_they_asked_for_are_enough()
    {
        var less = new RunResources { MemoryLimitBytes = GiB };
        var more = new RunResources { MemoryLimitBytes = 4 * GiB };
        void Killed(RunResources asked, RunResources got) => trial.End(trial.Begin(MemberRole.Treatment), Outcome.Failed, oom: true, requested: asked, applied: got);
        for (var run = 0; run < 4; run++) Killed(less, more);
        Killed(more, less);
        Killed(more, less);
        trial.End(trial.Begin(MemberRole.Control), Outcome.Succeeded, requested: more);
        trial.Trips().ShouldBeEmpty();
        Killed(more, less);
        trial.Trips().ShouldBe([Trigger.OutOfMemory]);

        // Where controls are killed as often, it is not for the change.
        for (var run = 0; run < 9; run++) trial.End(trial.Begin(MemberRole.Control), Outcome.Failed, oom: true, requested: more);
        trial.Trips().ShouldBeEmpty();
    }

    [Fact]
    public void Checklist_19_and_42_Errors_that_double_roll_back_once_there_is_some_evidence_of_harm()
    {
        var waited = false;
        for (var more = 0; !trial.Trips().Any() && more < 200; more++)
        {
            waited |= trial.State.Completions is { Treated: { Ended: >= 10, ErrorRate: >= 0.2 }, Control.ErrorRate: <= 0.1 };
            trial.State.Evidence.Harm.Value.ShouldBeLessThan(10);
            MoreFail();
        }

        waited.ShouldBeTrue();
        trial.State.Evidence.Harm.Maximum.ShouldBeInRange(10, 19.9);
        trial.Trips().ShouldBe([Trigger.ErrorRateDoubled]);
        trial.Verdict().Decision.ShouldBe(Decision.Rollback);
    }

    [Fact]
    public void Checklist_18_42_49_and_62_A_success_rate_that_drops_by_more_than_ten_points_rolls_back_by_the_evidence_of_harm()
    {
        for (var more = 0; trial.State.Evidence.Harm.Maximum < 20 && more < 400; more++) MoreFail();
        var verdict = trial.Verdict();
        (verdict.Decision, verdict.Trigger).ShouldBe((Decision.Rollback, Trigger.Harm));
        verdict.Trips[0].Figures["evidence"].ShouldBeGreaterThanOrEqualTo(20);
        verdict.Confidence.ShouldBeGreaterThanOrEqualTo(0.95);
        verdict.Reasons[0].ShouldStartWith("the treatment costs success: ");
    }

    [Theory]
    [InlineData("oom_rate", 0.1, 12, 6, true)]
    [InlineData("oom_rate", 0.1, 12, 3, false)] // 25 %, but at least 9 % only
    [InlineData("oom_rate", 0.1, 9, 9, false)] // too few
    [InlineData("error_rate", 0.1, 12, 6, true)]
    [InlineData("latency", 0.1, 12, 12, false)]
    public void The_changes_own_plan_rolls_back_where_its_metric_is_above_the_threshold_beyond_chance(string metric, double threshold, int runs, int bad, bool trips)
    {
        trial.With(look => look with { RollbackPlan = new RollbackPlan { Metric = metric, Threshold = threshold } });
        for (var run = 0; run < runs; run++) trial.End(trial.Begin(MemberRole.Treatment), run >= runs - bad ? Outcome.Failed : Outcome.Succeeded, oom: metric == "oom_rate" && run >= runs - bad);
        trial.Trips().ShouldBe(trips ? [Trigger.RollbackPlan] : []);
        trial.Verdict().Alerts.Any(alert => alert.Kind == AlertKind.RollbackPlan).ShouldBe(metric == "latency");
    }

    [Theory]
    [InlineData(2, false)]
    [InlineData(6, true)]
    public void Checklist_20_A_cost_that_triples_stops_the_experiment(int times, bool stops)
    {
        for (var run = 0; run < 4_000; run++)
        {
            var (isTreated, asked) = (run % 10 == 0, new RunResources { MemoryRequestBytes = GiB, CpuRequestMillis = 250 });
            trial.End(
                trial.Begin(isTreated ? MemberRole.Treatment : MemberRole.Control), Outcome.Succeeded, requested: asked,
                applied: isTreated ? new RunResources { MemoryRequestBytes = times * GiB, CpuRequestMillis = times * 250 } : asked, seconds: 100 + (run % 7));
        }

        trial.State.Cost.Ratio.ShouldBe(times, times * 0.2);
        trial.Trips().ShouldBe(stops ? [Trigger.CostTripled] : []);
    }

    [Theory]
    [InlineData(1, 1, 1.5)]
    [InlineData(2, 0, 2)]
    [InlineData(0, 2, 1)]
    public void The_cost_of_an_experiment_is_told_in_the_prices_of_the_book(int cpuHour, int memoryHour, double ratio)
    {
        // One core and one GiB against two cores and one GiB: what that comes to depends on what a core costs.
        trial.With(look => look with { Prices = PriceBook.Default with { CpuHour = cpuHour, MemoryHour = memoryHour } });
        for (var run = 0; run < 4_000; run++)
        {
            var (isTreated, asked) = (run % 10 == 0, new RunResources { MemoryRequestBytes = GiB, CpuRequestMillis = 1000 });
            trial.End(
                trial.Begin(isTreated ? MemberRole.Treatment : MemberRole.Control), Outcome.Succeeded, requested: asked,
                applied: isTreated ? asked with { CpuRequestMillis = 2000 } : asked, seconds: 3600);
        }

        trial.State.Cost.Ratio.ShouldBe(ratio, ratio * 0.05);
    }

    [Fact]
    public void A_run_that_was_given_or_lost_a_resource_it_had_not_asked_for_has_no_cost_to_compare()
    {
        RunResources memory = new() { MemoryRequestBytes = GiB }, limited = new() { MemoryLimitBytes = 2 * GiB }, both = new() { MemoryRequestBytes = GiB, CpuLimitMillis = 1000 };
        double? Cost(RunResources requested, RunResources applied) =>
            new PriceBook(default, "EUR", 3, 1, "").Of(trial.End(trial.Begin(MemberRole.Treatment), Outcome.Succeeded, requested: requested, applied: applied, seconds: 3600));

        (Cost(memory, memory), Cost(memory, limited), Cost(both, both)).ShouldBe((1, 2, 4));
        (Cost(memory, both), Cost(both, memory), Cost(new(), memory), Cost(new(), new())).ShouldBe((null, null, null, null));
    }

    [Fact]
    public void Runs_that_cost_more_because_they_no_longer_fail_early_stop_nothing()
    {
        // Two of three controls die within seconds; all treated ones succeed, with twice the memory.
        for (var run = 0; run < 4_000; run++)
        {
            var isTreated = run % 10 == 0;
            var fails = !isTreated && run % 3 != 0;
            trial.End(
                trial.Begin(isTreated ? MemberRole.Treatment : MemberRole.Control), fails ? Outcome.Failed : Outcome.Succeeded, oom: fails,
                requested: new RunResources { MemoryRequestBytes = GiB }, applied: new RunResources { MemoryRequestBytes = (isTreated ? 2 : 1) * GiB }, seconds: fails ? 5 : 100);
        }

        trial.State.Cost.Interval(0.95).Low.ShouldBeGreaterThan(3);
        trial.Trips().ShouldBeEmpty();
    }

    [Fact]
    public void Checklist_59_Treated_runs_that_take_half_as_long_again_are_an_alert_and_no_rollback()
    {
        Take(29);
        trial.Verdict().Alerts.ShouldBeEmpty();
        Take(400);
        var verdict = trial.Verdict();
        verdict.Alerts.Single().Kind.ShouldBe(AlertKind.Duration);
        verdict.Decision.ShouldBe(Decision.Continue);

        void Take(int treated)
        {
            for (var run = 0; run < treated * 10; run++)
                trial.End(trial.Begin(run % 10 == 0 ? MemberRole.Treatment : MemberRole.Control), Outcome.Succeeded, seconds: (100 + (run % 9)) * (run % 10 == 0 ? 2 : 1));
        }
    }

    [Fact]
    public void Runs_that_take_as_long_as_ever_are_no_alert()
    {
        for (var run = 0; run < 4_000; run++) trial.End(trial.Begin(run % 10 == 0 ? MemberRole.Treatment : MemberRole.Control), Outcome.Succeeded, seconds: 10 * Math.Pow(2, run % 6));
        trial.Verdict().Alerts.ShouldBeEmpty();
    }

    [Fact]
    public void Treated_runs_that_surely_take_longer_but_not_by_half_are_no_alert()
    {
        for (var run = 0; run < 4_000; run++) trial.End(trial.Begin(run % 10 == 0 ? MemberRole.Treatment : MemberRole.Control), Outcome.Succeeded, seconds: (100 + (run % 9)) * (run % 10 == 0 ? 1.3 : 1));
        trial.State.Duration.Interval(0.95).Low.ShouldBeGreaterThan(1);
        trial.Verdict().Alerts.ShouldBeEmpty();
    }

    [Fact]
    public void A_few_slow_treated_runs_that_may_be_chance_are_no_alert()
    {
        for (var run = 0; run < 310; run++) trial.End(trial.Begin(run % 10 == 0 ? MemberRole.Treatment : MemberRole.Control), Outcome.Succeeded, seconds: run is 100 or 200 or 300 ? 1000 : 100);
        trial.State.Duration.Interval(0.95).Low.ShouldBeLessThan(1);
        Slowest(trial.State.Trial.Treated).ShouldBeGreaterThan(Slowest(trial.State.Trial.Control));
        trial.Verdict().Alerts.ShouldBeEmpty();

        static int Slowest(ArmCompletions arm) => Array.FindLastIndex(arm.Durations, count => count > 1);
    }

    [Fact]
    public void Verdicts_say_the_same_where_a_person_reads_the_same()
    {
        var one = new Verdict(Decision.Continue, ["few runs"], 0.5) { Alerts = [new Alert(AlertKind.Duration, "slow")] };
        one.Says(new Verdict(Decision.Continue, ["few runs"], 0.5) { Alerts = [new Alert(AlertKind.Duration, "slow")] }).ShouldBeTrue();
        foreach (var other in (Verdict[])[one with { Decision = Decision.Rollout }, one with { Reasons = ["no runs"] }, one with { Confidence = 0.6 }, one with { Alerts = [] }]) one.Says(other).ShouldBeFalse();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(10)]
    [InlineData(40)]
    public void When_every_treated_run_fails_five_and_those_that_run_already_are_harmed_at_most(int minutesARun)
    {
        for (var seed = 1; seed <= 20; seed++)
        {
            var (random, one) = (new Random(seed), new TrialOfRuns(0.1));
            one.Control(10);
            var running = new List<(Member Run, int Ends)>();
            var (failed, rolledBackAt) = (0, -1);
            for (var minute = 0; rolledBackAt < 0; minute++)
            {
                foreach (var (run, _) in running.Where(run => run.Ends <= minute))
                {
                    failed += run.Role == MemberRole.Treatment ? 1 : 0;
                    one.End(run, run.Role == MemberRole.Treatment || random.NextDouble() < 0.2 ? Outcome.Failed : Outcome.Succeeded);
                    if (one.Verdict().Decision == Decision.Rollback) rolledBackAt = minute;
                }

                running.RemoveAll(run => run.Ends <= minute);
                running.Add((one.Begin(random.NextDouble() < 0.1 ? MemberRole.Treatment : MemberRole.Control), minute + minutesARun));
            }

            failed.ShouldBeLessThanOrEqualTo(5 + running.Count(run => run.Run.Role == MemberRole.Treatment));
        }
    }

    /// <summary>A block in which the treated fail three times out of ten, and the controls once.</summary>
    private void MoreFail() => trial.Blocks(1, () => trial.State.Blocks % 10 is 2 or 5 or 9, unit => unit == trial.State.Blocks % 10);
}
