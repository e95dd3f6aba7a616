using System.Text.Json;
using Fabrik.Costs;
using Fabrik.Experiments;
using Fabrik.Proposals;
using static Fabrik.Tests.Proposals.Profiled;

namespace Fabrik.Tests.Proposals;

public sealed class ProposingTests
{
    private static readonly DateTimeOffset Now = Start.AddDays(10);
    private static readonly HashSet<string> Namespaces = ["agents", "other"];

    [Fact]
    public void Checklist_38_and_64_a_proposal_says_all_that_a_person_asks_and_any_api_server_takes_it()
    {
        var change = Propose().Change.ShouldNotBeNull();
        change.Name.ShouldMatch("^memory-5gi-for-impl-[0-9a-f]{6}$");
        var spec = change.Spec;
        (spec.Type, spec.Change.MemoryLimit, spec.Goal, spec.Risk, spec.AutoApply, spec.Experiment.Share).ShouldBe((ChangeType.Resource, "5Gi", Goal.Win, Risk.Low, true, 0.1));
        spec.Target.Namespaces.ShouldBe(["agents"]);
        spec.Target.LabelSelector[Names.Labels.SpecType].ShouldBe("impl");
        spec.Rationale.ShouldNotBeNull().ShouldMatch("killed for memory at 2Gi.*A trial is decided after about [0-9]+ runs \\([0-9]+ days\\), in 90 of 100 cases within [0-9]+ days\\. It (saves|costs) about EUR [0-9.]+ a day");
        spec.Evidence.ShouldNotBeNull().Runs.Count.ShouldBe(20);
        foreach (var figure in new[] { Names.Figures.Baseline, Names.Figures.Expected, Names.Figures.RunsPerDay, Names.Figures.CostRatio, Names.Figures.Value, Names.Figures.ForecastRuns, Names.Figures.ForecastDays90, Names.Figures.CurrentBytes, Names.Figures.ProposedBytes })
            spec.Evidence.Figures.Keys.ShouldContain(figure);
        ChangeRules.Validate(null, JsonSerializer.SerializeToElement(change, ObjectJson.Default.OptimizationChange)).ShouldBeEmpty();
        Propose().Change!.Name.ShouldBe(change.Name);
    }

    [Theory]
    [InlineData(Phase.Proposed)]
    [InlineData(Phase.Queued)]
    [InlineData(Phase.ExperimentRunning)]
    [InlineData(Phase.Analyzing)]
    [InlineData(Phase.Approved)]
    public void Nothing_is_proposed_twice(Phase phase) => Propose(Existing(phase, "3Gi")).Refused.ShouldBe(Proposing.OpenAlready);

    [Fact]
    public void Nor_is_what_is_applied_already_but_another_size_may_be()
    {
        Propose(Existing(Phase.Applied, "4.5Gi")).Refused.ShouldBe(Proposing.AppliedAlready);
        Propose(Existing(Phase.Applied, "2.2Gi")).Change.ShouldNotBeNull();
    }

    [Fact]
    public void Runs_that_are_killed_with_what_is_applied_are_given_a_quarter_more_though_that_is_close()
    {
        var killed = Of(Enumerable.Range(0, 400).Select(i => i % 8 == 0 ? 4.01 * Gi : 2.5 * Gi), Given(4 * Gi), everyMinutes: 10);
        var proposal = Proposing.Of([killed], [Existing(Phase.Applied, "4Gi")], Namespaces, new PolicySpec(), PriceBook.Default, Now).ShouldHaveSingleItem();
        (proposal.Refused, proposal.Change?.Spec.Change.MemoryLimit).ShouldBe((null, "5Gi"));
    }

    [Theory]
    [InlineData(Phase.Rejected, "5Gi", 29, true)]
    [InlineData(Phase.Rejected, "4Gi", 29, true)]
    [InlineData(Phase.RolledBack, "3Gi", 1, true)]
    [InlineData(Phase.Rejected, "5Gi", 31, false)]
    [InlineData(Phase.Rejected, "16Gi", 1, false)]
    public void Nor_what_was_refused_within_thirty_days_or_goes_further_still(Phase phase, string size, int daysAgo, bool holds)
    {
        var proposal = Propose(Existing(phase, size, daysAgo));
        if (holds) proposal.Refused.ShouldBe(Proposing.RefusedBefore);
        else proposal.Change.ShouldNotBeNull();
    }

    [Fact]
    public void A_colleagues_refused_cut_does_not_speak_against_a_raise() => Propose(Existing(Phase.RolledBack, "1Gi", 1)).Change.ShouldNotBeNull();

    [Fact]
    public void A_change_for_other_jobs_does_not_stand_in_the_way()
    {
        Propose(Existing(Phase.Proposed, "5Gi") with { Spec = Existing(Phase.Proposed, "5Gi").Spec with { Target = new ChangeTarget { Namespaces = ["other"] } } }).Change.ShouldNotBeNull();
        Propose(Existing(Phase.Proposed, "5Gi") with { Spec = Existing(Phase.Proposed, "5Gi").Spec with { Target = new ChangeTarget() } }).Refused.ShouldBe(Proposing.OpenAlready);
    }

