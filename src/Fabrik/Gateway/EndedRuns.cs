using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;

namespace Fabrik.Gateway;

/// <summary>
/// Runs that are known to have ended, as a gateway holds them: what is not here lives. Each until its token has expired anyway. Any number of threads
/// may ask, one takes in.
/// </summary>
public sealed class EndedRuns(int capacity = EndedRuns.DefaultCapacity)
{
    /// <summary>About 64 MiB: 33,000 runs a day.</summary>
    public const int DefaultCapacity = 1_000_000;

    private const int UsualId = 64;

    /// <summary>By a hash that nobody can find a second id for; hours since 1970 when it need not be known any more.</summary>
    private readonly ConcurrentDictionary<UInt128, int> hours = new();

    public int Count => hours.Count;

    public bool Has(string runId) => hours.ContainsKey(KeyOf(runId));

    /// <returns>How many were dropped for want of room, although their tokens are valid: those that expire first.</returns>
    public int Take(IReadOnlyList<RunEnd> ends, DateTimeOffset now)
    {
        foreach (var end in ends)
        {
            if (end.Ended && end.ExpiresAt > now) hours[KeyOf(end.RunId)] = (int)Math.Min(int.MaxValue, Math.Ceiling((end.ExpiresAt - DateTimeOffset.UnixEpoch).TotalHours));
            else hours.TryRemove(KeyOf(end.RunId), out _);
        }

        return hours.Count > capacity ? Shrink(now) : 0;
    }

    /// <summary>Forgets those whose tokens have expired.</summary>
    public void Forget(DateTimeOffset now)
    {
        var hour = (now - DateTimeOffset.UnixEpoch).TotalHours;
        foreach (var (key, until) in hours)
            if (until <= hour) hours.TryRemove(key, out _);
    }

    /// <summary>To nine tenths, so that it is not done again with the next one.</summary>
    private int Shrink(DateTimeOffset now)
    {
        Forget(now);
        if (hours.Count <= capacity) return 0;
        var dropped = 0;
        foreach (var (key, _) in hours.ToArray().OrderBy(one => one.Value).Take(hours.Count - (capacity / 10 * 9)))
            if (hours.TryRemove(key, out _)) dropped++;
        return dropped;
    }

    private static UInt128 KeyOf(string runId)
    {
        Span<byte> text = runId.Length <= UsualId ? stackalloc byte[UsualId * 3] : new byte[Encoding.UTF8.GetMaxByteCount(runId.Length)];
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(text[..Encoding.UTF8.GetBytes(runId, text)], hash);
        return BinaryPrimitives.ReadUInt128BigEndian(hash);
    }
}
