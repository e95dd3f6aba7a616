using System.Text.Json;

namespace Fabrik.Checks;

/// <summary>Whether what the cluster has is what was meant: it fills defaults in, so objects may have more fields, and lists may not have more items.</summary>
public static class Alike
{
    /// <returns>Path of the first difference; null where there is none.</returns>
    public static string? Difference(JsonElement meant, JsonElement found, string path = "")
    {
        switch (meant.ValueKind)
        {
            case JsonValueKind.Object:
                if (found.ValueKind != JsonValueKind.Object) return path;
                foreach (var field in meant.EnumerateObject())
                    if (Difference(field.Value, found.At(field.Name), path.Length == 0 ? field.Name : $"{path}.{field.Name}") is { } inside) return inside;
                // Names of properties are the schema's own words, and no server adds one.
                return path.EndsWith("properties", StringComparison.Ordinal) && found.EnumerateObject().Select(field => field.Name).FirstOrDefault(name => meant.At(name).ValueKind == JsonValueKind.Undefined) is { } more ? $"{path}.{more}" : null;
            case JsonValueKind.Array:
                if (found.ValueKind != JsonValueKind.Array || found.GetArrayLength() != meant.GetArrayLength()) return path;
                for (var place = 0; place < meant.GetArrayLength(); place++)
                    if (Difference(meant[place], found[place], $"{path}[{place}]") is { } inside) return inside;
                return null;
            case JsonValueKind.Number:
                return found.ValueKind == JsonValueKind.Number && meant.GetDouble() == found.GetDouble() ? null : path;
            default:
                return found.ValueKind == meant.ValueKind && (meant.ValueKind != JsonValueKind.String || meant.GetString() == found.GetString()) ? null : path;
        }
    }
}
