using System.Collections.Immutable;

namespace Fabrik.Runs.Usage;

/// <summary>Seconds spent at each level of CPU use. Levels are 5 % apart, so that any run fits into a few of them and two can be added.</summary>
public static class CpuSpread
{
    private const double Step = 1.05;

    public static ImmutableSortedDictionary<int, double> Empty { get; } = ImmutableSortedDictionary<int, double>.Empty;

    public static ImmutableSortedDictionary<int, double> Add(ImmutableSortedDictionary<int, double> spread, double millis, double seconds)
    {
        var level = millis <= 1 ? 0 : (int)Math.Ceiling(Math.Log(millis) / Math.Log(Step));
        return spread.SetItem(level, spread.GetValueOrDefault(level) + seconds);
    }

    public static ImmutableSortedDictionary<int, double> Merge(ImmutableSortedDictionary<int, double> a, ImmutableSortedDictionary<int, double> b)
    {
        foreach (var (level, seconds) in b) a = a.SetItem(level, a.GetValueOrDefault(level) + seconds);
        return a;
    }

    /// <summary>The thousandths of a core that were enough for this part of the time, rounded up to their level.</summary>
    /// <param name="part">0 to 1.</param>
    public static double? Quantile(ImmutableSortedDictionary<int, double> spread, double part)
    {
        if (spread.IsEmpty) return null;
        var left = spread.Values.Sum() * part;
        foreach (var (level, seconds) in spread)
        {
            left -= seconds;

            // The sums of fractions of seconds are not exact.
            if (left <= 1e-9) return Math.Pow(Step, level);
        }

        return Math.Pow(Step, spread.Keys.Last());
    }
}
