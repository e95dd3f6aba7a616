using Fabrik.CronJobs.Runs;
using Fabrik.Runs;
using Fabrik.Runs.Usage;
using Fabrik.Storage;

namespace Fabrik.CronJobs.Usage;

/// <summary>
/// Gives every run that has ended its last word on what it used: from Prometheus, else from what was sampled, else that nothing is known and
/// why. Which runs wait is read from the database each time; a process that starts anew asks once more, which changes nothing.
/// </summary>
public sealed class UsageSettler(CronJobsOptions options, RunObserver observer, UsageStore store, SourceStates states, UsageMetrics metrics, TimeProvider clock, PrometheusReadings? prometheus = null)
{
    /// <summary>Runs at a time: an hour of a busy cluster.</summary>
    private const int Batch = 5_000;

    /// <summary>Runs that ended before this process first looked are given a usage if it was not longer ago than this.</summary>
    private static readonly TimeSpan Horizon = TimeSpan.FromDays(1);

    /// <summary>The end of a run may become known so much later than it happened.</summary>
    private static readonly TimeSpan Late = TimeSpan.FromHours(1);

    private readonly Patience patience = new(2 * (options.Prometheus?.ScrapeInterval ?? options.MeasureEvery));
    private readonly Dictionary<string, Attempt> attempts = new(StringComparer.Ordinal);
    private DateTimeOffset? since;

    /// <summary>Runs that have ended and are not settled.</summary>
    public IReadOnlyList<Run> Waiting()
    {
        var now = clock.GetUtcNow();
        var waiting = store.Unsettled(since ?? now - Horizon, Batch);
        var earliest = waiting.Where(run => run.FinishedAt is not null).Select(run => run.FinishedAt!.Value).Append(now).Min() - Late;
        since = earliest > since || since is null ? earliest : since;
        foreach (var run in waiting) attempts.TryAdd(run.Id, patience.First(now));
        var left = waiting.Select(run => run.Id).ToHashSet(StringComparer.Ordinal);
        foreach (var id in attempts.Keys.Where(id => !left.Contains(id)).ToList()) attempts.Remove(id);
        metrics.Waits(waiting.Count);
        return waiting;
    }

    public async Task SettleAsync(IReadOnlyList<Run> waiting, CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        var due = waiting.Where(run => attempts.TryGetValue(run.Id, out var attempt) && attempt.Next <= now).ToList();
        if (due.Count == 0) return;
        var evidence = observer.Of(due.Select(run => run.Id));
        var samples = store.Samples([.. due.Select(run => run.Id)]);
        var found = prometheus is not null && states.Answers(UsageSource.Prometheus)
            ? await prometheus.AskAsync(due.Where(run => run.FinishedAt is not null && evidence.ContainsKey(run.Id)).SelectMany(run => PodWindow.Of(run, evidence[run.Id])), ct)
            : [];
        Judge(due, found);

        now = clock.GetUtcNow();
        var settled = due.Select(run => (run.Id, Usage: Settle(run, evidence.GetValueOrDefault(run.Id), found.GetValueOrDefault(run.Id), [.. samples[run.Id].Select(one => one.Tally)], now)))
            .Where(one => one.Usage is not null).Select(one => (one.Id, one.Usage!)).ToList();
        if (settled.Count == 0) return;
        store.Settle(settled);
        foreach (var (_, usage) in settled) metrics.Settled(usage.Source);
    }

    /// <summary>A Prometheus that has nothing of runs that were long enough does not watch containers: then others are to be asked.</summary>
    private void Judge(List<Run> due, Dictionary<string, PrometheusReadings.Found> found)
    {
        if (prometheus is null || !states.Answers(UsageSource.Prometheus)) return;
        var enough = 4 * options.Prometheus!.ScrapeInterval;
        if (found.Values.Any(one => one.Pods.Count > 0)) states.Gave(UsageSource.Prometheus);
        else if (due.Any(run => found.TryGetValue(run.Id, out var one) && one is { Gap: null, Partial: false } && run.FinishedAt - run.StartedAt >= enough)) states.HasNothing(UsageSource.Prometheus);
    }

    /// <returns>Null: waits.</returns>
    private RunUsage? Settle(Run run, Evidence? evidence, PrometheusReadings.Found? found, List<PodTally> sampled, DateTimeOffset now)
    {
        UsageGap? gap;
        if (prometheus is null) gap = UsageGap.NotConfigured;
        else if (evidence is null) gap = UsageGap.PodsUnknown;
        else if (run.FinishedAt is null || evidence.Pods.IsEmpty) gap = UsageGap.NoSamples;
        else
        {
            var attempt = attempts[run.Id];
            gap = found is null ? states.Gap(UsageSource.Prometheus) : found.Gap ?? (found.Pods.Count == 0 ? UsageGap.NoSamples : null);
            if (found is { Gap: null, Partial: false, Pods.Count: > 0 }) return Word(found.Pods, null);

            // Not asked in this turn: there was no time for it.
            if (found is null && states.Answers(UsageSource.Prometheus)) return null;
            var next = found is { Gap: null } or { Gap: UsageGap.TooLarge }
                ? patience.Answered(attempt, now)
                : patience.Failed(attempt, now, run, states.FailingSince(UsageSource.Prometheus), sampled.Exists(UsageRules.Sampled));
            if (next is { } again)
            {
                attempts[run.Id] = again;
                return null;
            }

            if (found is { Pods.Count: > 0 }) return Word(found.Pods, null);
        }

        return Word(sampled, gap);

        RunUsage Word(List<PodTally> pods, UsageGap? missing)
        {
            var usage = UsageRules.Summarise(pods, evidence?.Job?.Ordinary, new MissingSources(), settled: true);
            return usage with { Missing = states.Missing(usage.Source, usage.Source == UsageSource.None ? missing ?? UsageGap.NoSamples : missing) };
        }
    }
}
