using System.Globalization;
using Fabrik.Analysis;
using Fabrik.Experiments;

namespace Fabrik.Benchmarks.Statistics;

/// <summary>
/// Error rates and power of the decisions, simulated: experiments looked at after every block, beside the specification's naive rule on the
/// same Jobs (thirty runs of each arm, then "treatment at least as good: roll out; five points worse: roll back").
/// </summary>
internal static class StatisticsBenchmark
{
    private const int Experiments = 2_000;
    private const int Jobs = 3_000;
    private static readonly double[] Shares = [0.1, 0.2, 0.5];

    public static Task<int> RunAsync(string[] args)
    {
        var began = TimeProvider.System.GetTimestamp();
        Console.WriteLine($"{Experiments:N0} experiments of {Jobs:N0} Jobs a line; 5 % is promised");
        Console.WriteLine("world                    share  wrong rollout  wrong harm  with trips   naive rollout  naive rollback");
        var ok = true;
        foreach (var share in Shares)
        {
            foreach (var world in World.Nulls)
            {
                var (rollout, harm, tripped, naiveRollout, naiveRollback) = Errors(world, share);
                ok &= rollout <= 0.05 && harm <= 0.05 && tripped <= 0.05;
                Console.WriteLine($"{world.Name,-24} {share,5:0.0} {Percent(rollout),14} {Percent(harm),11} {Percent(tripped),11} {Percent(naiveRollout),15} {Percent(naiveRollback),15}");
            }
        }

        Console.WriteLine();
        Console.WriteLine("5 points worse           share  shipped (win)  shipped (save)  naive shipped");
        foreach (var share in Shares)
        {
            foreach (var world in World.Regressions)
            {
                var (rollout, _, _, naive, _) = Errors(world, share);
                var (saved, _, _, _, _) = Errors(world, share, Goal.Save);
                ok &= rollout <= 0.05 && saved <= 0.05;
                Console.WriteLine($"{world.Name,-24} {share,5:0.0} {Percent(rollout),14} {Percent(saved),15} {Percent(naive),14}");
            }
        }

        var power = Forecast.Of(0.65, 0.95, 0.1, 10, Goal.Win, new DecisionRules());
        ok &= power.P90 <= 400;
        Console.WriteLine();
        Console.WriteLine($"OOM 35 % to 5 % at share 0.1: half decided within {power.Median} Jobs, 80 % within {power.P80}, 90 % within {power.P90} (aim: 400)");
        ok &= WatchSimulation.Run();
        Console.WriteLine($"{(ok ? "ok" : "MISS")}, {TimeProvider.System.GetElapsedTime(began).TotalSeconds:0} s");
        return Task.FromResult(ok ? 0 : 1);
    }

    private static (double Rollout, double Harm, double Tripped, double NaiveRollout, double NaiveRollback) Errors(World world, double share, Goal goal = Goal.Win)
    {
        var counts = new int[5];
        Parallel.For(0, Experiments, seed =>
        {
            var ended = Simulation.Run(world, share, seed, Jobs, goal);
            if (ended.RolledOut) Interlocked.Increment(ref counts[0]);
            if (ended.FoundHarm) Interlocked.Increment(ref counts[1]);
            if (ended.Tripped) Interlocked.Increment(ref counts[2]);
            if (ended.NaiveRollout) Interlocked.Increment(ref counts[3]);
            if (ended.NaiveRollback) Interlocked.Increment(ref counts[4]);
        });
        return (Part(0), Part(1), Part(2), Part(3), Part(4));

        double Part(int which) => (double)counts[which] / Experiments;
    }

    private static string Percent(double part) => part.ToString("0.0 %", CultureInfo.InvariantCulture);
}
