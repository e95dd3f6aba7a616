using System.Buffers;

namespace Fabrik.Proxy.Calls;

internal static class RequestBody
{
    /// <summary>
    /// A body as a whole. Its memory is never given back to a pool: an attempt that was cancelled may go on reading it for a moment, and must
    /// not send another call's text.
    /// </summary>
    /// <returns>Null where it is longer than allowed.</returns>
    /// <exception cref="IOException">The client broke off.</exception>
    public static async ValueTask<byte[]?> ReadAsync(HttpRequest request, int most, CancellationToken ct)
    {
        if (request.ContentLength > most) return null;
        if (request.ContentLength is { } length)
        {
            var whole = GC.AllocateUninitializedArray<byte>((int)length);
            await request.Body.ReadExactlyAsync(whole, ct);
            return whole;
        }

        var (buffer, used) = (ArrayPool<byte>.Shared.Rent(16 << 10), 0);
        try
        {
            for (int read; (read = await request.Body.ReadAsync(buffer.AsMemory(used), ct)) > 0;)
            {
                used += read;
                if (used > most) return null;
                if (used < buffer.Length) continue;
                var larger = ArrayPool<byte>.Shared.Rent(buffer.Length * 2);
                buffer.AsSpan(0, used).CopyTo(larger);
                ArrayPool<byte>.Shared.Return(buffer);
                buffer = larger;
            }

            return buffer.AsSpan(0, used).ToArray();
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
