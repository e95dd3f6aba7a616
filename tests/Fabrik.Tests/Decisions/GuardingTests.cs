using Fabrik.Analysis;
using Fabrik.Decisions;
using Fabrik.Experiments;
using static Fabrik.Tests.Decisions.Made;

namespace Fabrik.Tests.Decisions;

public sealed class GuardingTests
{
    [Theory]
    [InlineData(Phase.ExperimentRunning)]
    [InlineData(Phase.Analyzing)]
    [InlineData(Phase.Approved)]
    [InlineData(Phase.Applied)]
    public void Harm_is_rolled_back_wherever_it_shows(Phase phase)
    {
        var change = Change("a", phase, status: new ChangeStatus { Slot = 0, Share = 0.1, Holdback = 1, ExperimentId = "exp-1" });
        var step = Guarding.Plan(View(change).Finding(Decision.Rollback, null, "the treatment costs success")).ShouldHaveSingleItem();
        (step.To, step.Next.Slot, step.Next.Share, step.Next.Holdback, step.Next.RolloutProgress).ShouldBe((Phase.RolledBack, null, null, null, "0%"));
        step.Incident.ShouldNotBeNull();
        (step.Next.Reason, step.Next.ExperimentId).ShouldBe(("the treatment costs success", "exp-1"));
        step.Next.Conditions.Single(one => one.Type == Names.Conditions.PhaseReached).LastTransitionTime.ShouldBe(Now);
    }

    [Theory]
    [InlineData(Decision.Continue)]
    [InlineData(Decision.Rollout)]
    [InlineData(Decision.Inconclusive)]
    public void Nothing_else_is(Decision decision) => Guarding.Plan(View(Running("a", 0)).Finding(decision)).ShouldBeEmpty();

    [Fact]
    public void A_status_edited_into_anothers_slot_is_rolled_back_and_the_other_goes_on()
    {
        var intruder = Running("a-intruder", 1) with { Status = Running("a-intruder", 1).Status with { StartedAt = Now } };
        var step = Guarding.Plan(View(Running("z-first", 1), intruder)).ShouldHaveSingleItem();
        (step.Change.Name, step.Incident).ShouldBe(("a-intruder", "edited_by_hand"));
    }
}
