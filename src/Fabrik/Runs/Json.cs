using System.Text.Json;

namespace Fabrik.Runs;

/// <summary>Reading documents of the API server: a missing or oddly typed field is null, never an exception.</summary>
internal static class Json
{
    public static JsonElement? Get(this JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;

    public static JsonElement? Get(this JsonElement? element, string name) => element?.Get(name);

    public static string? Text(this JsonElement? element, string name) =>
        element.Get(name) is { ValueKind: JsonValueKind.String } value ? value.GetString() : null;

    public static string? Text(this JsonElement element, string name) => Text((JsonElement?)element, name);

    public static int? Number(this JsonElement? element, string name) =>
        element.Get(name) is { ValueKind: JsonValueKind.Number } value && value.TryGetInt32(out var number) ? number : null;

    public static bool True(this JsonElement? element, string name) => element.Get(name) is { ValueKind: JsonValueKind.True };

    public static DateTimeOffset? Time(this JsonElement? element, string name) =>
        element.Get(name) is { ValueKind: JsonValueKind.String } value && value.TryGetDateTimeOffset(out var time) ? time.ToUniversalTime() : null;

    public static IEnumerable<JsonElement> Items(this JsonElement? element, string name) =>
        element.Get(name) is { ValueKind: JsonValueKind.Array } array ? array.EnumerateArray() : [];

    public static IEnumerable<JsonElement> Items(this JsonElement element, string name) => Items((JsonElement?)element, name);

    /// <summary>The controlling owner, or null.</summary>
    public static JsonElement? Controller(this JsonElement? metadata)
    {
        foreach (var owner in metadata.Items("ownerReferences"))
        {
            if (((JsonElement?)owner).True("controller")) return owner;
        }

        return null;
    }

    /// <summary>Resource versions are integers on every server Fabrik supports; anything else counts as the oldest.</summary>
    public static long Version(this JsonElement? metadata) => long.TryParse(metadata.Text("resourceVersion"), out var version) ? version : 0;

    public static DateTimeOffset? Later(DateTimeOffset? a, DateTimeOffset? b) => a is null || b > a ? b ?? a : a;

    public static DateTimeOffset? Earlier(DateTimeOffset? a, DateTimeOffset? b) => a is null || b < a ? b ?? a : a;

    /// <summary>A choice that does not depend on the order of arrival.</summary>
    public static string? Greater(string? a, string? b) => string.CompareOrdinal(a, b) >= 0 ? a : b;
}
