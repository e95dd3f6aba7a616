using System.Collections.Concurrent;

namespace Fabrik.Webhook.Reviews;

/// <summary>Says whether a thing of one kind may be logged now: once a minute, with the number of those that were not. Kinds are closed sets.</summary>
internal sealed class Occasionally(TimeProvider clock)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMinutes(1);
    private readonly ConcurrentDictionary<object, Kind> kinds = new();

    public bool May(object kind, out int before)
    {
        var one = kinds.GetOrAdd(kind, static _ => new Kind());
        lock (one)
        {
            before = one.Silent;
            if (one.Last is { } last && clock.GetElapsedTime(last) < Pause)
            {
                one.Silent++;
                return false;
            }

            (one.Last, one.Silent) = (clock.GetTimestamp(), 0);
            return true;
        }
    }

    private sealed class Kind
    {
        public long? Last { get; set; }
        public int Silent { get; set; }
    }
}
