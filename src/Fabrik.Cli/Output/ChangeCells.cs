using System.Text.Json;

namespace Fabrik.Cli.Output;

/// <summary>Fields of an OptimizationChange as a person reads them.</summary>
public static class ChangeCells
{
    public static string? Share(JsonElement item)
    {
        var share = At(item, "status", "share") ?? At(item, "spec", "experiment", "share");
        return share is { ValueKind: JsonValueKind.Number } number ? $"{number.GetDouble():0.##%}" : null;
    }

    public static string? AgeOf(JsonElement item, TimeProvider clock) =>
        At(item, "metadata", "creationTimestamp") is { } time && time.TryGetDateTimeOffset(out var created) ? Age.Of(clock.GetUtcNow() - created) : null;

    /// <summary>The leaves below a path, one "name=value" a line; null where there are none.</summary>
    public static string? Lines(JsonElement item, params string[] path)
    {
        if (At(item, path) is not { ValueKind: JsonValueKind.Object } found) return null;
        var lines = Leaves(found, string.Empty).ToArray();
        return lines.Length == 0 ? null : string.Join('\n', lines);
    }

    public static IEnumerable<string> Leaves(JsonElement json, string prefix) => json.ValueKind switch
    {
        JsonValueKind.Object => json.EnumerateObject().SelectMany(property => Leaves(property.Value, property.Name is "labelSelector" ? prefix : prefix.Length == 0 ? property.Name : $"{prefix}.{property.Name}")),
        JsonValueKind.Array => json.GetArrayLength() == 0 ? [] : [$"{prefix}={string.Join(',', json.EnumerateArray().Select(value => value.ToString()))}"],
        _ => [$"{prefix}={json}"],
    };

    public static string? Text(JsonElement item, params string[] path) => At(item, path)?.ToString();

    public static JsonElement? At(JsonElement item, params string[] path)
    {
        foreach (var name in path)
        {
            if (item.ValueKind != JsonValueKind.Object || !item.TryGetProperty(name, out var next)) return null;
            item = next;
        }

        return item;
    }
}
