using System.Diagnostics.Metrics;
using Fabrik.Runs;
using Fabrik.Storage;

namespace Fabrik.CronJobs.Usage;

/// <summary>The instruments of what takes usage. Labels are closed sets: sources and reasons.</summary>
public sealed class UsageMetrics : IDisposable
{
    private readonly Meter meter = new(Names.Meters.CronJobs);
    private readonly Counter<long> settled;
    private readonly Counter<long> failures;
    private readonly Histogram<double> duration;
    private long waiting;

    public UsageMetrics()
    {
        settled = meter.CreateCounter<long>(Names.Metrics.UsageSettled, "{run}", "Ended runs whose usage was settled, by source");
        failures = meter.CreateCounter<long>(Names.Metrics.UsageFailures, "{request}", "Requests for usage that gave nothing, by source and reason");
        duration = meter.CreateHistogram(Names.Metrics.UsageDuration, "s", "One request for usage, by source", advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 20] });
        meter.CreateObservableGauge(
            Names.Metrics.UsageSourceUp,
            () => Sources().Select(source => new Measurement<int>(source.Gap is null ? 1 : 0, new KeyValuePair<string, object?>("source", WireNames.Of(source.Source)))),
            "{source}",
            "1 where the source gave what it was asked for, 0 where it did not; absent where it was not asked");
        meter.CreateObservableGauge(Names.Metrics.UsageWaiting, () => Interlocked.Read(ref waiting), "{run}", "Ended runs whose usage is not settled yet");
    }

    internal Meter Meter => meter;

    /// <summary>Asked at each scrape; the states of the sources set it.</summary>
    internal Func<IEnumerable<(UsageSource Source, UsageGap? Gap)>> Sources { get; set; } = () => [];

    public void Settled(UsageSource source) => settled.Add(1, new KeyValuePair<string, object?>("source", WireNames.Of(source)));

    public void Failed(UsageSource source, UsageGap gap) => failures.Add(1, new("source", WireNames.Of(source)), new("reason", WireNames.Of(gap)));

    public void Asked(UsageSource source, TimeSpan took) => duration.Record(took.TotalSeconds, new KeyValuePair<string, object?>("source", WireNames.Of(source)));

    public void Waits(int runs) => Interlocked.Exchange(ref waiting, runs);

    public void Dispose() => meter.Dispose();
}
