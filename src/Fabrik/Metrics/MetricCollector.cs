using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace Fabrik.Metrics;

/// <summary>Listens to the meters it is meant for and shows their instruments as metric families. One per process part.</summary>
public sealed class MetricCollector : IDisposable
{
    /// <summary>Seconds; for histograms that give no buckets of their own.</summary>
    private static readonly double[] DefaultBounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

    private readonly MeterListener listener = new();
    private readonly ConcurrentDictionary<Instrument, InstrumentState> instruments = new();
    private readonly Lock collecting = new();

    /// <param name="include">Which meters count. Compare by reference where one process may hold the same part twice.</param>
    public MetricCollector(Predicate<Meter> include)
    {
        listener.InstrumentPublished = (instrument, listening) =>
        {
            if (include(instrument.Meter) && State(instrument) is { } state) listening.EnableMeasurementEvents(instrument, instruments.GetOrAdd(instrument, state));
        };
        listener.SetMeasurementEventCallback<long>(static (_, value, tags, state) => ((InstrumentState)state!).Record(value, tags));
        listener.SetMeasurementEventCallback<int>(static (_, value, tags, state) => ((InstrumentState)state!).Record(value, tags));
        listener.SetMeasurementEventCallback<double>(static (_, value, tags, state) => ((InstrumentState)state!).Record(value, tags));
        listener.Start();
    }

    /// <summary>Meters of the runtime itself: memory, garbage collection, threads, CPU.</summary>
    public static bool IsRuntime(Meter meter) => meter.Name == "System.Runtime";

    /// <summary>In order of name, each name once.</summary>
    public IReadOnlyList<MetricFamily> Collect()
    {
        lock (collecting)
        {
            foreach (var state in instruments.Values)
            {
                if (state.Instrument.IsObservable) state.Forget();
            }

            listener.RecordObservableInstruments();
            return [.. instruments.Values.Select(Family).Where(family => family.Points.Count > 0).DistinctBy(family => family.Name).OrderBy(family => family.Name, StringComparer.Ordinal)];
        }
    }

    public void Dispose() => listener.Dispose();

    private static MetricFamily Family(InstrumentState state)
    {
        var unit = MetricNames.Unit(state.Instrument.Unit);
        return state.Snapshot(MetricNames.Family(state.Instrument.Name, unit), unit);
    }

    private static InstrumentState? State(Instrument instrument) => instrument switch
    {
        Counter<long> or Counter<int> or Counter<double> or ObservableCounter<long> or ObservableCounter<int> or ObservableCounter<double> => new InstrumentState(instrument, MetricType.Counter, []),
        Histogram<double> histogram => new InstrumentState(instrument, MetricType.Histogram, Bounds(histogram.Advice)),
        Histogram<long> histogram => new InstrumentState(instrument, MetricType.Histogram, Bounds(histogram.Advice)),
        Histogram<int> histogram => new InstrumentState(instrument, MetricType.Histogram, Bounds(histogram.Advice)),
        Instrument<long> or Instrument<int> or Instrument<double> or ObservableInstrument<long> or ObservableInstrument<int> or ObservableInstrument<double> => new InstrumentState(instrument, MetricType.Gauge, []),
        _ => null,
    };

    private static double[] Bounds<T>(InstrumentAdvice<T>? advice) where T : struct =>
        advice?.HistogramBucketBoundaries is { Count: > 0 } given ? [.. given.Select(bound => Convert.ToDouble(bound, null))] : DefaultBounds;
}
