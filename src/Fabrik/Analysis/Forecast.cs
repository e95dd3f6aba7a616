using System.Diagnostics.CodeAnalysis;
using Fabrik.Experiments;

namespace Fabrik.Analysis;

/// <summary>When an experiment will be decided, if the rates are what is expected: at the median, and in 80 and 90 of 100 cases.</summary>
/// <param name="Median">Jobs of both arms together; null where that many cases are not decided within <see cref="MaximumRuns"/>.</param>
/// <param name="P80">As above.</param>
/// <param name="P90">As above.</param>
/// <param name="Days">The same in days at the given rate of Jobs.</param>
public sealed record Forecast(int? Median, int? P80, int? P90, ForecastDays Days)
{
    /// <summary>Jobs after which a simulated experiment is given up.</summary>
    public const int MaximumRuns = 40_000;

    /// <summary>Enough for a figure that is printed to two digits.</summary>
    public const int Simulations = 2_000;

    /// <summary>Simulates the very rule that decides, so it knows of the minimum of runs and of blocks; the same arguments give the same answer.</summary>
    /// <param name="baseline">Rate of good outcomes of the controls, inside (0, 1).</param>
    /// <param name="treatment">The expected rate with the treatment, from 0 to 1.</param>
    /// <param name="share">Chance of treatment, inside (0, 1).</param>
    /// <param name="runsPerDay">Jobs of both arms a day.</param>
    /// <param name="goal">What must be shown.</param>
    /// <param name="rules">Confidence, margin, least runs.</param>
    /// <param name="simulations">How many experiments are simulated.</param>
    public static Forecast Of(double baseline, double treatment, double share, double runsPerDay, Goal goal, DecisionRules rules, int simulations = Simulations)
    {
        var decidedAt = new int[simulations];
        Parallel.For(0, simulations, new ParallelOptions { MaxDegreeOfParallelism = Math.Max(1, Environment.ProcessorCount) }, one => decidedAt[one] = One(one, baseline, treatment, share, goal, rules));
        Array.Sort(decidedAt);
        return new Forecast(At(0.5), At(0.8), At(0.9), new ForecastDays(null, null, null)).With(runsPerDay);

        int? At(double part) => decidedAt[(int)Math.Ceiling(part * simulations) - 1] is var runs && runs <= MaximumRuns ? runs : null;
    }

    /// <summary>The same runs at another rate of them.</summary>
    public Forecast With(double runsPerDay)
    {
        return this with { Days = new ForecastDays(In(Median), In(P80), In(P90)) };

        double? In(int? runs) => runs is { } number && runsPerDay > 0 ? Math.Round(number / runsPerDay, 1) : null;
    }

    [SuppressMessage("Security", "CA5394", Justification = "a simulation that must repeat")]
    private static int One(int seed, double baseline, double treatment, double share, Goal goal, DecisionRules rules)
    {
        var random = new Random(seed);
        var (first, second) = (new EProcess(), new EProcess());
        var (gain, inferior, threshold) = (NullHypothesis.NoGain, NullHypothesis.Inferior(rules.Margin), Math.Log(rules.Threshold));
        long good = 0, treatedUnits = 0, controls = 0;
        var size = Block.Size(share);
        for (var runs = size; runs <= MaximumRuns; runs += size)
        {
            int treatedGood = 0, treated = 0, controlGood = 0;
            for (var unit = 0; unit < size; unit++)
            {
                if (random.NextDouble() >= share) controlGood += random.NextDouble() < baseline ? 1 : 0;
                else
                {
                    treated++;
                    treatedGood += random.NextDouble() < treatment ? 1 : 0;
                }
            }

            var block = new Block(treatedGood, treated, controlGood, size - treated);
            if (second.MaximumLog < threshold) second.Add(inferior, block, good, controls - good);
            if (goal == Goal.Win && first.MaximumLog < threshold) first.Add(gain, block, good, controls - good);
            (good, controls, treatedUnits) = (good + controlGood, controls + size - treated, treatedUnits + treated);
            if (treatedUnits >= rules.MinimumRunsPerArm && controls >= rules.MinimumRunsPerArm && second.MaximumLog >= threshold && (goal == Goal.Save || first.MaximumLog >= threshold)) return runs;
        }

        return int.MaxValue;
    }
}

public sealed record ForecastDays(double? Median, double? P80, double? P90);
