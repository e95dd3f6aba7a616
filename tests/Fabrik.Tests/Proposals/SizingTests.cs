using Fabrik.Costs;
using Fabrik.Experiments;
using Fabrik.Proposals;
using Fabrik.Runs;
using static Fabrik.Tests.Proposals.Profiled;

namespace Fabrik.Tests.Proposals;

public sealed class SizingTests
{
    /// <summary>65 of 100 need at most 2Gi.</summary>
    private const double Sigma = 0.463;
    private static readonly double Median = (2 * Gi) / Math.Exp(0.385 * Sigma);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_fit_with_a_third_killed_finds_what_99_of_100_need_to_a_tenth(bool sampled)
    {
        var profile = Of(LogNormal(2000, Median, Sigma), Given(2 * Gi), sampled);
        var fit = NeedFit.Of(profile.Needs(one => one.Seen), profile.Needs(one => one.Above), profile.Needs(one => one.Below)).ShouldNotBeNull();
        var truth = Median * Math.Exp(2.326 * Sigma);

        // From bounds alone only the rate of kills is known; the spread then is what is usual.
        fit.Quantile(0.99).ShouldBe(truth, sampled ? 0.1 * truth : 0.25 * truth);
        fit.Above(2 * Gi).ShouldBe(0.35, 0.02);
    }

    [Fact]
    public void Checklist_14_34_and_38_runs_that_are_killed_for_memory_are_found_and_a_size_for_99_of_100_is_suggested()
    {
        var found = Sizing.Of(Of(LogNormal(400, Median, Sigma), Given(2 * Gi, Gi)), PriceBook.Default).ShouldHaveSingleItem();
        (found.Resource, found.IsUp, found.Change.MemoryLimit, found.Change.MemoryRequest, found.Goal, found.Risk).ShouldBe(("memory", true, "5Gi", "1Gi", Goal.Win, Risk.Low));
        found.Baseline.ShouldBe(0.65, 0.01);
        found.Expected.ShouldBe(0.99, 0.01);
        found.RunsPerDay.ShouldBe(48, 1);
        found.GainPerDay.ShouldBeGreaterThan(0);
        found.CostRatio.ShouldBeGreaterThan(1); // what ran out of memory ended early
        found.Rationale.ShouldStartWith("140 of 400 runs of impl Jobs in agents were killed for memory at 2Gi.");
        found.RollbackPlan.ShouldBe(new RollbackPlan { Metric = "oom_rate", Threshold = 0.35, Action = "immediate_rollback" });
    }

    [Fact]
    public void Where_the_limit_is_what_is_reserved_the_reservation_grows_with_it() =>
        Sizing.Of(Of(LogNormal(400, Median, Sigma), Given(2 * Gi)), PriceBook.Default).Single().Change.ShouldBe(new Treatment { MemoryLimit = "5Gi", MemoryRequest = "5Gi" });

    [Theory]
    [InlineData(19, 19)]
    [InlineData(400, 2)]
    [InlineData(400, 6)]
    public void Too_few_runs_or_kills_suggest_nothing(int runs, int killed)
    {
        var needs = Enumerable.Range(0, runs).Select(i => i < killed ? 3.0 * Gi : 1.9 * Gi);
        Sizing.Of(Of(needs, Given(2 * Gi, 2 * Gi)), PriceBook.Default).ShouldBeEmpty();
    }

    [Fact]
    public void What_was_always_cut_off_is_said_to_be_unknown_and_not_guessed_at()
    {
        var found = Sizing.Of(Of(Enumerable.Range(0, 100).Select(i => i % 2 == 0 ? 0.1 * Gi : 48.0 * Gi), Given(32 * Gi)), PriceBook.Default).Single();

        found.Rationale.ShouldContain(" 99% more than can be told from runs that end at 32Gi: with 128Gi,");
    }

    [Fact]
    public void A_size_grows_by_a_quarter_at_least_and_four_times_at_most()
    {
        Sizing.Of(Of(Enumerable.Range(0, 400).Select(i => i % 20 == 0 ? 1.001 * Gi : 0.95 * Gi), Given(Gi)), PriceBook.Default).Single().Size.ShouldBe((long)(1.25 * Gi));
        Sizing.Of(Of(Enumerable.Repeat(40.0 * Gi, 100), Given(Gi)), PriceBook.Default).Single().Size.ShouldBeLessThanOrEqualTo(4 * Gi);
    }

    [Fact]
    public void Jobs_that_have_more_already_are_not_given_less()
    {
        var profile = Of(LogNormal(200, Median, Sigma), Given(2 * Gi));
        for (var i = 0; i < 60; i++) profile.Take(Run(200 + (2 * i), 1.5 * Gi, Given(16 * Gi)), PriceBook.Default);
        for (var i = 0; i < 200; i++) profile.Take(Run(400 + i, i % 3 == 0 ? 3.0 * Gi : Gi, i % 4 == 0 ? Given(16 * Gi) : Given(2 * Gi)), PriceBook.Default);
        Sizing.Of(profile, PriceBook.Default).ShouldNotContain(one => one.IsUp);
    }

