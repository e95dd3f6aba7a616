using System.Diagnostics.Metrics;
using Fabrik.Runs;
using Fabrik.Storage;

namespace Fabrik.CronJobs.Runs;

/// <summary>The instruments of the observer. Labels are closed sets: arms, outcomes, kinds.</summary>
public sealed class RunMetrics : IDisposable
{
    private readonly Meter meter = new(Names.Meters.CronJobs);
    private readonly TimeProvider clock;
    private readonly Counter<long> finished;
    private readonly Counter<long> received;
    private readonly Counter<long> failed;
    private readonly Histogram<double> lag;
    private long following;
    private double flushedAt;

    public RunMetrics(TimeProvider clock)
    {
        this.clock = clock;
        finished = meter.CreateCounter<long>("fabrik.runs.finished", "{run}", "Runs whose end was stored, by outcome and arm");
        received = meter.CreateCounter<long>("fabrik.observe.changes", "{change}", "Changes told by the watches, by kind");
        failed = meter.CreateCounter<long>("fabrik.observe.failures", "{batch}", "Batches of runs that could not be stored and are tried again");
        lag = meter.CreateHistogram("fabrik.observe.lag", "s", "From the end of a Job, as the server dates it in whole seconds, to the database", advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.5, 1, 1.5, 2, 5, 10, 30, 60, 300, 3600] });
        meter.CreateObservableGauge("fabrik.observe.following", () => Interlocked.Read(ref following), "{job}", "Jobs that are followed in memory");
        meter.CreateObservableGauge(
            "fabrik.observe.staleness",
            () => Staleness().Select(watch => new Measurement<double>(watch.Silence.TotalSeconds, new KeyValuePair<string, object?>("kind", watch.Kind))),
            "s",
            "Since the server last gave a sign on the watch of a kind; a bookmark comes each minute");
        meter.CreateObservableGauge("fabrik.observe.last.success.timestamp", () => Volatile.Read(ref flushedAt), "s", "When all that was known was stored last, in seconds since 1970");
    }

    internal Meter Meter => meter;

    /// <summary>Asked at each scrape; the observer sets it.</summary>
    internal Func<IEnumerable<(string Kind, TimeSpan Silence)>> Staleness { get; set; } = () => [];

    public void Received(string kind) => received.Add(1, new KeyValuePair<string, object?>("kind", kind));

    public void Stored(IReadOnlyList<RunChange> batch)
    {
        var now = clock.GetUtcNow();
        foreach (var change in batch)
        {
            var run = change.Run;
            if (run.Outcome == Outcome.Running || change.Before is not (null or Outcome.Running)) continue;
            finished.Add(1, new("outcome", WireNames.Of(run.Outcome)), new("arm", WireNames.Of(run.Arm)));
            if (run.FinishedAt is { } end && now > end) lag.Record((now - end).TotalSeconds);
        }
    }

    public void Flushed() => Volatile.Write(ref flushedAt, clock.GetUtcNow().ToUnixTimeMilliseconds() / 1000.0);

    public void Reconciled(int jobs) => Interlocked.Exchange(ref following, jobs);

    public void Failed() => failed.Add(1);

    public void Dispose() => meter.Dispose();
}
