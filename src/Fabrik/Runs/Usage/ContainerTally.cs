using System.Collections.Immutable;

namespace Fabrik.Runs.Usage;

/// <summary>
/// What one container in one Pod was seen to use, reading by reading. A reading that was taken in before changes nothing, and no moment is
/// counted twice, whichever sources take turns.
/// </summary>
public sealed record ContainerTally
{
    // A billion cores and a thousand PiB: whatever is above is no measurement, and sums stay far from the ends of their types.
    private const double MostMillis = 1e12;
    private const long MostBytes = 1L << 60;

    /// <summary>Shorter spans say too little to be a peak.</summary>
    private static readonly TimeSpan ShortestPeak = TimeSpan.FromSeconds(1);

    public long? PeakMemoryBytes { get; init; }
    public int Samples { get; init; }

    /// <summary>The latest sample of memory that is in <see cref="Samples"/>.</summary>
    public DateTimeOffset? SampledAt { get; init; }

    /// <summary>Core-seconds used in the <see cref="Seconds"/> that are covered.</summary>
    public double CoreSeconds { get; init; }
    public double Seconds { get; init; }
    public double? PeakMillis { get; init; }
    public ImmutableSortedDictionary<int, double> Spread { get; init; } = CpuSpread.Empty;

    /// <summary>CPU is covered up to here.</summary>
    public DateTimeOffset? Until { get; init; }

    /// <summary>The counter as last read.</summary>
    public double? Counter { get; init; }
    public DateTimeOffset? CounterAt { get; init; }

    public ContainerTally Add(ContainerReading reading)
    {
        var tally = this;
        if (reading.MemoryBytes is >= 0 and <= MostBytes and var bytes)
        {
            var news = SampledAt is null || reading.At > SampledAt;
            tally = tally with { PeakMemoryBytes = Math.Max(bytes, PeakMemoryBytes ?? 0), Samples = Samples + (news ? 1 : 0), SampledAt = news ? reading.At : SampledAt };
        }

        if (reading.CpuCounter is { } counter) return tally.AddCounter(counter, reading.At, reading.Since);
        return reading is { CpuMillis: { } millis, Window.Ticks: > 0 } ? tally.AddMean(reading.At - Within(reading.At, reading.Window), reading.At, millis) : tally;
    }

    /// <summary>The same container in two Pods.</summary>
    public static ContainerTally Merge(ContainerTally a, ContainerTally b) => new()
    {
        PeakMemoryBytes = a.PeakMemoryBytes is null || b.PeakMemoryBytes > a.PeakMemoryBytes ? b.PeakMemoryBytes ?? a.PeakMemoryBytes : a.PeakMemoryBytes,
        Samples = (int)Math.Min((long)a.Samples + b.Samples, int.MaxValue),
        CoreSeconds = a.CoreSeconds + b.CoreSeconds,
        Seconds = a.Seconds + b.Seconds,
        PeakMillis = a.PeakMillis is null || b.PeakMillis > a.PeakMillis ? b.PeakMillis ?? a.PeakMillis : a.PeakMillis,
        Spread = CpuSpread.Merge(a.Spread, b.Spread),
    };

    private ContainerTally AddCounter(double counter, DateTimeOffset at, DateTimeOffset? since)
    {
        if (!double.IsFinite(counter) || counter < 0 || CounterAt >= at) return this;
        var next = this with { Counter = counter, CounterAt = at };
        if (CounterAt is { } before && counter >= Counter && !(since > before)) return next.AddMean(before, at, Millis(counter - Counter.Value, at - before));

        // A new instance of the container, or the first one that is met: all it used, it used since it was started.
        var from = since < at ? since : CounterAt;
        return from is { } start ? next.AddMean(start, at, Millis(counter, at - start)) : next;
    }

    private ContainerTally AddMean(DateTimeOffset from, DateTimeOffset to, double millis)
    {
        if (!(millis >= 0 && millis <= MostMillis)) return this;
        var start = Until > from ? Until.Value : from;
        if (start >= to) return this;
        var seconds = (to - start).TotalSeconds;
        return this with
        {
            CoreSeconds = CoreSeconds + (millis / 1000 * seconds),
            Seconds = Seconds + seconds,
            PeakMillis = to - from < ShortestPeak || PeakMillis >= millis ? PeakMillis : millis,
            Spread = CpuSpread.Add(Spread, millis, seconds),
            Until = to,
        };
    }

    private static double Millis(double coreSeconds, TimeSpan time) => coreSeconds * 1000 / time.TotalSeconds;

    private static TimeSpan Within(DateTimeOffset at, TimeSpan window) => window < at - DateTimeOffset.UnixEpoch ? window : TimeSpan.Zero;
}
