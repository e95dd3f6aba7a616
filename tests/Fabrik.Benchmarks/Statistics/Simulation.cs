using System.Diagnostics.CodeAnalysis;
using Fabrik.Analysis;
using Fabrik.Experiments;

namespace Fabrik.Benchmarks.Statistics;

/// <summary>What was ever decided while one experiment ran.</summary>
internal sealed record Ended(bool RolledOut, bool FoundHarm, bool NaiveRollout, bool NaiveRollback);

/// <summary>One experiment, its evidence judged whenever a block ends.</summary>
[SuppressMessage("Security", "CA5394", Justification = "simulated data")]
internal static class Simulation
{
    private static readonly DecisionRules Rules = new();

    public static Ended Run(World world, double share, int seed, int jobs, Goal goal)
    {
        var random = new Random((seed * 7919) + (int)(share * 1000));
        var names = Enumerable.Range(0, world.Rates.Length).Select(stratum => $"{stratum}").ToArray();
        var (evidence, open, size) = (new Evidence(), new Block[names.Length], Block.Size(share));
        var (rolledOut, harm, naiveRollout, naiveRollback) = (false, false, false, false);
        long treatedGood = 0, treated = 0, controlGood = 0, control = 0;
        for (var job = 0; job < jobs; job++)
        {
            var stratum = job % names.Length;
            var isTreated = random.NextDouble() < share;
            var good = random.NextDouble() < world.Rate(stratum, (double)job / jobs, isTreated) ? 1 : 0;
            var block = open[stratum];
            block = isTreated ? block with { Treated = block.Treated + 1, TreatedGood = block.TreatedGood + good } : block with { Control = block.Control + 1, ControlGood = block.ControlGood + good };
            if (isTreated) (treated, treatedGood) = (treated + 1, treatedGood + good);
            else (control, controlGood) = (control + 1, controlGood + good);
            Naive(treatedGood, treated, controlGood, control, ref naiveRollout, ref naiveRollback);
            open[stratum] = block;
            if (block.Treated + block.Control < size) continue;
            open[stratum] = default;
            evidence.Add(names[stratum], block, block, Rules.Margin);

            // What is judged is the greatest evidence so far, so each verdict stands from its first block on; harm does not end the watch for a rollout here.
            harm |= evidence.Harm.Maximum >= Rules.Threshold;
            rolledOut |= Judgement.Suffices(evidence, goal, Rules);
        }

        return new Ended(rolledOut, harm, naiveRollout, naiveRollback);
    }

    /// <summary>The specification's rule at every look from thirty runs of each arm on; the first that holds ends it.</summary>
    private static void Naive(long treatedGood, long treated, long controlGood, long control, ref bool rollout, ref bool rollback)
    {
        if (rollout || rollback || treated < 30 || control < 30) return;
        var difference = ((double)treatedGood / treated) - ((double)controlGood / control);
        rollout = difference >= 0;
        rollback = difference < -0.05;
    }
}
