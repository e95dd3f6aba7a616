using System.Text.Json.Serialization;

namespace Fabrik.Analysis;

/// <summary>A run that has not been released yet.</summary>
/// <param name="Created">Milliseconds since 1970, UTC.</param>
/// <param name="Seq">Breaks ties.</param>
public sealed record WaitingRun(long Created, long Seq, bool IsTreated, bool HasEnded, bool Succeeded, bool IsOomFree);

/// <summary>
/// The runs of one stratum in the order of their creation. An outcome is released only when it and all earlier ones are known or overdue, so
/// that failures, which are fast, are not seen first. Released runs fill a block; nothing is kept of runs in finished blocks.
/// </summary>
public sealed class StratumQueue
{
    /// <summary>Durations before the stratum's own are believed.</summary>
    private const int EnoughDurations = 20;

    /// <summary>How long a run may keep later ones waiting at most.</summary>
    public static readonly TimeSpan LongestWait = TimeSpan.FromHours(24);

    /// <summary>By creation, then number.</summary>
    public List<WaitingRun> Waiting { get; init; } = [];

    /// <summary>The last one released: what is not after it has been counted, or came too late to be.</summary>
    public long ReleasedCreated { get; set; } = long.MinValue;
    public long ReleasedSeq { get; set; }

    /// <summary>The block that is being filled, by success and by out-of-memory kills.</summary>
    public Block Success { get; set; }
    public Block OomFree { get; set; }

    /// <summary>Units at which the block is full; 0 before its first.</summary>
    public int Size { get; set; }

    /// <summary>Runs that were released as overdue and have not ended since, by number.</summary>
    public List<long> Overdue { get; set; } = [];

    /// <summary>How many runs took how long: see <see cref="LogBuckets"/>.</summary>
    public int[] Durations { get; set; } = new int[LogBuckets.Count];

    /// <summary>Until when an outcome is waited for: three times the duration that 99 of 100 runs of the stratum stay below, at most a day.</summary>
    [JsonIgnore]
    public TimeSpan Patience => Durations.Sum() < EnoughDurations ? LongestWait : TimeSpan.FromSeconds(Math.Min(LongestWait.TotalSeconds, 3 * LogBuckets.UpperQuantile(Durations, 0.99)));

    public bool IsReleased(long created, long seq) => created < ReleasedCreated || (created == ReleasedCreated && seq <= ReleasedSeq);

    /// <returns>The run as it waits, or null.</returns>
    public WaitingRun? Known(long created, long seq) => Find(created, seq) is var at and >= 0 ? Waiting[at] : null;

    /// <returns>The run as it had been waiting, or null where it is new.</returns>
    public WaitingRun? Put(WaitingRun run)
    {
        var at = Find(run.Created, run.Seq);
        if (at < 0)
        {
            Waiting.Insert(~at, run);
            return null;
        }

        var before = Waiting[at];
        Waiting[at] = run;
        return before;
    }

    /// <returns>The run that had been waiting, or null.</returns>
    public WaitingRun? Remove(long created, long seq)
    {
        var at = Find(created, seq);
        if (at < 0) return null;
        var run = Waiting[at];
        Waiting.RemoveAt(at);
        return run;
    }

    private int Find(long created, long seq)
    {
        var (low, high) = (0, Waiting.Count - 1);
        while (low <= high)
        {
            var middle = (low + high) / 2;
            var order = (Waiting[middle].Created, Waiting[middle].Seq).CompareTo((created, seq));
            if (order == 0) return middle;
            if (order < 0) low = middle + 1;
            else high = middle - 1;
        }

        return ~low;
    }
}
