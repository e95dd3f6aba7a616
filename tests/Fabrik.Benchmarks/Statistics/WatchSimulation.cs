using System.Diagnostics.CodeAnalysis;
using Fabrik.Analysis;

namespace Fabrik.Benchmarks.Statistics;

/// <summary>The watch over the baseline after a rollout: how far apart its false alarms are, and how soon it finds that more runs fail.</summary>
[SuppressMessage("Security", "CA5394", Justification = "simulated data")]
internal static class WatchSimulation
{
    private const int Simulations = 400;
    private const double Baseline = 0.1;
    private const int Before = 100;

    /// <summary>Runs after which a simulation without an alarm is cut: the mean is at least what is told.</summary>
    private const int Cap = 20_000;

    public static bool Run()
    {
        var apart = Mean(Baseline);
        var (tripled, half) = (Mean(0.3), Mean(0.5));
        Console.WriteLine($"after the rollout, baseline {Baseline:0 %} of failures: false alarms at least {apart:N0} runs apart in the mean (aim: {BaselineWatch.Limit:N0}); a rise to 30 % is found after {tripled:0} runs (45), to 50 % after {half:0} (14)");
        return apart >= BaselineWatch.Limit && tripled <= 52 && half <= 17;
    }

    private static double Mean(double rate)
    {
        var lengths = new int[Simulations];
        Parallel.For(0, Simulations, seed =>
        {
            var (random, watch) = (new Random(seed), new BaselineWatch { Baselines = { ["s"] = Baseline } });
            var runs = 0;
            for (; runs < Cap && !watch.IsAlarmed; runs++) watch.Add("s", random.NextDouble() < (runs < Before ? Baseline : rate));
            lengths[seed] = runs - Before;
        });
        return lengths.Where(length => length > 0).Average() + (rate == Baseline ? Before : 0);
    }
}
