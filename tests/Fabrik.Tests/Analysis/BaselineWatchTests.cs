using Fabrik.Analysis;

namespace Fabrik.Tests.Analysis;

/// <summary>The watch over runs under an applied change, simulated.</summary>
public class BaselineWatchTests
{
    private const int Simulations = 300;
    private const int Cap = 5_000;

    /// <summary>Runs are cut at <see cref="Cap"/>, which only makes the mean smaller.</summary>
    [Theory]
    [InlineData(0.02)]
    [InlineData(0.1)]
    [InlineData(0.25)]
    [InlineData(0.5)]
    public void False_alarms_are_a_thousand_runs_apart_or_more_in_the_mean(double rate) =>
        Mean(before: 0, _ => Watch(("s", rate)), (random, _) => ("s", random.NextDouble() < rate)).ShouldBeGreaterThanOrEqualTo(BaselineWatch.Limit);

    [Fact]
    public void Strata_of_different_rates_that_come_in_spells_are_no_reason_for_an_alarm()
    {
        var pooled = Mean(0, _ => Watch(("s", 0.25)), Spells);
        var apart = Mean(0, _ => Watch(("good", 0.03), ("bad", 0.47)), (random, run) => Spells(random, run) is var (_, failed) && run % 200 < 100 ? ("good", failed) : ("bad", failed));
        pooled.ShouldBeLessThan(300); // what would happen if they were mixed
        apart.ShouldBeGreaterThanOrEqualTo(BaselineWatch.Limit);

        static (string, bool) Spells(Random random, int run) => ("s", random.NextDouble() < (run % 200 < 100 ? 0.03 : 0.47));
    }

    /// <summary>The reference has about ln(1000)/KL: 45 and 14 runs.</summary>
    [Theory]
    [InlineData(0.3, 45)]
    [InlineData(0.5, 14)]
    public void A_rise_of_failures_is_found_about_as_soon_as_can_be(double rate, double expected) =>
        Mean(before: 100, _ => Watch(("s", 0.1)), (random, run) => ("s", random.NextDouble() < (run < 100 ? 0.1 : rate))).ShouldBe(expected, 0.15 * expected);

    [Fact]
    public void A_stratum_without_controls_tells_nothing_and_the_bound_is_Wilsons()
    {
        var watch = new BaselineWatch();
        watch.Freeze(new Dictionary<string, StratumCounts> { ["known"] = new(Good: 133, Bad: 15), ["unknown"] = new() });
        watch.Baselines["known"].ShouldBe(0.1605, 5e-5);
        for (var run = 0; run < 100; run++) watch.Add("unknown", failed: true);
        for (var run = 0; run < 100; run++) watch.Add("new", failed: true);
        (watch.Runs, watch.IsAlarmed).ShouldBe((0, false));
        for (var run = 0; run < 8; run++) watch.Add("known", failed: true);
        (watch.Runs, watch.Failed, watch.IsAlarmed).ShouldBe((8, 8, true));
    }

    private static double Mean(int before, Func<int, BaselineWatch> start, Func<Random, int, (string Stratum, bool Failed)> next)
    {
        var lengths = new List<int>();
        for (var seed = 0; seed < Simulations; seed++)
        {
            var (random, watch, run) = (new Random(seed), start(seed), 0);
            for (; run < Cap && !watch.IsAlarmed; run++)
            {
                var (stratum, failed) = next(random, run);
                watch.Add(stratum, failed);
            }

            if (run > before) lengths.Add(run - before);
        }

        return lengths.Average();
    }

    private static BaselineWatch Watch(params (string Stratum, double Rate)[] strata) => new() { Baselines = strata.ToDictionary(one => one.Stratum, one => one.Rate) };
}
