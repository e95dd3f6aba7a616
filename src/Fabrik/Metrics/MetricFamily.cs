namespace Fabrik.Metrics;

public enum MetricType
{
    Counter,
    Gauge,
    Histogram,
}

/// <summary>One metric as it is exposed. Name has no _total; a unit, where there is one, ends the name.</summary>
public sealed record MetricFamily(string Name, MetricType Type, string Unit, string Help, IReadOnlyList<MetricPoint> Points);

/// <summary>One series. Value is the count of a counter, the level of a gauge, the sum of a histogram.</summary>
public sealed record MetricPoint(IReadOnlyList<KeyValuePair<string, string>> Labels, double Value)
{
    /// <summary>Upper bounds and how many observations were at or below each, the last for everything; null unless a histogram.</summary>
    public IReadOnlyList<(double Bound, long Count)>? Buckets { get; init; }
}
