namespace Fabrik.Runs.Usage;

/// <summary>From what was seen of a run's Pods to what the run used.</summary>
public static class UsageRules
{
    /// <param name="ordinary">Names of the ordinary containers, separated by commas; null: not known, then every container counts.</param>
    public static RunUsage Summarise(IEnumerable<PodTally> pods, string? ordinary, MissingSources missing, bool settled)
    {
        var seen = pods.Where(pod => pod.Containers.Values.Any(Sampled)).ToList();
        var containers = Counted(seen, ordinary?.Split(',')).GroupBy(one => one.Key, one => one.Value, StringComparer.Ordinal)
            .Select(same => same.Aggregate(ContainerTally.Merge)).ToList();
        if (!containers.Exists(Sampled)) return new RunUsage { Source = UsageSource.None, Missing = missing, Settled = settled };
        return new RunUsage
        {
            // Where two sources took turns, the one that is less exact has its name on it.
            Source = seen.Max(pod => pod.Source),
            PeakMemoryBytes = Sum(container => container.PeakMemoryBytes),
            MeanCpuMillis = Sum(Mean),
            P95CpuMillis = Sum(container => CpuSpread.Quantile(container.Spread, 0.95) is { } quantile ? Math.Min(quantile, Peak(container) ?? quantile) : null),
            PeakCpuMillis = Sum(Peak),
            Samples = containers.Max(container => container.Samples),
            Missing = missing,
            Settled = settled,
        };

        long? Sum(Func<ContainerTally, double?> amount)
        {
            var known = containers.Select(amount).OfType<double>().ToList();
            return known.Count > 0 ? (long)Math.Round(known.Sum()) : null;
        }
    }

    public static bool Sampled(PodTally pod) => pod.Containers.Values.Any(Sampled);

    private static bool Sampled(ContainerTally container) => container.PeakMemoryBytes is not null || container.Seconds > 0;

    private static double? Mean(ContainerTally container) => container.Seconds > 0 ? container.CoreSeconds * 1000 / container.Seconds : null;

    private static double? Peak(ContainerTally container) => container.PeakMillis ?? Mean(container);

    /// <summary>The ordinary containers; the Pods as a whole only where none of them is known, or all would count twice.</summary>
    private static List<KeyValuePair<string, ContainerTally>> Counted(List<PodTally> pods, string[]? ordinary)
    {
        var all = pods.SelectMany(pod => pod.Containers).Where(one => Sampled(one.Value)).ToList();
        var own = all.FindAll(one => one.Key.Length > 0 && ordinary?.Contains(one.Key, StringComparer.Ordinal) != false);
        return own.Count > 0 ? own : all.FindAll(one => one.Key.Length == 0);
    }
}
