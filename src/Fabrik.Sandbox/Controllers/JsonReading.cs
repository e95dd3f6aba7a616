using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Fabrik.Sandbox.Controllers;

/// <summary>Reading of objects whose fields may be absent or of another type than expected: both count as absent.</summary>
internal static class JsonReading
{
    public static JsonElement At(this JsonElement of, params ReadOnlySpan<string> path)
    {
        foreach (var name in path)
            if (of.ValueKind != JsonValueKind.Object || !of.TryGetProperty(name, out of)) return default;
        return of;
    }

    public static string? Text(this JsonElement of, params ReadOnlySpan<string> path) =>
        of.At(path) is { ValueKind: JsonValueKind.String } value ? value.GetString() : null;

    public static int? Int(this JsonElement of, params ReadOnlySpan<string> path) =>
        of.At(path) is { ValueKind: JsonValueKind.Number } value && value.TryGetInt32(out var number) ? number : null;

    public static bool Flag(this JsonElement of, params ReadOnlySpan<string> path) => of.At(path).ValueKind == JsonValueKind.True;

    public static DateTimeOffset? Time(this JsonElement of, params ReadOnlySpan<string> path) =>
        of.At(path) is { ValueKind: JsonValueKind.String } value && value.TryGetDateTimeOffset(out var time) ? time : null;

    public static IEnumerable<JsonElement> Items(this JsonElement of, params ReadOnlySpan<string> path) =>
        of.At(path) is { ValueKind: JsonValueKind.Array } list ? list.EnumerateArray() : [];

    public static IEnumerable<JsonProperty> Fields(this JsonElement of, params ReadOnlySpan<string> path) =>
        of.At(path) is { ValueKind: JsonValueKind.Object } map ? map.EnumerateObject() : [];

    /// <summary>A copy that may be changed; null where there is nothing.</summary>
    public static JsonNode? Copy(this JsonElement of) => of.ValueKind switch
    {
        JsonValueKind.Object => JsonObject.Create(of.Clone()),
        JsonValueKind.Array => JsonArray.Create(of.Clone()),
        JsonValueKind.Undefined or JsonValueKind.Null => null,
        _ => JsonValue.Create(of.Clone()),
    };

    /// <summary>The controlling owner of this kind.</summary>
    public static (string Name, string Uid)? Controller(this JsonElement of, string kind)
    {
        foreach (var owner in of.Items("metadata", "ownerReferences"))
            if (owner.Flag("controller") && owner.Text("kind") == kind && owner.Text("name") is { } name && owner.Text("uid") is { } uid)
                return (name, uid);
        return null;
    }

    /// <summary>As Kubernetes writes times: whole seconds in UTC.</summary>
    public static string Stamp(this DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    public static string MicroStamp(this DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", CultureInfo.InvariantCulture);
}
