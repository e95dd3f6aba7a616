namespace Fabrik.Benchmarks.Sizes;

/// <summary>
/// The recommender of the Vertical Pod Autoscaler with its defaults, from kubernetes/autoscaler, vertical-pod-autoscaler/docs/flags.md: one peak
/// per container and day, which loses half its weight in 24 hours, in buckets that grow by 5 %; the target is their 90th percentile and 15 %; a
/// container that was killed counts as a peak of 1.2 times what it had or 100 MiB more; never below 250 MiB. docs/features.md: the limit keeps
/// its ratio to the request. docs/components.md: a new Pod gets the target; a running one is evicted only where it is outside the bounds.
/// Those are the 50th percentile and 15 %, times (1 + 0.001 / days)^-2, and the 95th and 15 %, times (1 + 1 / days).
/// </summary>
/// <param name="withinBounds">Leaves a size that is within the bounds as it is, as the updater does, rather than follow the target at every Pod.</param>
internal sealed class VpaRule(bool withinBounds) : ISizingRule
{
    private const double FirstBucket = 1e7;
    private const double Growth = 0.05;
    private const double Margin = 1.15;
    private const double Least = 250L << 20;
    private const double BumpRatio = 1.2;
    private const double LeastBump = 100L << 20;

    private readonly SortedDictionary<int, double> weights = [];
    private DateTimeOffset? first;
    private DateTimeOffset last;
    private double minutes;

    public void Take(SeenRun run)
    {
        first ??= run.At;
        last = run.At;
        minutes += run.Seconds / 60;
        var peak = run.Killed ? Math.Max(run.Limit * BumpRatio, run.Limit + LeastBump) : run.Peak;
        var bucket = peak < FirstBucket ? 0 : (int)Math.Floor(Math.Log((peak / FirstBucket * Growth) + 1, 1 + Growth));

        // Rather than let the old ones lose weight, the new ones gain: a year is 2^365, well within a double.
        weights[bucket] = weights.GetValueOrDefault(bucket) + Math.Pow(2, (run.At - first.Value).TotalDays);
    }

    public long Size(long present)
    {
        if (first is null) return present;

        // Confidence is in days: of history, but no more than days of samples, one of which is taken a minute.
        var days = Math.Min((last - first.Value).TotalDays, minutes / (24 * 60));
        var low = Math.Max(Least, Percentile(0.5) * Margin) * Math.Pow(1 + (0.001 / days), -2);
        var high = Math.Max(Least, Percentile(0.95) * Margin) * (1 + (1 / days));
        return withinBounds && present >= low && present <= high ? present : (long)Math.Max(Least, Percentile(0.9) * Margin);
    }

    /// <summary>The upper end of the bucket.</summary>
    private double Percentile(double part)
    {
        var (all, seen) = (weights.Values.Sum(), 0.0);
        foreach (var (bucket, weight) in weights)
        {
            seen += weight;
            if (seen >= part * all) return End(bucket);
        }

        return End(weights.Keys.Last());
    }

    /// <summary>Each bucket is wider by 5 % than the one before, so their ends are a geometric sum.</summary>
    private static double End(int bucket) => FirstBucket * (Math.Pow(1 + Growth, bucket + 1) - 1) / Growth;
}
