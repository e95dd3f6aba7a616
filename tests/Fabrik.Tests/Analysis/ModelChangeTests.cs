using Fabrik.Analysis;
using Fabrik.Experiments;
using Fabrik.Gateway;
using Fabrik.Runs;

namespace Fabrik.Tests.Analysis;

/// <summary>A change of the model that calls are made with: what the calls of its runs cost, and what follows.</summary>
public class ModelChangeTests
{
    private const int All = 10_000;
    private readonly TrialOfRuns trial = new(0.1);
    private readonly Dictionary<string, CallTotal> ledger = new(StringComparer.Ordinal);

    public ModelChangeTests() => trial.With(look => look with { IsModel = true, Goal = Goal.Save });

    [Fact]
    public void A_run_costs_what_its_calls_cost_and_is_asked_for_when_the_ledger_has_had_ten_minutes_to_hear_of_them()
    {
        var run = Treated(100);
        var ended = run.FinishedAt!.Value;
        trial.State.Due(ended + UnpaidRun.Wait - TimeSpan.FromSeconds(1), All).ShouldBeEmpty();
        var due = trial.State.Due(ended + UnpaidRun.Wait, All);
        due.ShouldHaveSingleItem().RunId.ShouldBe(run.RunId);

        trial.LookAgain(); // what waits is stored
        trial.State.Pay(trial.State.Due(ended + UnpaidRun.Wait, All), ledger);
        (trial.State.Unpaid.Count, trial.State.Currency).ShouldBe((0, "USD"));
        (trial.State.Trial.Treated.Paid, trial.State.Trial.Treated.Cost, trial.State.Trial.Treated.CostOfSuccess, trial.State.Cost.Treated).ShouldBe((1, 0.0001, 0.0001, 1));
    }

    [Fact]
    public void What_runs_reserved_is_not_their_cost_where_only_the_model_differs()
    {
        trial.End(trial.Begin(MemberRole.Treatment), Outcome.Succeeded, requested: new RunResources { CpuRequestMillis = 1000 });
        Pay();
        (trial.State.Trial.Treated.Paid, trial.State.Cost.Count).ShouldBe((0, 0));
    }

    [Fact]
    public void Runs_that_called_nothing_and_runs_that_were_lost_have_no_cost_to_compare()
    {
        trial.End(trial.Begin(MemberRole.Treatment), Outcome.Succeeded);
        trial.Begin(MemberRole.Treatment); // never seen to end
        Pay();
        (trial.State.Unpaid.Count, trial.State.Unpriced, trial.State.Trial.Treated.Ended, trial.State.Trial.Treated.Paid).ShouldBe((0, 0, 1, 0));
    }

    [Fact]
    public void A_price_that_nobody_knows_and_another_currency_are_not_compared_and_told()
    {
        Cost(trial.End(trial.Begin(MemberRole.Control), Outcome.Succeeded), 100);
        Pay();
        Cost(trial.End(trial.Begin(MemberRole.Control), Outcome.Succeeded), 100, known: false);
        Cost(trial.End(trial.Begin(MemberRole.Control), Outcome.Succeeded), 100, currency: "EUR");
        Pay();
        (trial.State.Unpriced, trial.State.Trial.Control.Paid, trial.State.Cost.Count).ShouldBe((2, 1, 1));
    }

    [Fact]
    public void A_copy_that_is_found_out_before_its_calls_are_added_up_pays_nothing()
    {
        var run = Treated(100);
        trial.Withdraw(run);
        trial.State.Due(trial.Now.AddDays(1), All).ShouldBeEmpty();
    }

    [Fact]
    public void A_cheaper_model_that_is_no_loss_is_rolled_out_when_its_saving_is_shown_and_not_before()
    {
        Blocks(100, treated: 50, control: 100);
        var early = trial.Verdict();
        early.Decision.ShouldBe(Decision.Continue);
        early.Reasons[^1].ShouldBe("whether it saves is open: cost of calls known of 0 treated and 0 control runs, 10 of each needed");

        Pay();
        var verdict = trial.Verdict();
        verdict.Decision.ShouldBe(Decision.Rollout);
        verdict.Reasons[^1].ShouldStartWith("calls of a treated run cost 0.5 times those of a control run (");
        verdict.Reasons[^1].ShouldEndWith(", those of a success 0.5 times");
    }

    [Fact]
    public void A_model_that_saves_nothing_is_not_rolled_out_and_at_the_end_the_baseline_stays_once_the_last_calls_are_added_up()
    {
        Blocks(100, treated: 100, control: 100);
        Pay();
        trial.Verdict().Decision.ShouldBe(Decision.Continue);

        Treated(100);
        trial.LookAgain();
        trial.With(look => look with { IsOver = true });
        trial.Verdict().Decision.ShouldBe(Decision.Continue);
        Pay();
        var verdict = trial.Verdict();
        (verdict.Decision, verdict.Reasons[0]).ShouldBe((Decision.Inconclusive, "the time for this experiment is over; the baseline stays"));
        verdict.Reasons[1].ShouldStartWith("it is no loss, but that it saves is not shown: calls of a treated run cost 1 times");
    }

    [Fact]
    public void A_change_that_shall_do_better_and_one_of_sizes_need_no_saving()
    {
        Blocks(100, treated: 100, control: 100);
        trial.With(look => look with { IsModel = false });
        trial.Verdict().Decision.ShouldBe(Decision.Rollout);
    }

    [Fact]
    public void A_model_whose_runs_surely_cost_more_than_three_times_as_much_is_taken_back()
    {
        Blocks(40, treated: 1000, control: 100);
        trial.Trips().ShouldBeEmpty();
        Pay();
        trial.Trips().ShouldBe([Trigger.CostTripled]);
        trial.Verdict().Decision.ShouldBe(Decision.Rollback);
    }

    [Fact]
    public void Models_that_the_price_book_does_not_know_keep_a_saving_open_and_the_verdict_says_so()
    {
        for (var block = 0; block < 100; block++)
        {
            Cost(trial.End(trial.Begin(MemberRole.Treatment), Outcome.Succeeded), 1, known: false);
            for (var unit = 0; unit < 9; unit++) Cost(trial.End(trial.Begin(MemberRole.Control), Outcome.Succeeded), 100);
        }

        trial.LookAgain();
        Pay();
        trial.Verdict().Reasons[^1].ShouldEndWith("10 of each needed; of 100 it cannot be compared, as the gateway's price book lacks a model of theirs or is of another currency");
    }

    private Member Treated(long micros)
    {
        var run = trial.End(trial.Begin(MemberRole.Treatment), Outcome.Succeeded);
        Cost(run, micros);
        return run;
    }

    private void Blocks(int blocks, long treated, long control)
    {
        for (var block = 0; block < blocks; block++)
        {
            Treated(treated);
            for (var unit = 0; unit < 9; unit++) Cost(trial.End(trial.Begin(MemberRole.Control), Outcome.Succeeded), control + unit - 4);
            trial.LookAgain();
        }
    }

    private void Cost(Member run, long micros, bool known = true, string currency = "USD") => ledger[run.RunId!] =
        new CallTotal { Calls = 1, Attempts = 1, Tokens = default, Costs = [new CallCost(currency, micros)], PriceUnknown = !known };

    private void Pay() => trial.State.Pay(trial.State.Due(trial.Now.AddDays(1), All), ledger);
}
