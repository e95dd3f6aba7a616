using System.Globalization;
using System.Text.Json.Nodes;

namespace Fabrik.Tests.Admission;

/// <summary>RFC 6902 as the API server applies it, written apart from the code under test: strict about missing paths.</summary>
internal static class JsonPatch
{
    public static JsonNode Apply(JsonNode document, JsonArray patch)
    {
        document = document.DeepClone();
        foreach (var one in patch)
        {
            var operation = one!["op"]!.GetValue<string>();
            var path = one["path"]!.GetValue<string>();
            if (!path.StartsWith('/')) throw new InvalidOperationException($"path {path} does not start with a slash");
            var segments = path[1..].Split('/').Select(segment => segment.Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal)).ToArray();
            var parent = document;
            foreach (var segment in segments[..^1]) parent = Child(parent, segment, path);
            Step(parent, operation, segments[^1], one["value"]?.DeepClone(), path);
        }

        return document;
    }

    private static JsonNode Child(JsonNode parent, string segment, string path) => parent switch
    {
        JsonObject map when map[segment] is { } child => child,
        JsonArray list when int.TryParse(segment, NumberStyles.None, CultureInfo.InvariantCulture, out var index) && index < list.Count && list[index] is { } child => child,
        _ => throw new InvalidOperationException($"{path} does not exist at {segment}"),
    };

    private static void Step(JsonNode parent, string operation, string key, JsonNode? value, string path)
    {
        switch (operation, parent)
        {
            case ("add", JsonObject map): map[key] = value; break;
            case ("replace", JsonObject map) when map.ContainsKey(key): map[key] = value; break;
            case ("remove", JsonObject map) when map.Remove(key): break;
            case ("add", JsonArray list) when key == "-": list.Add(value); break;
            case ("add", JsonArray list) when int.TryParse(key, NumberStyles.None, CultureInfo.InvariantCulture, out var index) && index <= list.Count: list.Insert(index, value); break;
            case ("replace", JsonArray list) when int.TryParse(key, NumberStyles.None, CultureInfo.InvariantCulture, out var index) && index < list.Count: list[index] = value; break;
            case ("remove", JsonArray list) when int.TryParse(key, NumberStyles.None, CultureInfo.InvariantCulture, out var index) && index < list.Count: list.RemoveAt(index); break;
            default: throw new InvalidOperationException($"{operation} {path} does not apply");
        }
    }
}
