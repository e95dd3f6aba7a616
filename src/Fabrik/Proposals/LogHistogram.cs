using System.Text.Json.Serialization;

namespace Fabrik.Proposals;

/// <summary>How many amounts lie where, at a 64th of a doubling (1.1 %) each: bucket i begins at 2^(i/64). Only what is not empty is kept.</summary>
public sealed class LogHistogram
{
    private const int PerDoubling = 64;

    public SortedDictionary<int, int> Counts { get; init; } = [];

    public static int BucketOf(double amount) => (int)Math.Floor(Math.Log2(Math.Max(1, amount)) * PerDoubling);

    public static double UpperEnd(int bucket) => Math.Pow(2, (bucket + 1.0) / PerDoubling);

    /// <summary>In the middle of the bucket, as a logarithm to base e.</summary>
    public static double MiddleLog(int bucket) => (bucket + 0.5) / PerDoubling * Math.Log(2);

    /// <summary>Where it begins, likewise: limits mostly are powers of two, which stand exactly there.</summary>
    public static double EdgeLog(int bucket) => bucket / (double)PerDoubling * Math.Log(2);

    [JsonIgnore]
    public long Total => Counts.Values.Sum(count => (long)count);

    public void Add(double amount, int number = 1)
    {
        var bucket = BucketOf(amount);
        Counts[bucket] = Counts.GetValueOrDefault(bucket) + number;
    }

    public void Add(LogHistogram other)
    {
        foreach (var (bucket, count) in other.Counts) Counts[bucket] = Counts.GetValueOrDefault(bucket) + count;
    }

    /// <summary>An amount that a part of them stays at or below: the end of its bucket, so never too small. Null where there are none.</summary>
    public double? Quantile(double part)
    {
        var (total, seen) = (Total, 0L);
        if (total == 0) return null;
        foreach (var (bucket, count) in Counts)
        {
            seen += count;
            if (seen >= part * total) return UpperEnd(bucket);
        }

        return UpperEnd(Counts.Keys.Last());
    }
}
