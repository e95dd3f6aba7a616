namespace Fabrik.Runs;

/// <summary>The memory a run needed, in bytes.</summary>
/// <param name="AtLeast">True where it was killed for memory: it needed this much or more, how much nobody knows. Such a value is censored, not a measurement.</param>
public sealed record MemoryNeed(long Bytes, bool AtLeast)
{
    /// <returns>Null where nothing is known.</returns>
    public static MemoryNeed? Of(Run run)
    {
        var peak = run.Usage?.PeakMemoryBytes;
        if (!run.OomKilled) return peak is { } sampled ? new MemoryNeed(sampled, false) : null;

        // The last moment before the kill is rarely sampled: the limit itself is the better bound.
        return run.Applied.MemoryLimitBytes is { } limit ? new MemoryNeed(Math.Max(limit, peak ?? 0), true)
            : peak is { } bytes ? new MemoryNeed(bytes, true)
            : null;
    }
}