    [Fact]
    public void What_can_never_be_decided_is_not_proposed()
    {
        var rare = Of(Enumerable.Range(0, 40).Select(i => i % 5 == 0 ? 3.0 * Gi : Gi), Given(2 * Gi), everyMinutes: 60 * 16);
        var proposal = Proposing.Of([rare], [], Namespaces, new PolicySpec(), PriceBook.Default, Now).ShouldHaveSingleItem();
        (proposal.Change, proposal.Refused).ShouldBe((null, Proposing.NeverDecided));
    }

    [Fact]
    public void Thirty_wait_at_most_and_what_is_worth_more_comes_first()
    {
        var profiles = Enumerable.Range(1, 40).Select(number =>
        {
            var profile = Of(LogNormal(200, 2 * Gi / Math.Exp(0.385 * 0.463), 0.463), Given(2 * Gi, Gi), everyMinutes: number);
            profile.Target = new ProfileTarget("agents", null, $"spec-{number}", null);
            return profile;
        }).ToList();
        var proposals = Proposing.Of(profiles, [], Namespaces, new PolicySpec(), PriceBook.Default, Now).ToList();
        proposals.Count(one => one.Change is not null).ShouldBe(Proposing.MostOpen);
        proposals.Where(one => one.Change is null).ShouldAllBe(one => one.Refused == Proposing.EnoughOpen);
        proposals.Select(one => one.Suggestion.GainPerDay).ShouldBeInOrder(SortDirection.Descending);
        var open = proposals.Select(one => one.Change).OfType<OptimizationChange>().ToList();
        Proposing.Of(profiles, open, Namespaces, new PolicySpec(), PriceBook.Default, Now).ShouldAllBe(one => one.Refused != null);
    }

    [Fact]
    public void Paused_nothing_is_proposed() => Proposing.Of([Profile()], [], Namespaces, new PolicySpec { Paused = true }, PriceBook.Default, Now).ShouldBeEmpty();

    [Fact]
    public void Nothing_is_proposed_for_a_namespace_that_is_gone()
    {
        var proposal = Proposing.Of([Profile()], [], new HashSet<string> { "other" }, new PolicySpec(), PriceBook.Default, Now).ShouldHaveSingleItem();
        (proposal.Change, proposal.Refused).ShouldBe((null, Proposing.NamespaceGone));
    }

    [Fact]
    public void A_name_that_an_earlier_change_has_gets_a_number()
    {
        var first = Propose().Change!;
        var old = Existing(Phase.Rejected, "5Gi", 40);
        Propose(old with { Metadata = old.Metadata with { Name = first.Name } }).Change!.Name.ShouldBe(first.Name + "-2");
    }

    [Fact]
    public void A_price_book_is_read_from_a_file_and_a_wrong_one_is_told()
    {
        var path = Path.GetTempFileName();
        File.WriteAllText(path, """{"validFrom":"2026-06-15","currency":"USD","cpuHour":"0.04","memoryHour":0.005,"source":"list price"}""");
        PriceBook.Load(path).ShouldBe(new PriceBook(new DateOnly(2026, 6, 15), "USD", 0.04m, 0.005m, "list price"));
        foreach (var wrong in new[] { "{}", "[]", "x", """{"currency":"USD","cpuHour":-1,"memoryHour":1,"source":""}""" })
        {
            File.WriteAllText(path, wrong);
            Should.Throw<FormatException>(() => PriceBook.Load(path)).Message.ShouldContain(path);
        }

        File.Delete(path);
        Should.Throw<FormatException>(() => PriceBook.Load(path)).Message.ShouldContain("JSON with validFrom");
    }

    private static Proposal Propose(params OptimizationChange[] changes) => Proposing.Of([Profile()], changes, Namespaces, new PolicySpec(), PriceBook.Default, Now).ShouldHaveSingleItem();

    private static SpecProfile Profile() => Of(LogNormal(400, 2 * Gi / Math.Exp(0.385 * 0.463), 0.463), Given(2 * Gi, Gi));

    private static OptimizationChange Existing(Phase phase, string limit, int daysAgo = 0) => new()
    {
        Metadata = new ChangeMetadata { Name = "existing", Uid = "uid", CreationTimestamp = Now.AddDays(-60) },
        Spec = new ChangeSpec { Target = new ChangeTarget { Namespaces = ["agents"], LabelSelector = new Dictionary<string, string> { [Names.Labels.SpecType] = "impl" } }, Change = new Treatment { MemoryLimit = limit } },
        Status = new ChangeStatus { Phase = phase, Conditions = [new Condition { Type = Names.Conditions.PhaseReached, Status = "True", LastTransitionTime = Now.AddDays(-daysAgo) }] },
    };
}
