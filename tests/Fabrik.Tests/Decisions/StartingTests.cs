using Fabrik.Analysis;
using Fabrik.Decisions;
using Fabrik.Experiments;
using static Fabrik.Tests.Decisions.Made;

namespace Fabrik.Tests.Decisions;

public sealed class StartingTests
{
    [Fact]
    public void A_proposed_change_starts_in_the_first_slot_with_a_tenth_of_the_jobs()
    {
        var step = Starting.Plan(View(Change("a"))).ShouldHaveSingleItem();
        (step.To, step.Next.Slot, step.Next.Share, step.Next.StartedAt, step.Actor, step.Incident).ShouldBe((Phase.ExperimentRunning, 0, 0.1, Now, "fabrik", null));
        step.Next.ExperimentId.ShouldStartWith("exp-20261120-");
        Starting.Plan(View(Change("a"))).Single().Next.ExperimentId.ShouldBe(step.Next.ExperimentId);
        Starting.Plan(View(Change("b"))).Single().Next.ExperimentId.ShouldNotBe(step.Next.ExperimentId);
    }

    [Fact]
    public void Checklist_21_and_43_at_most_three_run_and_what_is_worth_more_goes_first()
    {
        var waiting = Enumerable.Range(1, 5).Select(i => Change($"c{i}", figures: (Names.Figures.Value, i))).ToArray();
        var steps = Starting.Plan(View(waiting)).ToDictionary(step => step.Change.Name);
        steps.Where(one => one.Value.To == Phase.ExperimentRunning).Select(one => one.Key).Order().ShouldBe(["c3", "c4", "c5"]);
        steps.Values.Select(step => step.Next.Slot).OfType<int>().Order().ShouldBe([0, 1, 2]);
        foreach (var name in new[] { "c1", "c2" }) (steps[name].To, steps[name].Next.Slot).ShouldBe((Phase.Queued, null));
        steps["c1"].Next.Reason.ShouldBe("3 experiments run at most; what is worth more goes first");
    }

    [Fact]
    public void A_change_that_waits_for_the_same_reason_is_not_written_again()
    {
        var running = Enumerable.Range(0, 3).Select(slot => Running($"r{slot}", slot)).ToArray();
        var first = Starting.Plan(View([.. running, Change("w")])).ShouldHaveSingleItem();
        Starting.Plan(View([.. running, Change("w") with { Status = first.Next }])).ShouldBeEmpty();
    }

    [Fact]
    public void Equal_value_goes_by_age_and_nonsense_is_worth_nothing()
    {
        var older = Change("z-older") with { Metadata = Change("z-older").Metadata with { CreationTimestamp = Now.AddDays(-9) } };
        var view = View(Change("a"), older, Change("n", figures: (Names.Figures.Value, double.NaN)), Change("m", figures: (Names.Figures.Value, double.PositiveInfinity)));
        Starting.Plan(view).Where(step => step.To == Phase.ExperimentRunning).Select(step => step.Change.Name).ShouldBe(["z-older", "a", "m"]);
    }

    [Theory]
    [InlineData("prod", Phase.Proposed)]
    [InlineData("staging", Phase.ExperimentRunning)]
    [InlineData(null, Phase.ExperimentRunning)]
    public void Checklist_48_no_experiment_on_prod_without_approval(string? environment, Phase expected)
    {
        var view = View(Change("a")) with { Namespaces = [new NamespaceLabels("ci", null), new NamespaceLabels("shop", environment)] };
        var step = Starting.Plan(view).ShouldHaveSingleItem();
        step.To.ShouldBe(expected);
        if (expected != Phase.Proposed) return;
        step.Next.Conditions.Single(one => one.Type == Names.Conditions.ApprovalRequired).Message.ShouldBe("namespace shop is of a protected environment: a person must agree");
        Starting.Plan(view with { Changes = [Change("a") with { Status = step.Next }] }).ShouldBeEmpty();

        // For another namespace it needs nobody; with a person's word it starts.
        Starting.Plan(view with { Changes = [Change("a").With(spec => spec with { Target = new ChangeTarget { Namespaces = ["ci"] } })] }).Single().To.ShouldBe(Phase.ExperimentRunning);
        Starting.Plan(view with { Changes = [Change("a", approval: new Approval { Approved = true, By = "alice" })] }).Single().To.ShouldBe(Phase.ExperimentRunning);
    }

