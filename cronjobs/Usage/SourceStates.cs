using System.Collections.Concurrent;
using Fabrik.Runs;
using Fabrik.Runs.Usage;
using Fabrik.Storage;

namespace Fabrik.CronJobs.Usage;

/// <summary>Which sources answer now. Each change is logged once; a source that failed is asked again after a while, as it may come back.</summary>
public sealed partial class SourceStates
{
    public static readonly TimeSpan AskAgain = TimeSpan.FromMinutes(1);

    private readonly ConcurrentDictionary<UsageSource, State> states = new();
    private readonly UsageMetrics metrics;
    private readonly TimeProvider clock;
    private readonly ILogger<SourceStates> logger;

    public SourceStates(UsageMetrics metrics, TimeProvider clock, ILogger<SourceStates> logger)
    {
        (this.metrics, this.clock, this.logger) = (metrics, clock, logger);
        metrics.Sources = () => states.Select(state => (state.Key, state.Value.Gap));
    }

    private sealed record State(UsageGap? Gap, DateTimeOffset Since, DateTimeOffset AskedAt);

    /// <summary>Null where it answers, and where it was never asked.</summary>
    public UsageGap? Gap(UsageSource source) => states.GetValueOrDefault(source)?.Gap;

    public bool Asked(UsageSource source) => states.ContainsKey(source);

    /// <summary>Since when it has given nothing; null where it answers.</summary>
    public DateTimeOffset? FailingSince(UsageSource source) => states.GetValueOrDefault(source) is { Gap: not null } state ? state.Since : null;

    /// <summary>True where it answered last time, though it may have had nothing.</summary>
    public bool Answers(UsageSource source) => states.GetValueOrDefault(source) is { Gap: null or UsageGap.NoSamples };

    /// <summary>Whether it is worth asking: it answers, or has had time to come back.</summary>
    public bool MayAsk(UsageSource source) => Answers(source) || states.GetValueOrDefault(source) is not { } state || clock.GetUtcNow() - state.AskedAt >= AskAgain;

    /// <summary>When it was last asked; null: never.</summary>
    public DateTimeOffset? AskedAt(UsageSource source) => states.GetValueOrDefault(source)?.AskedAt;

    /// <summary>What a run says that has its figures from this source: of every better one why it has none.</summary>
    public MissingSources Missing(UsageSource source, UsageGap? prometheus) => new(
        source is UsageSource.Prometheus ? null : prometheus,
        source is UsageSource.Kubelet or UsageSource.None && Asked(UsageSource.MetricsServer) ? Gap(UsageSource.MetricsServer) ?? UsageGap.NoSamples : null,
        source is UsageSource.None && Asked(UsageSource.Kubelet) ? Gap(UsageSource.Kubelet) ?? UsageGap.NoSamples : null);

    public void Gave(UsageSource source)
    {
        if (Set(source, null)) Log.Answers(logger, WireNames.Of(source));
    }

    /// <summary>It answers, and has nothing of what it must have. Whether an answer proves the contrary only <see cref="Gave"/> says.</summary>
    public void HasNothing(UsageSource source)
    {
        if (Set(source, UsageGap.NoSamples)) Log.HasNothing(logger, WireNames.Of(source));
    }

    public void Failed(UsageSource source, SourceException why)
    {
        metrics.Failed(source, why.Gap);
        if (Set(source, why.Gap)) Log.Failed(logger, WireNames.Of(source), WireNames.Of(why.Gap), why.Message);
    }

    private bool Set(UsageSource source, UsageGap? gap)
    {
        var now = clock.GetUtcNow();
        var before = states.GetValueOrDefault(source);
        var same = before is not null && before.Gap == gap;
        states[source] = new State(gap, same || before?.Gap is not null && gap is not null ? before!.Since : now, now);
        return !same;
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Information, Message = "Usage: {Source} answers")]
        public static partial void Answers(ILogger logger, string source);

        [LoggerMessage(Level = LogLevel.Warning, Message = "Usage: {Source} answers but has no container of the runs it was asked for; other sources are asked too")]
        public static partial void HasNothing(ILogger logger, string source);

        [LoggerMessage(Level = LogLevel.Warning, Message = "Usage: {Source} gives nothing ({Reason}): {Why}. It is asked again each minute; runs say which source was missing")]
        public static partial void Failed(ILogger logger, string source, string reason, string why);
    }
}
