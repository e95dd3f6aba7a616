using System.Buffers;

namespace Fabrik.Proxy.Calls;

/// <summary>Bodies of requests and answers, as a whole and never longer than allowed.</summary>
internal static class Bodies
{
    private const int FirstBytes = 16 << 10;

    /// <summary>
    /// The memory is never given back to a pool: an attempt that was cancelled may go on reading it for a moment, and must not send another
    /// call's text.
    /// </summary>
    /// <param name="length">As the sender announced it; null where it did not.</param>
    /// <returns>What was read, and whether that is all; else it is somewhat longer than allowed.</returns>
    /// <exception cref="IOException">The sender broke off.</exception>
    public static async ValueTask<(byte[] Read, bool IsWhole)> ReadAsync(Stream source, long? length, int most, CancellationToken ct)
    {
        if (length <= most)
        {
            var whole = length == 0 ? [] : GC.AllocateUninitializedArray<byte>((int)length);
            await source.ReadExactlyAsync(whole, ct);
            return (whole, true);
        }

        var (buffer, used) = (ArrayPool<byte>.Shared.Rent(FirstBytes), 0);
        try
        {
            for (int read; (read = await source.ReadAsync(buffer.AsMemory(used), ct)) > 0;)
            {
                used += read;
                if (used > most) return (buffer.AsSpan(0, used).ToArray(), false);
                if (used < buffer.Length) continue;
                var larger = ArrayPool<byte>.Shared.Rent(buffer.Length * 2);
                buffer.AsSpan(0, used).CopyTo(larger);
                ArrayPool<byte>.Shared.Return(buffer);
                buffer = larger;
            }

            return (buffer.AsSpan(0, used).ToArray(), true);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
