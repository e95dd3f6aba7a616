using System.Text.Json;

namespace Fabrik.Cli.Output;

/// <summary>Values of a run as a person reads them.</summary>
public static class Cells
{
    public static string? Text(JsonElement item, string name) =>
        item.TryGetProperty(name, out var value) && value.ValueKind is not (JsonValueKind.Null or JsonValueKind.Undefined) ? value.ToString() : null;

    /// <summary>An enum's name on the wire.</summary>
    public static string? Wire(JsonElement item, string name) => Text(item, name);

    /// <summary>All that stand in these lists; null where they are empty.</summary>
    public static string? Names(JsonElement item, params string[] lists)
    {
        var names = lists.SelectMany(list => item.TryGetProperty(list, out var found) && found.ValueKind == JsonValueKind.Array ? found.EnumerateArray().Select(name => name.ToString()) : []);
        return string.Join(", ", names) is { Length: > 0 } text ? text : null;
    }

    /// <summary>The limit that was in force, with the one asked for when Fabrik changed it: 4Gi (2Gi).</summary>
    public static string? Memory(JsonElement item)
    {
        var applied = Number(item, "applied", "memoryLimitBytes");
        var requested = Number(item, "requested", "memoryLimitBytes");
        if (applied is null) return null;
        return applied == requested || requested is null ? Bytes(applied.Value) : $"{Bytes(applied.Value)} ({Bytes(requested.Value)})";
    }

    public static string? Moved(long? requestedRequest, long? requestedLimit, long? appliedRequest, long? appliedLimit, Func<long, string> unit)
    {
        string Pair(long? request, long? limit) => $"request {(request is { } low ? unit(low) : "none")}, limit {(limit is { } high ? unit(high) : "none")}";
        var (before, after) = (Pair(requestedRequest, requestedLimit), Pair(appliedRequest, appliedLimit));
        return before == after ? after : $"{after} (asked for {before})";
    }

    public static string Bytes(long bytes)
    {
        string[] units = ["", "Ki", "Mi", "Gi", "Ti", "Pi"];
        var unit = 0;
        var value = (double)bytes;
        while (value >= 1024 && unit < units.Length - 1)
        {
            value /= 1024;
            unit++;
        }

        return $"{value:0.##}{units[unit]}";
    }

    public static string Millis(long millis) => millis % 1000 == 0 ? $"{millis / 1000}" : $"{millis}m";

    private static long? Number(JsonElement item, string part, string name) =>
        item.TryGetProperty(part, out var inner) && inner.ValueKind == JsonValueKind.Object && inner.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number ? value.GetInt64() : null;
}
