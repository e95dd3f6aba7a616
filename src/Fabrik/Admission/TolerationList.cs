using System.Buffers;
using System.Text.Json;

namespace Fabrik.Admission;

internal static class TolerationList
{
    /// <summary>The list with what it lacks appended; null when it lacks nothing.</summary>
    public static byte[]? Merge(ReadOnlyMemory<byte> current, JsonElement[] wanted)
    {
        using var list = JsonDocument.Parse(current.Length == 0 ? "[]"u8.ToArray() : current);
        var buffer = new ArrayBufferWriter<byte>(256);
        var added = 0;
        using (var writer = new Utf8JsonWriter(buffer, Json.Writing))
        {
            writer.WriteStartArray();
            foreach (var one in list.RootElement.EnumerateArray()) one.WriteTo(writer);
            foreach (var one in wanted)
            {
                if (Has(list.RootElement, one)) continue;
                one.WriteTo(writer);
                added++;
            }

            writer.WriteEndArray();
        }

        return added == 0 ? null : buffer.WrittenSpan.ToArray();
    }

    private static bool Has(JsonElement list, JsonElement wanted)
    {
        foreach (var one in list.EnumerateArray())
            if (Same(one, wanted, "key"u8) && Same(one, wanted, "value"u8) && Same(one, wanted, "effect"u8) && Same(one, wanted, "tolerationSeconds"u8) && IsExists(one) == IsExists(wanted)) return true;
        return false;
    }

    /// <summary>Equal is the operator of a toleration without one.</summary>
    private static bool IsExists(JsonElement toleration) => toleration.Member("operator"u8).Is("Exists"u8);

    private static bool Same(JsonElement one, JsonElement other, ReadOnlySpan<byte> name)
    {
        var (left, right) = (one.Member(name), other.Member(name));
        if (left.Is(""u8)) left = default;
        if (right.Is(""u8)) right = default;
        return left.ValueKind == JsonValueKind.Undefined || right.ValueKind == JsonValueKind.Undefined ? left.ValueKind == right.ValueKind : JsonElement.DeepEquals(left, right);
    }
}
