using System.Buffers;

namespace Fabrik.Gateway.Metering;

/// <summary>One event of a stream, in the framer's or the caller's memory: valid until the framer is asked again.</summary>
public readonly ref struct SseEvent
{
    /// <summary>As it came, the blank line too.</summary>
    public ReadOnlySpan<byte> Raw { get; init; }

    /// <summary>Empty where it has none.</summary>
    public ReadOnlySpan<byte> Name { get; init; }

    /// <summary>Of several data lines, with line feeds between.</summary>
    public ReadOnlySpan<byte> Data { get; init; }
}

/// <summary>
/// Cuts server-sent events out of bytes as they arrive, wherever they are split. An event that is whole in what arrives is read in place;
/// only the beginning of an unfinished one is kept.
/// </summary>
public sealed class SseFramer : IDisposable
{
    /// <summary>Bytes of one event; a longer one is passed on unread.</summary>
    public const int Longest = 16 << 20;

    private byte[]? kept;
    private byte[]? joined;
    private int length;

    /// <summary>Whether an event was too long to be read.</summary>
    public bool Overflowed { get; private set; }

    /// <summary>The beginning of an event that has not ended.</summary>
    public ReadOnlySpan<byte> Unfinished => kept is null ? default : kept.AsSpan(0, length);

    /// <param name="input">What has arrived; what is left of it afterwards is for the next call. Empty when false.</param>
    public bool TryRead(ref ReadOnlySpan<byte> input, out SseEvent read)
    {
        read = default;
        if (length == 0)
        {
            if (kept is not null) Return();
            var end = End(input, 0);
            if (end > 0)
            {
                read = Parse(input[..end]);
                input = input[end..];
                return true;
            }

            Keep(input);
            input = default;
            return false;
        }

        var from = Math.Max(0, length - 2);
        var before = length;
        Keep(input);
        if (length == 0)
        {
            input = default;
            return false;
        }

        var found = End(kept.AsSpan(0, length), from);
        if (found <= 0)
        {
            input = default;
            return false;
        }

        input = input[(found - before)..];
        length = 0;
        read = Parse(kept.AsSpan(0, found));
        return true;
    }

    public void Dispose()
    {
        Return();
        if (joined is not null) ArrayPool<byte>.Shared.Return(joined);
        joined = null;
        length = 0;
    }

    /// <summary>Where the first event ends, behind its blank line; 0 where it does not. A line may end with CR, LF or both.</summary>
    private static int End(ReadOnlySpan<byte> bytes, int from)
    {
        for (var at = from; ;)
        {
            var found = bytes[at..].IndexOfAny((byte)'\n', (byte)'\r');
            if (found < 0) return 0;
            var next = at + found + 1;
            if (bytes[next - 1] == '\r' && next < bytes.Length && bytes[next] == '\n') next++;
            if (at + found == 0) return next; // a blank line alone
            if (next >= bytes.Length) return 0;
            if (bytes[next] == '\n') return next + 1;
            if (bytes[next] == '\r') return next + 1 < bytes.Length && bytes[next + 1] == '\n' ? next + 2 : next + 1;
            at = next;
        }
    }

    private SseEvent Parse(ReadOnlySpan<byte> raw)
    {
        ReadOnlySpan<byte> name = default, data = default;
        var (lines, total) = (0, 0);
        for (var rest = raw; rest.Length > 0;)
        {
            var end = rest.IndexOfAny((byte)'\n', (byte)'\r');
            var line = end < 0 ? rest : rest[..end];
            rest = end < 0 ? default : rest[(end + 1)..];
            if (line.StartsWith("data:"u8))
            {
                var value = Value(line[5..]);
                if (lines++ == 0) data = value;
                else total = Join(data, value, lines == 2 ? null : total);
            }
            else if (line.StartsWith("event:"u8)) name = Value(line[6..]);
        }

        return new SseEvent { Raw = raw, Name = name, Data = lines > 1 ? joined.AsSpan(0, total) : data };
    }

    private static ReadOnlySpan<byte> Value(ReadOnlySpan<byte> text) => text.Length > 0 && text[0] == ' ' ? text[1..] : text;

    private int Join(ReadOnlySpan<byte> first, ReadOnlySpan<byte> more, int? soFar)
    {
        var at = soFar ?? first.Length;
        Grow(ref joined, soFar ?? 0, at + 1 + more.Length);
        if (soFar is null) first.CopyTo(joined);
        joined![at] = (byte)'\n';
        more.CopyTo(joined.AsSpan(at + 1));
        return at + 1 + more.Length;
    }

    private void Keep(ReadOnlySpan<byte> input)
    {
        if (length + input.Length > Longest)
        {
            Overflowed = true;
            length = 0;
            return;
        }

        if (input.Length == 0) return;
        Grow(ref kept, length, length + input.Length);
        input.CopyTo(kept.AsSpan(length));
        length += input.Length;
    }

    private static void Grow(ref byte[]? buffer, int used, int needed)
    {
        if (buffer is not null && buffer.Length >= needed) return;
        var larger = ArrayPool<byte>.Shared.Rent(Math.Max(needed, buffer is null ? 256 : buffer.Length * 2));
        if (buffer is not null)
        {
            buffer.AsSpan(0, used).CopyTo(larger);
            ArrayPool<byte>.Shared.Return(buffer);
        }

        buffer = larger;
    }

    private void Return()
    {
        if (kept is not null) ArrayPool<byte>.Shared.Return(kept);
        kept = null;
    }
}
