using System.Buffers;

namespace Fabrik.Admission;

/// <summary>A growing buffer from the shared pool; what was written is gone once it is disposed.</summary>
public sealed class PooledBuffer(int capacity = 4096) : IBufferWriter<byte>, IDisposable
{
    private byte[] rented = ArrayPool<byte>.Shared.Rent(capacity);
    private int length;

    public ReadOnlyMemory<byte> Written => rented.AsMemory(0, length);

    public void Clear() => length = 0;

    public void Truncate(int to) => length = to;

    public void Advance(int count) => length += count;

    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        Reserve(sizeHint);
        return rented.AsMemory(length);
    }

    public Span<byte> GetSpan(int sizeHint = 0)
    {
        Reserve(sizeHint);
        return rented.AsSpan(length);
    }

    public void Add(ReadOnlySpan<byte> bytes)
    {
        Reserve(bytes.Length);
        bytes.CopyTo(rented.AsSpan(length));
        length += bytes.Length;
    }

    public void Add(byte one)
    {
        Reserve(1);
        rented[length++] = one;
    }

    public void Dispose()
    {
        var returned = rented;
        rented = [];
        length = 0;
        if (returned.Length > 0) ArrayPool<byte>.Shared.Return(returned);
    }

    private void Reserve(int count)
    {
        count = Math.Max(count, 256);
        if (rented.Length - length >= count) return;
        var larger = ArrayPool<byte>.Shared.Rent(Math.Max(rented.Length * 2, length + count));
        rented.AsSpan(0, length).CopyTo(larger);
        ArrayPool<byte>.Shared.Return(rented);
        rented = larger;
    }
}