    [Fact]
    public void Memory_that_nobody_needs_is_given_back_with_room_to_spare()
    {
        var found = Sizing.Of(Of(LogNormal(200, 0.5 * Gi, 0.2), Given(8 * Gi, 4 * Gi)), PriceBook.Default).ShouldHaveSingleItem();
        (found.Resource, found.IsUp, found.Goal).ShouldBe(("memory", false, Goal.Save));
        found.Size.ShouldBeInRange((long)(0.7 * Gi), Gi);
        found.CostRatio.ShouldBeLessThan(1);
        found.GainPerDay.ShouldBeGreaterThan(0);
        found.Risk.ShouldBe(Risk.Medium); // the limit falls by more than half
    }

    [Fact]
    public void Nothing_is_ever_lowered_below_what_was_seen()
    {
        for (var seed = 0; seed < 300; seed++) Lowers(seed);
    }

    private static void Lowers(int seed)
    {
        var random = new Random(seed);
        var sigma = 0.05 + random.NextDouble();
        var limit = (long)(Gi * Math.Pow(2, random.Next(0, 6)));
        var needs = Enumerable.Range(0, 150).Select(_ => Math.Min(limit, 0.1 * Gi * Math.Exp(sigma * random.NextDouble() * 4))).ToList();
        foreach (var found in Sizing.Of(Of(needs, Given(limit, random.Next(2) == 0 ? null : limit / 2)), PriceBook.Default))
        {
            found.IsUp.ShouldBeFalse();
            if (found.Change.MemoryLimit is { } lowered && Fabrik.Quantities.Quantity.TryParse(lowered, out var quantity)) ((double)quantity.RoundUp()!).ShouldBeGreaterThan(needs.Max());
        }
    }

    [Fact]
    public void One_kill_is_enough_to_leave_memory_as_it_is() =>
        Sizing.Of(Of(LogNormal(200, 0.5 * Gi, 0.2).Append(9.0 * Gi), Given(8 * Gi, 4 * Gi)), PriceBook.Default).ShouldBeEmpty();

    [Fact]
    public void Cores_that_nobody_uses_are_given_back_and_their_limit_stays()
    {
        var found = Sizing.Of(Of(Enumerable.Repeat(0.9 * Gi, 150), Given(Gi, Gi, 2000, 4000), cpuMillis: 240), PriceBook.Default).ShouldHaveSingleItem();
        (found.Resource, found.IsUp, found.Change.CpuRequest, found.Change.CpuLimit).ShouldBe(("cpu", false, "300m", null));
    }

    [Fact]
    public void Deadlines_missed_at_the_limit_of_the_cores_ask_for_more_of_them()
    {
        var found = Sizing.Of(Of(Enumerable.Repeat(0.9 * Gi, 150), Given(Gi, Gi, 1000, 1000), cpuMillis: 990, outcome: i => i % 5 == 0 ? Outcome.Deadline : Outcome.Succeeded), PriceBook.Default).ShouldHaveSingleItem();
        (found.Resource, found.IsUp, found.Change.CpuLimit, found.Goal).ShouldBe(("cpu", true, "2", Goal.Win));
    }

    [Fact]
    public void What_was_true_a_month_ago_ages_away()
    {
        var profile = Of(LogNormal(400, Median, Sigma), Given(2 * Gi));
        Of(Enumerable.Repeat(1.5 * Gi, 60), Given(2 * Gi), after: profile, everyMinutes: 60 * 24);
        Sizing.Of(profile, PriceBook.Default).ShouldNotContain(one => one.IsUp);
    }

    [Fact]
    public void Treated_runs_tell_what_is_needed_and_not_how_runs_fare_now()
    {
        var profile = Of(LogNormal(100, Median, Sigma), Given(2 * Gi));
        var before = profile.Tally(profile.Now!).Runs;
        profile.Take(Run(500, 6.0 * Gi, Given(8 * Gi)) with { Arm = Arm.Treatment }, PriceBook.Default);
        profile.Tally(profile.Now!).Runs.ShouldBe(before);
        profile.Needs(one => one.Seen).Quantile(1)!.Value.ShouldBeGreaterThan(6.0 * Gi);
    }

    [Fact]
    public void Jobs_that_the_webhook_misses_are_not_sized_as_no_change_would_reach_them()
    {
        var profile = new SpecProfile { Target = Impl };
        for (var i = 0; i < 100; i++) profile.Take(Run(i, 3.0 * Gi, Given(2 * Gi)) with { Arm = Arm.Unassigned }, PriceBook.Default);
        Sizing.Of(profile, PriceBook.Default).ShouldBeEmpty();
    }

    [Fact]
    public void Jobs_of_several_containers_are_not_sized()
    {
        var profile = new SpecProfile { Target = Impl };
        for (var i = 0; i < 100; i++) profile.Take(Run(i, 3.0 * Gi, Given(2 * Gi)) with { Containers = i % 2 == 0 ? 2 : null }, PriceBook.Default);
        Sizing.Of(profile, PriceBook.Default).ShouldBeEmpty();
    }
}
