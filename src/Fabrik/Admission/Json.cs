using System.Runtime.InteropServices;
using System.Text.Encodings.Web;
using System.Text.Json;
using Fabrik.Quantities;

namespace Fabrik.Admission;

/// <summary>Small things about JSON text in UTF-8.</summary>
internal static class Json
{
    /// <summary>Nothing here ends up in a web page: quotes and backslashes are all that is escaped, so annotations stay legible.</summary>
    public static readonly JsonWriterOptions Writing = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    private static readonly JsonSerializerOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, TypeInfoResolver = Fabrik.Experiments.ObjectJson.Default };

    /// <summary>Bytes that one byte of a string may take: \uXXXX.</summary>
    private const int LongestEscape = 6;
    private const int LongestLabel = 63;

    /// <summary>A string with its quotes.</summary>
    public static byte[] String(string text) => String(System.Text.Encoding.UTF8.GetBytes(text));

    /// <summary>As above, of UTF-8.</summary>
    public static byte[] String(ReadOnlySpan<byte> text)
    {
        if (Writing.Encoder!.FindFirstCharacterToEncodeUtf8(text) < 0) return Quoted(text);
        using var buffer = new PooledBuffer(LongestEscape * text.Length);
        var encoded = buffer.GetSpan(LongestEscape * text.Length);
        Writing.Encoder.EncodeUtf8(text, encoded, out _, out var length);
        return Quoted(encoded[..length]);
    }

    /// <summary>Text that needs no escaping, with quotes.</summary>
    public static byte[] Quoted(ReadOnlySpan<byte> text)
    {
        var quoted = new byte[text.Length + 2];
        (quoted[0], quoted[^1]) = ((byte)'"', (byte)'"');
        text.CopyTo(quoted.AsSpan(1));
        return quoted;
    }

    public static ReadOnlySpan<byte> Raw(JsonElement element) => element.ValueKind == JsonValueKind.Undefined ? default : JsonMarshal.GetRawUtf8Value(element);

    /// <summary>Undefined where the member is missing, null, or the element no object.</summary>
    public static JsonElement Member(this JsonElement element, ReadOnlySpan<byte> name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value : default;

    public static bool Is(this JsonElement element, ReadOnlySpan<byte> text) => element.ValueKind == JsonValueKind.String && element.ValueEquals(text);

    /// <summary>Null unless a string or number that is a quantity of zero or more.</summary>
    public static Quantity? Amount(JsonElement element) =>
        element.ValueKind is JsonValueKind.String or JsonValueKind.Number && Amount(Raw(element)) is { } amount ? amount : null;

    /// <summary>As above, of raw JSON; null for an empty span.</summary>
    public static Quantity? Amount(ReadOnlySpan<byte> raw)
    {
        if (raw.Length >= 2 && raw[0] == '"') raw = raw[1..^1];
        return raw.Length > 0 && Quantity.TryParse(raw, out var amount) && amount >= default(Quantity) ? amount : null;
    }

    /// <summary>Byte for byte: an API server writes one value one way.</summary>
    public static bool Same(ReadOnlyMemory<byte> one, ReadOnlyMemory<byte> other) => one.Span.SequenceEqual(other.Span);

    public static byte[] Number(long number) => System.Text.Encoding.ASCII.GetBytes(number.ToString(System.Globalization.CultureInfo.InvariantCulture));

    public static byte[] Utf8(System.Text.Json.Nodes.JsonObject json) => System.Text.Encoding.UTF8.GetBytes(json.ToJsonString(Relaxed));

    public static string? Text(this JsonElement element) => element.ValueKind == JsonValueKind.String ? element.GetString() : null;

    /// <summary>Null unless it can be the value of a label: an API server looks at labels only after this.</summary>
    public static string? Label(this JsonElement element)
    {
        var raw = Raw(element);
        if (element.ValueKind != JsonValueKind.String || raw.Length is < 3 or > LongestLabel + 2) return null;
        foreach (var one in raw[1..^1])
            if (!char.IsAsciiLetterOrDigit((char)one) && one is not ((byte)'-' or (byte)'_' or (byte)'.')) return null;
        return element.GetString();
    }

    /// <summary>Whether an object has two members of one name, or one in a spelling that may hide it.</summary>
    public static bool NamesTwice(JsonElement element)
    {
        if (element.ValueKind != JsonValueKind.Object) return false;
        var (seen, count) = (0UL, 0);
        foreach (var member in element.EnumerateObject())
        {
            var name = JsonMarshal.GetRawUtf8PropertyName(member);
            if (name.Contains((byte)'\\')) return true;
            var bit = 1UL << (name.Length == 0 ? 0 : ((name.Length * 7) + name[0] + (name[^1] * 3) + (name[name.Length / 2] * 5)) & 63);
            if ((seen & bit) != 0 && IsAmong(element, name, count)) return true;
            (seen, count) = (seen | bit, count + 1);
        }

        return false;
    }

    private static bool IsAmong(JsonElement element, ReadOnlySpan<byte> name, int count)
    {
        foreach (var member in element.EnumerateObject())
        {
            if (count-- == 0) return false;
            if (name.SequenceEqual(JsonMarshal.GetRawUtf8PropertyName(member))) return true;
        }

        return false;
    }
}