    [Fact]
    public void A_change_for_jobs_that_say_they_are_prod_needs_a_person_too() =>
        Starting.Plan(View(Change("a").With(spec => spec with { Target = new ChangeTarget { LabelSelector = new Dictionary<string, string> { [Names.Labels.Environment] = "prod" } } }))).Single().To.ShouldBe(Phase.Proposed);

    [Fact]
    public void A_trial_whose_namespace_becomes_prod_treats_no_further_job_and_goes_on_once_approved()
    {
        var view = View(Running("a", 1)) with { Namespaces = [new NamespaceLabels("ci", "prod")] };
        var suspended = Starting.Plan(view).ShouldHaveSingleItem();
        (suspended.To, suspended.Next.Slot).ShouldBe((Phase.Analyzing, null));

        var waits = view with { Changes = [Running("a", 1) with { Status = suspended.Next }] };
        Starting.Plan(waits).ShouldBeEmpty();
        Deciding.Plan(waits.Finding(Decision.Inconclusive)).ShouldBeEmpty();
        var resumed = Starting.Plan(waits with { Changes = [waits.Changes[0].With(spec => spec with { Approval = new Approval { Approved = true, By = "alice" } })] }).ShouldHaveSingleItem();
        (resumed.To, resumed.Next.Slot, resumed.Next.StartedAt, resumed.Next.ExperimentId).ShouldBe((Phase.ExperimentRunning, 0, Now.AddDays(-1), "exp-1"));
    }

    [Theory]
    [InlineData(Risk.Low, "2026-11-21T12:00:00Z", true)]
    [InlineData(Risk.Medium, "2026-11-20T12:00:00Z", true)]
    [InlineData(Risk.Medium, "2026-11-20T07:59:00Z", false)]
    [InlineData(Risk.High, "2026-11-20T16:01:00Z", false)]
    [InlineData(Risk.High, "2026-11-21T12:00:00Z", false)]
    public void Checklist_51_risky_changes_start_in_business_hours_of_the_policys_zone_only(Risk risk, string now, bool starts)
    {
        var view = View(Change("a", risk: risk)) with { Now = DateTimeOffset.Parse(now), Policy = new PolicySpec { BusinessHours = new BusinessHours { TimeZone = "Europe/Berlin" } } };
        var step = Starting.Plan(view).ShouldHaveSingleItem();
        step.To.ShouldBe(starts ? Phase.ExperimentRunning : Phase.Queued);
        if (!starts) step.Next.Reason.ShouldBe("it is risky, so it starts Monday to Friday from 09:00 to 17:00 (Europe/Berlin)");
    }

    [Fact]
    public void Checklist_69_what_moves_jobs_to_other_nodes_is_risky_whatever_its_author_says()
    {
        var change = Change("a").With(spec => spec with { Type = ChangeType.Scheduling, Change = new Treatment { NodeSelector = new Dictionary<string, string> { ["pool"] = "big" } } });
        Starting.Plan(View(change) with { Now = Now.AddDays(1) }).Single().To.ShouldBe(Phase.Queued);
    }

    [Fact]
    public void Checklist_50_a_change_that_costs_more_than_the_ceiling_needs_a_person()
    {
        var step = Starting.Plan(View(Change("a", figures: (Names.Figures.CostRatio, 2.5)))).ShouldHaveSingleItem();
        (step.To, step.Next.Reason).ShouldBe((Phase.Proposed, "a run with it is expected to cost 2.5 times as much, above the ceiling of 2.0: a person must agree"));
        Starting.Plan(View(Change("a", figures: (Names.Figures.CostRatio, 2)))).Single().To.ShouldBe(Phase.ExperimentRunning);
    }

