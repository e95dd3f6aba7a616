using System.Diagnostics.Metrics;

namespace Fabrik.Metrics;

/// <summary>The series of one instrument. Recording takes no lock and, after the first time for a set of labels, no memory.</summary>
internal sealed class InstrumentState(Instrument instrument, MetricType type, double[] bounds)
{
    /// <summary>Labels come from code, not from callers; this bound catches a mistake before it costs memory.</summary>
    private const int MaximumSeries = 100;

    /// <summary>What is recorded is the level itself, not a step.</summary>
    private readonly bool absolute = instrument is { IsObservable: true } or Gauge<long> or Gauge<int> or Gauge<double>;
    private readonly Lock adding = new();
    private volatile Series[] series = [];

    public MetricType Type => type;

    public Instrument Instrument => instrument;

    public void Record(double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var found = Find(series, tags) ?? Add(tags);
        switch (type)
        {
            case MetricType.Histogram:
                found.Observe(value, bounds);
                break;
            case var _ when absolute:
                found.Set(value);
                break;
            default:
                found.Add(value);
                break;
        }
    }

    /// <summary>Before observable instruments are asked: what they no longer report must not stand there for ever.</summary>
    public void Forget() => series = [];

    public MetricFamily Snapshot(string name, string unit) =>
        new(name, type, unit, instrument.Description ?? "", [.. series.Select(one => one.Snapshot(type == MetricType.Histogram ? bounds : null))]);

    private static Series? Find(Series[] all, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        foreach (var one in all)
        {
            if (one.Is(tags)) return one;
        }

        return null;
    }

    private Series Add(ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        lock (adding)
        {
            var all = series;
            if (Find(all, tags) is { } known) return known;
            var full = all.Length >= MaximumSeries;
            if (full && all[^1].IsOverflow) return all[^1];
            var added = new Series(full ? [new KeyValuePair<string, object?>("overflow", "true")] : tags.ToArray(), full, bounds.Length + 1);
            series = [.. all, added];
            return added;
        }
    }

    private sealed class Series(KeyValuePair<string, object?>[] tags, bool overflow, int buckets)
    {
        private readonly long[] counts = new long[buckets];
        private double value;

        public bool IsOverflow => overflow;

        public bool Is(ReadOnlySpan<KeyValuePair<string, object?>> others)
        {
            if (others.Length != tags.Length) return false;
            for (var i = 0; i < tags.Length; i++)
            {
                var (mine, other) = (tags[i], others[i]);
                if (!string.Equals(mine.Key, other.Key, StringComparison.Ordinal) || !Equals(mine.Value, other.Value)) return false;
            }

            return true;
        }

        public void Set(double to) => Volatile.Write(ref value, to);

        public void Add(double by)
        {
            double seen, now = Volatile.Read(ref value);
            do
            {
                seen = now;
                now = Interlocked.CompareExchange(ref value, seen + by, seen);
            }
            while (!now.Equals(seen));
        }

        public void Observe(double observed, double[] bounds)
        {
            var i = 0;
            while (i < bounds.Length && observed > bounds[i]) i++;
            Interlocked.Increment(ref counts[i]);
            Add(observed);
        }

        public MetricPoint Snapshot(double[]? bounds)
        {
            var labels = tags.Select(tag => KeyValuePair.Create(MetricNames.Label(tag.Key), tag.Value?.ToString() ?? "")).ToArray();
            var point = new MetricPoint(labels, Volatile.Read(ref value));
            if (bounds is null) return point;
            var sum = 0L;
            var cumulative = new (double, long)[counts.Length];
            for (var i = 0; i < counts.Length; i++)
            {
                sum += Volatile.Read(ref counts[i]);
                cumulative[i] = (i < bounds.Length ? bounds[i] : double.PositiveInfinity, sum);
            }

            return point with { Buckets = cumulative };
        }
    }
}
