using System.Buffers.Binary;
using System.IO.MemoryMappedFiles;

namespace Fabrik.Proxy.Spool;

/// <summary>
/// A file of fixed length, mapped into memory: a record that is in it survives the process, and writing one waits for no disk. Each record is
/// length, checksum, kind and payload; the length is written last, so a record is there whole or not at all.
/// </summary>
internal sealed unsafe class Segment : IDisposable
{
    private const int Header = 12;
    private readonly MemoryMappedFile file;
    private readonly MemoryMappedViewAccessor view;
    private readonly byte* start;
    private readonly int capacity;
    private int written;

    private Segment(string path, MemoryMappedFile file, int capacity)
    {
        (Path, this.file, this.capacity) = (path, file, capacity);
        view = file.CreateViewAccessor(0, capacity);
        view.SafeMemoryMappedViewHandle.AcquirePointer(ref start);
    }

    public string Path { get; }

    /// <summary>Intents in it that are not settled; kept while there are any.</summary>
    public int Open { get; set; }

    /// <summary>Bytes of it that hold records.</summary>
    public int Written => Volatile.Read(ref written);

    public int Room => capacity - written;

    /// <exception cref="IOException">There is no room for it on the disk.</exception>
    public static Segment Create(string path, int capacity)
    {
        try
        {
            // The blocks are taken now: a mapped file with holes would kill the process on a full disk.
            using (var handle = File.OpenHandle(path, FileMode.CreateNew, FileAccess.ReadWrite, preallocationSize: capacity)) RandomAccess.SetLength(handle, capacity);
            return Map(path, capacity);
        }
        catch
        {
            File.Delete(path);
            throw;
        }
    }

    /// <summary>One that an earlier process left; records that were cut off, and what follows them, are not read.</summary>
    public static Segment Recover(string path)
    {
        var segment = Map(path, (int)Math.Min(new FileInfo(path).Length, int.MaxValue));
        var at = 0;
        for (var begin = at; segment.Record(ref at, segment.capacity, out var kind, out var payload) && segment.Sum(begin) == Checksum(kind, payload); begin = at) segment.written = at;
        return segment;
    }

    /// <param name="checksum">Of the same, made before: what writes wait for each other for is a copy alone.</param>
    public bool TryWrite(RecordKind kind, ReadOnlySpan<byte> payload, uint checksum)
    {
        var size = Size(payload.Length);
        if (size > Room) return false;
        var at = start + written;
        payload.CopyTo(new Span<byte>(at + Header, payload.Length));
        BinaryPrimitives.WriteUInt32LittleEndian(new Span<byte>(at + 4, 4), checksum);
        at[8] = (byte)kind;
        Volatile.Write(ref *(int*)at, payload.Length);
        Volatile.Write(ref written, written + size);
        return true;
    }

    /// <summary>The record at a place; afterwards the place is behind it.</summary>
    /// <param name="end">Bytes that hold records.</param>
    /// <returns>False at the end.</returns>
    public bool Record(ref int at, int end, out RecordKind kind, out ReadOnlySpan<byte> payload)
    {
        kind = default;
        payload = default;
        if (at + Header > end) return false;
        var length = Volatile.Read(ref *(int*)(start + at));
        if (length <= 0 || length > end - at - Header) return false;
        kind = (RecordKind)start[at + 8];
        payload = new ReadOnlySpan<byte>(start + at + Header, length);
        at += Size(length);
        return true;
    }

    /// <summary>To the disk, for the case that the machine loses power.</summary>
    public void Flush() => view.Flush();

    public void Dispose()
    {
        view.SafeMemoryMappedViewHandle.ReleasePointer();
        view.Dispose();
        file.Dispose();
    }

    private static Segment Map(string path, int capacity) => new(path, MemoryMappedFile.CreateFromFile(path, FileMode.Open, null, capacity), capacity);

    private uint Sum(int at) => BinaryPrimitives.ReadUInt32LittleEndian(new ReadOnlySpan<byte>(start + at + 4, 4));

    private static int Size(int payload) => (Header + payload + 7) & ~7;

    /// <summary>As FNV-1a, eight bytes at a time: against records cut off, not against people.</summary>
    public static uint Checksum(RecordKind kind, ReadOnlySpan<byte> payload)
    {
        const ulong prime = 1099511628211;
        var hash = (14695981039346656037 ^ (byte)kind) * prime;
        var words = System.Runtime.InteropServices.MemoryMarshal.Cast<byte, ulong>(payload);
        foreach (var word in words) hash = System.Numerics.BitOperations.RotateLeft((hash ^ word) * prime, 31);
        foreach (var one in payload[(words.Length * 8)..]) hash = (hash ^ one) * prime;
        return (uint)(hash ^ (hash >> 32));
    }
}
