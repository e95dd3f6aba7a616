using Fabrik.CronJobs.Runs;
using Fabrik.Runs;
using Fabrik.Runs.Usage;
using Fabrik.Storage;

namespace Fabrik.CronJobs.Usage;

/// <summary>
/// Takes a sample of what runs now, from metrics.k8s.io or, where that gives nothing, from the kubelets. All that was seen is in the
/// database: a sample that is taken twice, by whichever process, counts once.
/// </summary>
public sealed class UsageSampler(RunObserver observer, ClusterReadings cluster, UsageStore store, SourceStates states, TimeProvider clock)
{
    /// <summary>By now a Pod that runs must have been measured.</summary>
    private static readonly TimeSpan Warm = TimeSpan.FromMinutes(1);

    /// <param name="missing">What the runs say of Prometheus.</param>
    /// <param name="waiting">Whether there are ended runs whose Pods a source may still know.</param>
    public async Task SampleAsync(UsageGap missing, bool waiting, CancellationToken ct)
    {
        var running = observer.Running();
        if (running.Count == 0 && !waiting) return;
        if (await ReadAsync(running, UsageSource.MetricsServer, () => cluster.FromMetricsServerAsync(ct)) is { } readings) Store(UsageSource.MetricsServer, readings, missing);
        else if (running.Count > 0 && await ReadAsync(running, UsageSource.Kubelet, () => cluster.FromKubeletsAsync(running.Select(pod => pod.Node).Distinct(StringComparer.Ordinal), ct)) is { } summaries)
            Store(UsageSource.Kubelet, summaries, missing);
    }

    /// <summary>Null where the source gives nothing, so that the next one is asked.</summary>
    private async Task<List<ContainerReading>?> ReadAsync(IReadOnlyList<RunningPod> running, UsageSource source, Func<Task<List<ContainerReading>>> read)
    {
        if (!states.MayAsk(source)) return null;
        try
        {
            var readings = await read();
            var told = readings.Select(reading => (reading.Namespace, reading.Pod)).ToHashSet();
            var now = clock.GetUtcNow();
            if (!running.Any(pod => told.Contains((pod.Namespace, pod.Name))) && running.Any(pod => now - pod.StartedAt >= Warm))
            {
                states.HasNothing(source);
                return null;
            }

            states.Gave(source);
            return readings;
        }
        catch (SourceException e)
        {
            states.Failed(source, e);
            return null;
        }
    }

    private void Store(UsageSource source, List<ContainerReading> readings, UsageGap missing)
    {
        var runs = observer.OfPods(readings.Select(reading => (reading.Namespace, reading.Pod)));
        if (runs.Count == 0) return;
        var stored = store.Samples([.. runs.Values.Select(run => run.Id).Distinct(StringComparer.Ordinal)]);
        var samples = new List<(string Run, string Pod, PodTally Tally)>();
        var usages = new List<(string Run, RunUsage Usage)>();
        foreach (var run in readings.GroupBy(reading => runs.GetValueOrDefault((reading.Namespace, reading.Pod))?.Id))
        {
            if (run.Key is not { } id) continue;
            var tallies = stored[id].ToDictionary(one => one.Pod, one => one.Tally, StringComparer.Ordinal);
            var changed = false;
            foreach (var pod in run.GroupBy(reading => reading.Pod, StringComparer.Ordinal))
            {
                var before = tallies.GetValueOrDefault(pod.Key) ?? new PodTally { Source = source };
                var after = pod.OrderBy(reading => reading.At).Aggregate(before, (tally, reading) => tally.Add(source, reading));
                if (after == before) continue;
                tallies[pod.Key] = after;
                samples.Add((id, pod.Key, after));
                changed = true;
            }

            if (changed) usages.Add((id, UsageRules.Summarise(tallies.Values, runs[(run.First().Namespace, run.First().Pod)].Job?.Ordinary, states.Missing(source, missing), settled: false)));
        }

        if (samples.Count > 0) store.Sample(samples, usages);
    }
}
