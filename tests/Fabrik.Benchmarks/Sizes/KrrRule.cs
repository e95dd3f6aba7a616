namespace Fabrik.Benchmarks.Sizes;

/// <summary>
/// The "simple" strategy of Robusta's KRR with its defaults, from robusta-dev/krr, README.md and the help of its command: request and limit are the
/// greatest use of the last 14 days and 15 %; with --use_oomkill_data at least the greatest limit that a container was killed at and 25 %.
/// Nothing is said before 100 points of 75 seconds each, and nothing below 100 MB.
/// </summary>
internal sealed class KrrRule(bool useKills) : ISizingRule
{
    private const double Buffer = 1.15;
    private const double KillBuffer = 1.25;
    private const double PointSeconds = 75;
    private const double FewestPoints = 100;
    private const double Least = 1e8;
    private static readonly TimeSpan History = TimeSpan.FromDays(14);

    private readonly Queue<SeenRun> known = [];

    public void Take(SeenRun run)
    {
        known.Enqueue(run);
        while (known.Peek().At < run.At - History) known.Dequeue();
    }

    public long Size(long present)
    {
        if (known.Sum(run => run.Seconds) / PointSeconds < FewestPoints) return present;
        var most = known.Max(run => run.Peak) * Buffer;
        if (useKills) most = Math.Max(most, known.Max(run => run.Killed ? run.Limit : 0) * KillBuffer);
        return (long)Math.Max(Least, most);
    }
}
