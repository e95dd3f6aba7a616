using Fabrik.Gateway.Metering;

namespace Fabrik.Proxy.Forwarding;

/// <summary>Takes out of an OpenAI chat stream what it has only because the gateway asked for the usage.</summary>
internal static class UsageFilter
{
    /// <summary>An event without its empty usage: into the client's memory while there is room, else into a list behind it.</summary>
    /// <param name="nullUsage">Where in the event's data the member stands, with what separates it from the one before.</param>
    public static void Write(in SseEvent read, Range? nullUsage, Span<byte> room, ref int written, ref List<byte>? more)
    {
        if (nullUsage is not { } range || read.Raw.IndexOf(read.Data) is var at && at < 0)
        {
            Append(read.Raw, room, ref written, ref more);
            return;
        }

        var (from, to) = (range.Start.Value, range.End.Value);
        // The first member takes the comma behind it along.
        if (read.Data[from - 1] == '{')
            while (to < read.Data.Length && read.Data[to - 1] != ',' && read.Data[to] != '}') to++;
        Append(read.Raw[..(at + from)], room, ref written, ref more);
        Append(read.Raw[(at + to)..], room, ref written, ref more);
    }

    private static void Append(ReadOnlySpan<byte> bytes, Span<byte> room, ref int written, ref List<byte>? more)
    {
        if (more is null && bytes.Length <= room.Length - written)
        {
            bytes.CopyTo(room[written..]);
            written += bytes.Length;
            return;
        }

        more ??= [];
        more.AddRange(bytes);
    }
}
