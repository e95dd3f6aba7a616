namespace Fabrik.Benchmarks.Sizes;

/// <summary>What can be known of a run that has ended: of one that was killed, only that it needed its limit at least.</summary>
/// <param name="Limit">Bytes, and what was reserved.</param>
/// <param name="Peak">Bytes; the limit where it was killed.</param>
internal readonly record struct SeenRun(int Number, DateTimeOffset At, double Seconds, long Limit, long Peak, bool Killed);

/// <summary>From runs that have ended to the size of the next ones: each rule is made anew for each world.</summary>
internal interface ISizingRule
{
    void Take(SeenRun run);

    /// <returns>Bytes; the present size where the rule has nothing to say.</returns>
    long Size(long present);
}
