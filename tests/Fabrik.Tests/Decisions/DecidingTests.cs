using Fabrik.Analysis;
using Fabrik.Decisions;
using Fabrik.Experiments;
using static Fabrik.Tests.Decisions.Made;

namespace Fabrik.Tests.Decisions;

public sealed class DecidingTests
{
    [Fact]
    public void Checklist_16_40_and_47_a_rollout_names_its_reasons_its_confidence_and_its_figures()
    {
        var step = Deciding.Plan(View(Running("a", 0)).Finding(Decision.Rollout, state => state.Evidence.Success = new Tally(30, 30, 200, 270), "the treatment is better")).ShouldHaveSingleItem();
        (step.To, step.Next.Slot, step.Next.Reason).ShouldBe((Phase.Approved, null, "the treatment is better; confidence 0.97"));
        (step.Next.ExperimentId, step.Next.StartedAt).ShouldBe(("exp-1", Now.AddDays(-1)));
        (step.Evidence["confidence"], step.Evidence["treatedRuns"], step.Evidence["controlSucceeded"]).ShouldBe((0.97, 30, 200));
    }

    [Theory]
    [InlineData(60, false, Risk.Low, Phase.ExperimentRunning)]
    [InlineData(20000, false, Risk.Low, Phase.Approved)]
    [InlineData(60, false, Risk.Medium, Phase.Approved)]
    [InlineData(60, true, Risk.Low, Phase.Approved)]
    public void A_change_that_has_won_stays_on_trial_while_only_its_cost_is_open(int runs, bool over, Risk risk, Phase expected)
    {
        var change = Running("a", 2).With(spec => spec with { Risk = risk });
        var view = (View(change) with { Now = over ? Now.AddDays(20) : Now }).Finding(Decision.Rollout, state =>
        {
            for (var run = 0; run < runs; run++) state.Cost.Add(run % 2 == 0, run % 3 == 0 ? 1 : 20, 0.5);
        }, "better");
        var step = Deciding.Plan(view).ShouldHaveSingleItem();
        step.To.ShouldBe(expected);
        if (expected != Phase.ExperimentRunning) return;
        (step.Next.Slot, step.Next.Share).ShouldBe((2, 0.1));
        Deciding.Plan(view with { Changes = [change with { Status = step.Next }] }).ShouldBeEmpty();
    }

    [Fact]
    public void Checklist_52_below_the_confidence_it_goes_on() => Deciding.Plan(View(Running("a", 0)).Finding(Decision.Continue)).ShouldBeEmpty();

    [Fact]
    public void Harm_is_left_to_the_guard() => Deciding.Plan(View(Running("a", 0)).Finding(Decision.Rollback)).ShouldBeEmpty();

    [Fact]
    public void Before_the_first_look_nothing_is_decided() => Deciding.Plan(View(Running("a", 0))).ShouldBeEmpty();

    [Fact]
    public void An_experiment_that_is_over_waits_for_the_runs_it_still_has_and_then_keeps_the_baseline()
    {
        static void Waits(ExperimentState state) => state.Queues["s"] = new StratumQueue { Waiting = [new WaitingRun(1, 1, true, false, false, false)] };
        var over = View(Running("a", 0)).Finding(Decision.Inconclusive, Waits, "time is over");
        var analyzing = Deciding.Plan(over).ShouldHaveSingleItem();
        (analyzing.To, analyzing.Next.Slot, analyzing.Next.Share).ShouldBe((Phase.Analyzing, null, 0.1));

        var change = Running("a", 0) with { Status = analyzing.Next };
        Deciding.Plan(over with { Changes = [change], Now = Now.AddHours(23) }).ShouldBeEmpty();
        var ended = Deciding.Plan(over with { Changes = [change], Now = Now.AddHours(25) }).ShouldHaveSingleItem();
        (ended.To, ended.Next.Reason).ShouldBe((Phase.Rejected, "time is over; confidence 0.97"));
        Deciding.Plan(View(change).Finding(Decision.Inconclusive, null, "time is over")).Single().To.ShouldBe(Phase.Rejected);
        Deciding.Plan(View(change).Finding(Decision.Rollout, Waits, "better after all")).Single().To.ShouldBe(Phase.Approved);
    }

    [Theory]
    [InlineData(null, 0, 14)]
    [InlineData(null, 60, 60)]
    [InlineData(null, 500, 180)]
    [InlineData("3d", 60, 3)]
    [InlineData("36h", 0, 1.5)]
    public void An_experiment_runs_as_long_as_asked_else_as_its_forecast_says_at_most_180_days(string? asked, double forecast, double days) =>
        ExperimentTime.Of(Change("a", figures: (Names.Figures.ForecastDays90, forecast)).With(spec => spec with { Experiment = new ExperimentPlan { Duration = asked } }), new PolicySpec()).TotalDays.ShouldBe(days);
}
