namespace Fabrik.Runs.Usage;

/// <summary>
/// The CPU counters that Prometheus has of one container. There may be several: one for each scraper, one for each time the container was
/// started (another id), one for each set of other labels. At any moment only one of them counts.
/// </summary>
internal static class CounterSeries
{
    /// <param name="lingers">The last value is repeated for some minutes after the container has ended.</param>
    public static ContainerTally Add(ContainerTally tally, PodWindow pod, IEnumerable<PrometheusSeries> series, bool lingers)
    {
        string? id = null;
        foreach (var one in Choose(lingers ? series.Select(WithoutTail) : series))
        {
            // The first instance began with the Pod; a later one began after the one before it was last seen.
            var since = id is null ? pod.Since : one.Id == id ? null : tally.CounterAt;
            if (id is not null && one.Id != id) tally = tally with { Counter = null, CounterAt = null };
            id = one.Id;
            foreach (var sample in one.Samples)
            {
                tally = tally.Add(new ContainerReading { Namespace = pod.Namespace, Pod = pod.Pod, Container = one.Container, At = sample.At, CpuCounter = sample.Value, Since = since });
                since = null;
            }
        }

        return tally;
    }

    /// <summary>Series that do not overlap in time, those with the most samples first chosen, in order of time.</summary>
    private static List<PrometheusSeries> Choose(IEnumerable<PrometheusSeries> series)
    {
        var chosen = new List<PrometheusSeries>();
        foreach (var one in series.OrderByDescending(one => one.Samples.Count).ThenByDescending(one => one.Samples[^1].Value).ThenBy(one => one.Id, StringComparer.Ordinal))
            if (chosen.TrueForAll(other => one.Samples[^1].At < other.Samples[0].At || one.Samples[0].At > other.Samples[^1].At)) chosen.Add(one);
        chosen.Sort((a, b) => a.Samples[0].At.CompareTo(b.Samples[0].At));
        return chosen;
    }

    private static PrometheusSeries WithoutTail(PrometheusSeries series)
    {
        var count = series.Samples.Count;
        while (count > 1 && series.Samples[count - 1].Value == series.Samples[count - 2].Value) count--;
        return count == series.Samples.Count ? series : series with { Samples = [.. series.Samples.Take(count)] };
    }
}
