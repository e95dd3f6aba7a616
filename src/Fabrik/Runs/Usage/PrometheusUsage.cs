using System.Collections.Immutable;

namespace Fabrik.Runs.Usage;

/// <summary>From the answers to the three queries of a batch to what was seen of each Pod.</summary>
public static class PrometheusUsage
{
    /// <returns>By <see cref="PodWindow.Key"/>; a Pod without any sample is not in it, nor is any that was not asked for.</returns>
    public static Dictionary<string, PodTally> Tally(PrometheusBatch batch, PrometheusAnswer peaks, PrometheusAnswer counts, PrometheusAnswer counters)
    {
        var found = new Dictionary<string, PodTally>(StringComparer.Ordinal);
        var (memory, samples, cpu) = (ByPod(peaks), ByPod(counts), ByPod(counters));
        foreach (var pod in batch.Pods)
        {
            var containers = ImmutableDictionary.CreateBuilder<string, ContainerTally>(StringComparer.Ordinal);
            foreach (var series in memory[pod.Key].Where(series => series.Samples.Count > 0))
            {
                containers[series.Container] = new ContainerTally
                {
                    PeakMemoryBytes = (long)Math.Min(series.Samples[^1].Value, 1L << 60),
                    Samples = (int)samples[pod.Key].Where(count => count.Container == series.Container).SelectMany(count => count.Samples).Select(count => Math.Min(count.Value, 1e9)).DefaultIfEmpty().Max(),
                };
            }

            foreach (var series in cpu[pod.Key].Where(series => series.Samples.Count > 0).GroupBy(series => series.Container, StringComparer.Ordinal))
                containers[series.Key] = CounterSeries.Add(containers.GetValueOrDefault(series.Key) ?? new ContainerTally(), pod, series, lingers: batch.Step is not null);
            if (containers.Count > 0) found[pod.Key] = new PodTally { Source = UsageSource.Prometheus, Containers = containers.ToImmutable() };
        }

        return found;
    }

    private static ILookup<string, PrometheusSeries> ByPod(PrometheusAnswer answer) => answer.Series.ToLookup(series => $"{series.Namespace}/{series.Pod}", StringComparer.Ordinal);
}
