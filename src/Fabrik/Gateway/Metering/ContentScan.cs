using System.Buffers;
using System.Text;

namespace Fabrik.Gateway.Metering;

/// <summary>
/// Reads the events that a stream is mostly made of, those with a few words and nothing else that counts, in about a third of the time
/// that a JSON reader takes. Whatever is not plainly such an event is left to the reader.
/// </summary>
internal static class ContentScan
{
    private static readonly SearchValues<byte> Structure = SearchValues.Create("\"{}[]"u8);

    /// <summary>A chunk of OpenAI's chat.</summary>
    /// <param name="model">As earlier chunks named it: one that names another is not plain.</param>
    /// <param name="textBytes">UTF-8 bytes of text in its choices, as written.</param>
    /// <param name="nullUsage">Where a member <c>"usage":null</c> stands at its top, with the comma before it; null where there is none.</param>
    /// <returns>Whether it has content, and nothing that the reader must see.</returns>
    public static bool IsChat(ReadOnlySpan<byte> data, string model, string? tier, out long textBytes, out Range? nullUsage)
    {
        nullUsage = null;
        return Walk(data, "choices"u8, model, tier, out textBytes, ref nullUsage, isChat: true);
    }

    /// <summary>An event that begins with its type, which is one of content: Anthropic's <c>content_block_delta</c>, and those of OpenAI's responses that end with <c>.delta</c>.</summary>
    /// <param name="textBytes">UTF-8 bytes of its delta's text, as written.</param>
    /// <returns>Whether it is such an event, and has nothing else that the reader must see.</returns>
    public static bool IsDelta(ReadOnlySpan<byte> data, out long textBytes)
    {
        textBytes = 0;
        var begin = "{\"type\":\""u8;
        if (!data.StartsWith(begin)) return false;
        var type = data[begin.Length..];
        var end = type.IndexOfAny((byte)'"', (byte)'\\');
        if (end < 0 || type[end] != '"' || !(type[..end].SequenceEqual("content_block_delta"u8) || type[..end].EndsWith(".delta"u8))) return false;
        Range? usage = null;
        return Walk(data, "delta"u8, null, null, out textBytes, ref usage, isChat: false);
    }

    private static bool Walk(ReadOnlySpan<byte> data, ReadOnlySpan<byte> container, string? model, string? tier, out long textBytes, ref Range? nullUsage, bool isChat)
    {
        textBytes = 0;
        if (data.Length == 0 || data[0] != '{') return false;
        var (at, depth, inside, said, isFirst) = (1, 1, false, !isChat, true);
        while (depth > 0)
        {
            var next = data[at..].IndexOfAny(Structure);
            if (next < 0) return false;
            at += next;
            if (data[at] != '"')
            {
                depth += data[at] is (byte)'{' or (byte)'[' ? 1 : -1;
                at++;
                continue;
            }

            var start = at;
            if (!TryEnd(data, start, out at)) return false;
            if (at >= data.Length || data[at] != ':') continue; // a value that nobody asked for; a name with a space behind it is not plain
            var name = data[(start + 1)..(at - 1)];
            if (name.Contains((byte)'\\')) return false;
            at++;
            if (depth == 1)
            {
                inside = name.SequenceEqual(container);
                if (!isChat && !isFirst && IsMeant(name)) return false;
                if (isChat && name.SequenceEqual("error"u8)) return false;
                if (isChat && name.SequenceEqual("usage"u8))
                {
                    if (nullUsage is not null || start == 1 || data[start - 1] != ',' || !data[at..].StartsWith("null"u8)) return false;
                    nullUsage = new Range(start - 1, at + 4);
                }
                else if (isChat && !Agrees(data[at..], name, model, tier)) return false;
                isFirst = false;
            }

            if (!inside) continue;
            if (depth > 1 && isChat && name.SequenceEqual("tool_calls"u8)) said = true;
            if (depth == 1 ? isChat || data[at..].StartsWith("{"u8) : !IsText(name) || data[at..].StartsWith("null"u8)) continue;
            if (at >= data.Length || data[at] != '"') return false;
            start = at;
            if (!TryEnd(data, start, out at)) return false;
            textBytes += at - start - 2;
        }

        return (said || textBytes > 0) && data[at..].IndexOfAnyExcept(" \r\n\t"u8) < 0;
    }

    /// <summary>Behind a string's closing quotation mark.</summary>
    private static bool TryEnd(ReadOnlySpan<byte> data, int start, out int end)
    {
        end = start + 1;
        while (end < data.Length)
        {
            var found = data[end..].IndexOfAny((byte)'"', (byte)'\\');
            if (found < 0) return false;
            end += found;
            if (data[end++] == '"') return true;
            end++;
        }

        return false;
    }

    /// <summary>Members at the top of a typed event that mean more than content.</summary>
    private static bool IsMeant(ReadOnlySpan<byte> name) =>
        name.SequenceEqual("type"u8) || name.SequenceEqual("message"u8) || name.SequenceEqual("response"u8) || name.SequenceEqual("error"u8) || name.SequenceEqual("code"u8) || name.SequenceEqual("usage"u8);

    private static bool Agrees(ReadOnlySpan<byte> value, ReadOnlySpan<byte> name, string? model, string? tier)
    {
        if (name.SequenceEqual("model"u8)) return Is(value, model);
        return !name.SequenceEqual("service_tier"u8) || (tier is null ? value.StartsWith("null"u8) : Is(value, tier));
    }

    private static bool Is(ReadOnlySpan<byte> value, string? text) =>
        text is not null && value.Length > text.Length + 1 && value[0] == '"' && value[text.Length + 1] == '"' && Ascii.Equals(value.Slice(1, text.Length), text);

    /// <summary>Names of members with text that a model wrote, in all APIs.</summary>
    internal static bool IsText(ReadOnlySpan<byte> name) => name.Length switch
    {
        4 => name.SequenceEqual("text"u8),
        7 => name.SequenceEqual("content"u8) || name.SequenceEqual("refusal"u8),
        8 => name.SequenceEqual("thinking"u8),
        9 => name.SequenceEqual("arguments"u8),
        12 => name.SequenceEqual("partial_json"u8),
        17 => name.SequenceEqual("reasoning_content"u8),
        _ => false,
    };
}
