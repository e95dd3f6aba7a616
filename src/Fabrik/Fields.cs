using System.Globalization;
using System.Text.Json;

namespace Fabrik;

/// <summary>Reads objects of the cluster, of which any field may be missing or of another form: both count as missing.</summary>
public static class Fields
{
    /// <summary>An undefined element where the way does not lead anywhere.</summary>
    public static JsonElement At(this JsonElement item, params ReadOnlySpan<string> path)
    {
        foreach (var step in path)
            if (item.ValueKind != JsonValueKind.Object || !item.TryGetProperty(step, out item)) return default;
        return item;
    }

    public static string? Text(this JsonElement item, params ReadOnlySpan<string> path) => item.At(path) is { ValueKind: JsonValueKind.String } text ? text.GetString() : null;

    public static long? Whole(this JsonElement item, params ReadOnlySpan<string> path) => item.At(path) is { ValueKind: JsonValueKind.Number } number && number.TryGetInt64(out var whole) ? whole : null;

    public static int? Int(this JsonElement item, params ReadOnlySpan<string> path) => item.At(path) is { ValueKind: JsonValueKind.Number } number && number.TryGetInt32(out var whole) ? whole : null;

    public static bool Says(this JsonElement item, params ReadOnlySpan<string> path) => item.At(path).ValueKind == JsonValueKind.True;

    public static DateTimeOffset? Time(this JsonElement item, params ReadOnlySpan<string> path) =>
        item.Text(path) is { } text && DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time) ? time : null;

    public static IEnumerable<JsonElement> List(this JsonElement item, params ReadOnlySpan<string> path) => item.At(path) is { ValueKind: JsonValueKind.Array } list ? list.EnumerateArray() : [];

    public static IEnumerable<string> Texts(this JsonElement item, params ReadOnlySpan<string> path) => item.List(path).Where(one => one.ValueKind == JsonValueKind.String).Select(one => one.GetString()!);

    public static IEnumerable<JsonProperty> Map(this JsonElement item, params ReadOnlySpan<string> path) => item.At(path) is { ValueKind: JsonValueKind.Object } map ? map.EnumerateObject() : [];

    public static string Name(this JsonElement item) => item.Text("metadata", "name") ?? "";

    public static string? Namespace(this JsonElement item) => item.Text("metadata", "namespace");

    public static string? Label(this JsonElement item, string name) => item.Text("metadata", "labels", name);

    /// <summary>"True", "False", "Unknown"; null where it has none of this type.</summary>
    public static JsonElement? Condition(this JsonElement item, string type)
    {
        foreach (var one in item.List("status", "conditions"))
            if (one.Text("type") == type) return one;
        return null;
    }

    public static bool Holds(this JsonElement item, string condition) => item.Condition(condition)?.Text("status") == "True";
}
