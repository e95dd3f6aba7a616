namespace Fabrik.Proxy.Spool;

/// <summary>Settlements on their way to the API, as the JSON array that it takes in; its memory is used again for the next.</summary>
public sealed class SpoolBatch
{
    private readonly List<Range> events = [];
    private byte[] array = new byte[64 << 10];

    public int Count => events.Count;

    /// <summary>Of all events together.</summary>
    public int Bytes { get; private set; }

    /// <summary>One event, as JSON.</summary>
    public ReadOnlyMemory<byte> this[int index] => array.AsMemory(events[index]);

    /// <summary>All events as one array of JSON; valid until the next batch.</summary>
    public ReadOnlyMemory<byte> Whole()
    {
        array[0] = (byte)'[';
        array[events[^1].End] = (byte)']';
        return array.AsMemory(..(events[^1].End.Value + 1));
    }

    /// <summary>Some of them, which are copied.</summary>
    public ReadOnlyMemory<byte> Part(int from, int count)
    {
        var some = array.AsSpan(events[from].Start..events[from + count - 1].End);
        return (byte[])[(byte)'[', .. some, (byte)']'];
    }

    internal void Add(ReadOnlySpan<byte> json)
    {
        var start = events.Count == 0 ? 1 : events[^1].End.Value + 1;
        var end = start + json.Length;
        if (end >= array.Length) System.Array.Resize(ref array, Math.Max(end + 1, array.Length * 2));
        json.CopyTo(array.AsSpan(start));
        array[start - 1] = (byte)',';
        events.Add(start..end);
        Bytes += json.Length;
    }

    internal void Clear()
    {
        events.Clear();
        Bytes = 0;
    }
}
