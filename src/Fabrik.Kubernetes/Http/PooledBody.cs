using System.Buffers;

namespace Fabrik.Kubernetes.Http;

/// <summary>A whole body in borrowed memory; gone with Dispose.</summary>
internal sealed class PooledBody : IDisposable
{
    private byte[] buffer = ArrayPool<byte>.Shared.Rent(16 << 10);
    private int length;

    public ReadOnlyMemory<byte> Memory => buffer.AsMemory(0, length);

    /// <summary>Null when there is more than the limit (bytes). With cut, the rest is left instead.</summary>
    public static async Task<PooledBody?> ReadAsync(HttpContent content, int limit, bool cut, CancellationToken ct)
    {
        var body = new PooledBody();
        try
        {
            await using var stream = await content.ReadAsStreamAsync(ct);
            while (true)
            {
                if (body.length == body.buffer.Length) body.Grow();
                var read = await stream.ReadAsync(body.buffer.AsMemory(body.length), ct);
                body.length += read;
                if (read == 0) return body;
                if (body.length <= limit) continue;
                body.length = limit;
                if (cut) return body;
                body.Dispose();
                return null;
            }
        }
        catch
        {
            body.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        if (buffer.Length > 0) ArrayPool<byte>.Shared.Return(buffer);
        buffer = [];
        length = 0;
    }

    private void Grow()
    {
        var larger = ArrayPool<byte>.Shared.Rent(buffer.Length * 2);
        buffer.AsSpan(0, length).CopyTo(larger);
        ArrayPool<byte>.Shared.Return(buffer);
        buffer = larger;
    }
}
