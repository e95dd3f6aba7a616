namespace Fabrik.Analysis;

/// <summary>How many durations lie where, at a quarter of a doubling each: bucket i ends at 2^((i+1)/4) seconds, the first holds all shorter ones too.</summary>
internal static class LogBuckets
{
    public const int Count = 100;
    private const int PerDoubling = 4;

    public static void Add(int[] counts, double seconds, int number = 1) =>
        counts[Math.Clamp((int)Math.Floor(Math.Log2(Math.Max(1, seconds)) * PerDoubling), 0, counts.Length - 1)] += number;

    /// <summary>The duration, in seconds, that a part of them stays below; NaN where there are none. Within a bucket they are taken to lie evenly.</summary>
    public static double Quantile(int[] counts, double part)
    {
        long total = 0, seen = 0;
        foreach (var count in counts) total += count;
        if (total <= 0) return double.NaN;
        for (var i = 0; i < counts.Length; i++)
        {
            if (counts[i] > 0 && seen + counts[i] >= part * total) return Math.Pow(2, (i + (((part * total) - seen) / counts[i])) / PerDoubling);
            seen += counts[i];
        }

        return Math.Pow(2, (double)counts.Length / PerDoubling);
    }

    /// <summary>The end of the bucket that holds the quantile.</summary>
    public static double UpperQuantile(int[] counts, double part) => Math.Pow(2, Math.Ceiling((Math.Log2(Quantile(counts, part)) * PerDoubling) - 1e-9) / PerDoubling);
}
