using Fabrik.Analysis;
using Fabrik.Decisions;
using Fabrik.Experiments;
using static Fabrik.Tests.Decisions.Made;

namespace Fabrik.Tests.Decisions;

public sealed class ApplyingTests
{
    [Fact]
    public void Low_risk_is_applied_by_itself_and_held_back_from_a_twentieth()
    {
        var step = Applying.Plan(View(Change("a", Phase.Approved))).ShouldHaveSingleItem();
        (step.To, step.Next.Holdback, step.Next.LastAppliedAt, step.Next.RolloutProgress).ShouldBe((Phase.Applied, 0, Now, "95%"));
    }

    [Theory]
    [InlineData(Risk.Medium, true, "its risk is medium")]
    [InlineData(Risk.High, true, "its risk is high")]
    [InlineData(Risk.Low, false, "autoApply is false")]
    public void Checklist_41_medium_and_high_risk_wait_for_a_person(Risk risk, bool autoApply, string why)
    {
        var change = Change("a", Phase.Approved, risk).With(spec => spec with { AutoApply = autoApply });
        var waits = Applying.Plan(View(change)).ShouldHaveSingleItem();
        waits.To.ShouldBe(Phase.Approved);
        waits.Next.Reason.ShouldNotBeNull().ShouldContain(why);
        waits.Next.Conditions.ShouldContain(one => one.Type == Names.Conditions.ApprovalRequired && one.Status == "True");
        Applying.Plan(View(change with { Status = waits.Next })).ShouldBeEmpty();

        var agreed = change with { Status = waits.Next, Spec = change.Spec with { Approval = new Approval { Approved = true, By = "alice", At = Now } } };
        var applied = Applying.Plan(View(agreed)).ShouldHaveSingleItem();
        applied.To.ShouldBe(Phase.Applied);
        applied.Next.Reason.ShouldStartWith("approved by alice");
        applied.Next.Conditions.ShouldNotContain(one => one.Type == Names.Conditions.ApprovalRequired);
    }

    [Theory]
    [InlineData(1.2, Phase.Applied)]
    [InlineData(2.5, Phase.Approved)]
    public void Checklist_50_a_change_whose_runs_may_cost_more_than_twice_as_much_waits_for_a_person(double ratio, Phase expected)
    {
        var view = View(Change("a", Phase.Approved)).Finding(Decision.Rollout, state =>
        {
            for (var run = 0; run < 600; run++) state.Cost.Add(run % 2 == 0, run % 2 == 0 ? ratio : 1, 0.5);
        });
        Applying.Plan(view).Single().To.ShouldBe(expected);
    }

    [Fact]
    public void A_policy_that_trusts_more_applies_more() =>
        Applying.Plan(View(Change("a", Phase.Approved, Risk.Medium)) with { Policy = new PolicySpec { AutoApplyRisk = Risk.Medium } }).Single().To.ShouldBe(Phase.Applied);

    [Fact]
    public void Each_applied_change_is_held_back_from_other_jobs_and_the_eighth_waits()
    {
        OptimizationChange Applied(int holdback) => Change($"applied-{holdback}", Phase.Applied, status: new ChangeStatus { Holdback = holdback, LastAppliedAt = Now });
        var six = Enumerable.Range(0, 7).Where(i => i != 4).Select(Applied).ToArray();
        var steps = Applying.Plan(View([.. six, Change("a", Phase.Approved), Change("b", Phase.Approved)])).ToDictionary(step => step.Change.Name);
        (steps["a"].To, steps["a"].Next.Holdback).ShouldBe((Phase.Applied, 4));
        (steps["b"].To, steps["b"].Next.Reason).ShouldBe((Phase.Approved, "it waits: 7 applied changes are compared with Jobs without them, and one ends within a week"));
    }

    [Theory]
    [InlineData(6.9, false)]
    [InlineData(7, true)]
    public void The_holdback_ends_after_seven_days(double days, bool ends)
    {
        var steps = Applying.Plan(View(Change("a", Phase.Applied, status: new ChangeStatus { Holdback = 3, LastAppliedAt = Now.AddDays(-days), RolloutProgress = "95%" })));
        if (!ends) steps.ShouldBeEmpty();
        else (steps.Single().To, steps.Single().Next.Holdback, steps.Single().Next.RolloutProgress, steps.Single().Next.LastAppliedAt).ShouldBe((Phase.Applied, null, "100%", Now.AddDays(-days)));
    }

    [Theory]
    [InlineData(Phase.Proposed, Phase.Rejected)]
    [InlineData(Phase.Queued, Phase.Rejected)]
    [InlineData(Phase.ExperimentRunning, Phase.RolledBack)]
    [InlineData(Phase.Analyzing, Phase.Rejected)]
    [InlineData(Phase.Approved, Phase.Rejected)]
    [InlineData(Phase.Applied, Phase.RolledBack)]
    public void A_persons_refusal_is_done_in_the_persons_name(Phase phase, Phase expected)
    {
        var change = Change("a", phase, status: new ChangeStatus { Slot = 1, Share = 0.1 }, approval: new Approval { Approved = false, By = "alice", Reason = "too dear", At = Now });
        var step = Applying.Plan(View(change)).ShouldHaveSingleItem();
        (step.To, step.Actor, step.Next.Reason, step.Next.Slot, step.Next.Share, step.Incident).ShouldBe((expected, "alice", "alice: too dear", null, null, null));
    }

    [Fact]
    public void A_false_alarm_is_taken_up_again_only_by_a_word_that_came_after_it()
    {
        var rolledBack = Guarding.Plan(View(Running("a", 0)).Finding(Decision.Rollback, null, "it costs success")).ShouldHaveSingleItem();
        OptimizationChange Said(DateTimeOffset at) => Running("a", 0, approval: new Approval { Approved = true, By = "alice", At = at }) with { Status = rolledBack.Next };
        Applying.Plan(View(Said(Now.AddMinutes(-1)))).ShouldBeEmpty();
        var again = Applying.Plan(View(Said(Now.AddMinutes(1)))).ShouldHaveSingleItem();
        (again.To, again.Actor, again.Next.StartedAt, again.Next.ExperimentId).ShouldBe((Phase.Proposed, "alice", null, null));
    }
}
