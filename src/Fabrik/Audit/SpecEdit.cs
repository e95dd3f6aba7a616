using System.Text.Json;

namespace Fabrik.Audit;

/// <summary>Which fields of what people decide are others than before.</summary>
public static class SpecEdit
{
    private const int MostFields = 40;
    private const int LongestValue = 200;

    /// <summary>What stands below may be a secret of somebody's, whatever it is meant for.</summary>
    private static readonly string[] Unsaid = ["change.environment."];

    /// <param name="before">Null: there was none.</param>
    /// <param name="after">Null: it is gone.</param>
    /// <returns>By path: "before -> after", each cut to 200 characters; "-" where there is nothing.</returns>
    public static IReadOnlyDictionary<string, string> Of(JsonElement? before, JsonElement? after)
    {
        var (old, now) = (Leaves(before), Leaves(after));
        var edits = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var path in old.Keys.Union(now.Keys).Order(StringComparer.Ordinal))
        {
            var (from, to) = (old.GetValueOrDefault(path), now.GetValueOrDefault(path));
            if (from == to) continue;
            if (edits.Count == MostFields)
            {
                edits["more"] = "fields beyond these are others too";
                break;
            }

            edits[path] = Unsaid.Any(prefix => path.StartsWith(prefix, StringComparison.Ordinal)) ? "another value, which is not kept here" : $"{Shown(from)} -> {Shown(to)}";
        }

        return edits;
    }

    private static string Shown(string? value) => value is null ? "-" : value.Length <= LongestValue ? value : $"{value[..LongestValue]}...";

    private static Dictionary<string, string> Leaves(JsonElement? root)
    {
        var found = new Dictionary<string, string>(StringComparer.Ordinal);
        if (root is { } element) Walk(element, "");
        return found;

        void Walk(JsonElement one, string path)
        {
            switch (one.ValueKind)
            {
                case JsonValueKind.Object:
                    foreach (var field in one.EnumerateObject()) Walk(field.Value, path.Length == 0 ? field.Name : $"{path}.{field.Name}");
                    break;
                case JsonValueKind.Array:
                    var index = 0;
                    foreach (var item in one.EnumerateArray()) Walk(item, $"{path}[{index++}]");
                    break;
                case JsonValueKind.Undefined:
                    break;
                default:
                    found[path] = one.ValueKind == JsonValueKind.String ? one.GetString()! : one.GetRawText();
                    break;
            }
        }
    }
}
