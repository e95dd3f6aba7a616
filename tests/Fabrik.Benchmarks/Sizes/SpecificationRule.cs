namespace Fabrik.Benchmarks.Sizes;

/// <summary>
/// The example of Fabrik's first specification (the in-cluster optimizer, "Resource Tuning"): where runs are killed, 1.25 times the 95th percentile
/// that was seen ("p95 is 3.2Gi, limit is 2Gi: 4Gi"), from 30 runs on. Killed means more than 5 %, its aim for the rate of kills. It names no
/// rule for giving memory back. Runs under an earlier size do not count, as their peaks ended at another limit.
/// </summary>
internal sealed class SpecificationRule : ISizingRule
{
    private const int FewestRuns = 30;
    private const double MostKilled = 0.05;
    private const double Room = 1.25;

    private readonly List<SeenRun> known = [];

    public void Take(SeenRun run)
    {
        if (known.Count > 0 && known[^1].Limit != run.Limit) known.Clear();
        known.Add(run);
    }

    public long Size(long present)
    {
        if (known.Count < FewestRuns || known.Count(run => run.Killed) <= MostKilled * known.Count) return present;
        var peaks = known.Select(run => run.Peak).Order().ToList();
        return Math.Max(present, (long)(peaks[(int)Math.Ceiling(0.95 * peaks.Count) - 1] * Room));
    }
}
