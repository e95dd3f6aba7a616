using Fabrik.Runs;
using Fabrik.Runs.Usage;

namespace Fabrik.CronJobs.Usage;

/// <summary>What Prometheus has of Pods that have ended.</summary>
public sealed class PrometheusReadings(PrometheusClient client, SourceStates states, TimeProvider clock)
{
    /// <summary>For all batches of one turn; what is left comes with the next.</summary>
    private static readonly TimeSpan Turn = TimeSpan.FromMinutes(1);

    /// <summary>Whether it answers at all, without asking for anything.</summary>
    public async Task ProbeAsync(CancellationToken ct)
    {
        try
        {
            await client.QueryAsync("vector(1)", clock.GetUtcNow(), ct);
            if (states.Gap(UsageSource.Prometheus) == UsageGap.NoSamples) states.HasNothing(UsageSource.Prometheus);
            else states.Gave(UsageSource.Prometheus);
        }
        catch (SourceException e)
        {
            states.Failed(UsageSource.Prometheus, e);
        }
    }

    /// <summary>By run. A run that is not in it was not asked for.</summary>
    public async Task<Dictionary<string, Found>> AskAsync(IEnumerable<PodWindow> pods, CancellationToken ct)
    {
        var all = pods.ToList();
        var found = new Dictionary<string, Found>(StringComparer.Ordinal);
        var batches = new Queue<PrometheusBatch>(PrometheusBatch.Plan(all));
        var began = clock.GetTimestamp();
        while (batches.Count > 0 && states.Answers(UsageSource.Prometheus) && clock.GetElapsedTime(began) < Turn) await TakeAsync(batches.Dequeue(), batches, found, ct);

        // Half of a run's Pods are no answer.
        foreach (var run in batches.SelectMany(batch => batch.Pods).Select(pod => pod.Run)) found.Remove(run);
        return found;
    }

    private async Task TakeAsync(PrometheusBatch batch, Queue<PrometheusBatch> batches, Dictionary<string, Found> found, CancellationToken ct)
    {
        try
        {
            var (tallies, partial) = await MeasureAsync(batch, ct);
            foreach (var pod in batch.Pods)
            {
                var run = Of(pod.Run);
                run.Partial |= partial;
                if (tallies.TryGetValue(pod.Key, out var tally)) run.Pods.Add(tally);
            }
        }
        catch (SourceException e) when (e.Gap == UsageGap.TooLarge && batch.Pods.Count > 1)
        {
            foreach (var half in batch.Halve()) batches.Enqueue(half);
        }
        catch (SourceException e)
        {
            // One run that is too much says nothing about the others.
            foreach (var pod in batch.Pods) Of(pod.Run).Gap = e.Gap;
            if (e.Gap != UsageGap.TooLarge) states.Failed(UsageSource.Prometheus, e);
        }

        Found Of(string run) => found.TryGetValue(run, out var known) ? known : found[run] = new Found();
    }

    private async Task<(Dictionary<string, PodTally> Tallies, bool Partial)> MeasureAsync(PrometheusBatch batch, CancellationToken ct)
    {
        var (selector, range) = (PrometheusQueries.Selector(batch.Pods), batch.To - batch.From);
        var peaks = await client.QueryAsync(PrometheusQueries.PeakMemory(selector, range), batch.To, ct);
        var counts = await client.QueryAsync(PrometheusQueries.MemorySamples(selector, range), batch.To, ct);
        var counters = batch.Step is { } step
            ? await client.QueryRangeAsync(PrometheusQueries.CpuAtSteps(selector), batch.From, batch.To, step, ct)
            : await client.QueryAsync(PrometheusQueries.CpuCounters(selector, range), batch.To, ct);
        return (PrometheusUsage.Tally(batch, peaks, counts, counters), peaks.Warnings.Count + counts.Warnings.Count + counters.Warnings.Count > 0);
    }

    /// <summary>What was found of one run.</summary>
    public sealed class Found
    {
        public List<PodTally> Pods { get; } = [];

        /// <summary>Prometheus warned that its answer may not be whole.</summary>
        public bool Partial { get; set; }

        /// <summary>Not null where Prometheus could not be asked about all of its Pods.</summary>
        public UsageGap? Gap { get; set; }
    }
}