    [Fact]
    public void What_can_never_be_decided_is_not_started() =>
        Starting.Plan(View(Change("a", figures: (Names.Figures.ForecastDays90, 181)))).Single().Next.Reason.ShouldStartWith("it would take 181 days to decide");

    [Fact]
    public void Checklist_46_paused_nothing_starts() =>
        Starting.Plan(View(Change("a")) with { Policy = new PolicySpec { Paused = true } }).ShouldBeEmpty();

    [Fact]
    public void What_a_person_refused_does_not_start() =>
        Starting.Plan(View(Change("a", approval: new Approval { Approved = false }))).ShouldBeEmpty();

    [Theory]
    [InlineData(ChangeType.Spec, null)]
    [InlineData(ChangeType.Model, null)]
    [InlineData(ChangeType.Model, "small")]
    public void What_no_webhook_can_do_or_calls_another_model_stays_proposed_and_says_why(ChangeType type, string? target)
    {
        var step = Starting.Plan(View(Change("a").With(spec => spec with { Type = type, Target = new ChangeTarget { Model = target }, Change = new Treatment { Model = "m" } }))).ShouldHaveSingleItem();
        step.To.ShouldBe(Phase.Proposed);
        step.Next.Reason.ShouldNotBeNullOrEmpty();
    }

    [Fact]
    public void Another_model_is_tried_once_a_person_has_agreed() =>
        Starting.Plan(View(Change("a", approval: new Approval { Approved = true }).With(spec => spec with { Type = ChangeType.Model, Target = new ChangeTarget { Model = "small" }, Change = new Treatment { Model = "m" } })))
            .ShouldHaveSingleItem().To.ShouldBe(Phase.ExperimentRunning);

    [Fact]
    public void A_variable_that_the_policy_does_not_allow_is_not_tried() =>
        Starting.Plan(View(Change("a").With(spec => spec with { Type = ChangeType.Environment, Change = new Treatment { Environment = new Dictionary<string, string> { ["PATH"] = "/" } } }))).Single().To.ShouldBe(Phase.Proposed);

    [Theory]
    [InlineData(0.3, 0.1)]
    [InlineData(0.05, 0.05)]
    public void Checklist_17_and_39_the_share_begins_with_what_both_the_change_and_the_policy_allow(double asked, double starts) =>
        Starting.Plan(View(Change("a").With(spec => spec with { Experiment = new ExperimentPlan { Share = asked } }))).Single().Next.Share.ShouldBe(starts);

    [Theory]
    [InlineData(10, 1, true)]
    [InlineData(9, 1, false)]
    [InlineData(10, 3, false)]
    public void The_share_grows_once_ten_treated_runs_show_no_sign_of_harm(int treated, double harm, bool grows)
    {
        var view = View(Running("a", 2)).Finding(Decision.Continue, state =>
        {
            state.Evidence.Success = new Tally(treated, treated, 90, 90);
            state.Evidence.Harm.MaximumLog = Math.Log(harm);
        });
        var steps = Starting.Plan(view);
        if (!grows) steps.ShouldBeEmpty();
        else (steps.Single().To, steps.Single().Next.Share, steps.Single().Next.Slot, steps.Single().Next.StartedAt).ShouldBe((Phase.ExperimentRunning, 0.19, 2, Now.AddDays(-1)));
    }

    [Fact]
    public void A_second_trial_after_a_rollback_gets_half_the_share_and_keeps_it()
    {
        var again = View(Change("a")) with { RolledBackBefore = new HashSet<string> { "uid-a" } };
        Starting.Plan(again).Single().Next.Share.ShouldBe(0.05);
        var running = (again with { Changes = [Running("a", 0, 0.05)] }).Finding(Decision.Continue, state => state.Evidence.Success = new Tally(50, 50, 400, 400));
        Starting.Plan(running).ShouldBeEmpty();
    }

    [Fact]
    public void Trials_that_were_started_by_hand_keep_the_slots_that_the_webhook_gives_them()
    {
        var steps = Starting.Plan(View(Running("by-hand", null), Running("r", 1), Change("a")));
        steps.ShouldHaveSingleItem().Next.Slot.ShouldBe(2);
    }
}
