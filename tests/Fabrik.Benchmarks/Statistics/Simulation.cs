using System.Diagnostics.CodeAnalysis;
using Fabrik.Analysis;
using Fabrik.Experiments;

namespace Fabrik.Benchmarks.Statistics;

/// <summary>What was ever decided while one experiment ran.</summary>
internal sealed record Ended(bool RolledOut, bool FoundHarm, bool Tripped, bool NaiveRollout, bool NaiveRollback);

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
        var (rolledOut, harm, tripped, naiveRollout, naiveRollback) = (false, false, false, false, false);
        var (state, look) = (new ExperimentState { Evidence = evidence }, new ExperimentLook { StartedAt = default, Since = default, TreatedShare = share });
        long treatedGood = 0, treated = 0, controlGood = 0, control = 0;
        for (var job = 0; job < jobs; job++)
        {
            var stratum = job % names.Length;
            var isTreated = random.NextDouble() < share;
            var good = random.NextDouble() < world.Rate(stratum, (double)job / jobs, isTreated) ? 1 : 0;
            var block = open[stratum];
            block = isTreated ? block with { Treated = block.Treated + 1, TreatedGood = block.TreatedGood + good } : block with { Control = block.Control + 1, ControlGood = block.ControlGood + good };
            Count(state.Trial, job, isTreated, good == 0);
            if (isTreated) (treated, treatedGood) = (treated + 1, treatedGood + good);
            else (control, controlGood) = (control + 1, controlGood + good);
            Naive(treatedGood, treated, controlGood, control, ref naiveRollout, ref naiveRollback);
            open[stratum] = block;

            // Rates move with every run; the other trips, and the evidence, hardly.
            if (!tripped && (evidence.Harm.Value >= 5 || isTreated)) tripped = Safety.Trips(state, look).Count > 0;
            if (block.Treated + block.Control < size) continue;
            open[stratum] = default;
            evidence.Add(names[stratum], block, block, Rules.Margin);

            // What is judged is the greatest evidence so far, so each verdict stands from its first block on; harm does not end the watch for a rollout here.
            harm |= evidence.Harm.Maximum >= Rules.Threshold;
            rolledOut |= Judgement.Suffices(evidence, goal, Rules);
        }

        return new Ended(rolledOut, harm, tripped || harm, naiveRollout, naiveRollback);
    }

    private static void Count(Completions counts, int job, bool isTreated, bool failed)
    {
        var arm = isTreated ? counts.Treated : counts.Control;
        arm.Ended++;
        if (failed) arm.Failed++;
        if (isTreated && counts.First.Count < Completions.FirstRuns) counts.First.Add(new FirstRun(job, failed));
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
