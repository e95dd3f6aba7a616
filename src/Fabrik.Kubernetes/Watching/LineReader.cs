using System.Buffers;

namespace Fabrik.Kubernetes.Watching;

/// <summary>Splits a stream of bytes at newlines. Each byte is looked at once, and lines are not copied.</summary>
internal sealed class LineReader(Stream stream, int longest = LineReader.Longest) : IDisposable
{
    /// <summary>Bytes of one line; etcd holds objects of at most 1.5 MB unless it is told otherwise.</summary>
    public const int Longest = 16 << 20;
    private const int Small = 32 << 10;

    private byte[] buffer = ArrayPool<byte>.Shared.Rent(Small);
    private int start;
    private int searched;
    private int end;

    /// <summary>The next line without its newline, good until the next call; null at the end. A last line without newline was cut off and is dropped.</summary>
    public async ValueTask<ReadOnlyMemory<byte>?> ReadAsync(CancellationToken ct)
    {
        while (true)
        {
            var newline = buffer.AsSpan(searched, end - searched).IndexOf((byte)'\n');
            if (newline >= 0)
            {
                var line = buffer.AsMemory(start, searched + newline - start);
                start = searched = searched + newline + 1;
                return line;
            }

            searched = end;
            if (end - start > longest) throw new InvalidDataException($"A line of the stream is longer than {longest} bytes");
            MakeRoom();
            var read = await stream.ReadAsync(buffer.AsMemory(end), ct);
            if (read == 0) return null;
            end += read;
        }
    }

    public void Dispose()
    {
        if (buffer.Length > 0) ArrayPool<byte>.Shared.Return(buffer);
        buffer = [];
        start = searched = end = 0;
    }

    private void MakeRoom()
    {
        var kept = end - start;
        if (kept == 0 && buffer.Length > Small * 8)
        {
            // One large object must not keep its memory for the hours that follow.
            Replace(Small);
        }
        else if (kept > buffer.Length / 2)
        {
            if (end == buffer.Length) Replace(buffer.Length * 2);
        }
        else if (start > 0)
        {
            buffer.AsSpan(start, kept).CopyTo(buffer);
            (start, searched, end) = (0, kept, kept);
        }
    }

    private void Replace(int size)
    {
        var next = ArrayPool<byte>.Shared.Rent(size);
        var kept = end - start;
        buffer.AsSpan(start, kept).CopyTo(next);
        ArrayPool<byte>.Shared.Return(buffer);
        buffer = next;
        (start, searched, end) = (0, kept, kept);
    }
}
