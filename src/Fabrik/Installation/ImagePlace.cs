using System.Text.Json.Nodes;

namespace Fabrik.Installation;

/// <summary>Where an image stands that is no container's, as kustomize's configurations say it: <c>images: [{ kind: Deployment, path: "spec/template/spec/containers[]/env[]/value" }]</c>.</summary>
/// <param name="Kind">Null: of every kind.</param>
/// <param name="Path">Names of fields; of one that ends in "[]", each element.</param>
internal sealed record ImagePlace(string? Kind, IReadOnlyList<string> Path)
{
    private const string Each = "[]";

    /// <exception cref="FormatException">Something other than images; the message has the file.</exception>
    public static IEnumerable<ImagePlace> Read(JsonObject configuration, string file)
    {
        if (configuration.Count != 1 || configuration["images"] is not JsonArray images) throw new FormatException($"{file}: a configuration may have images alone");
        foreach (var one in images)
        {
            if (one is not JsonObject place || place["path"] is not JsonValue path || place.Any(field => field.Key is not ("kind" or "path"))) throw new FormatException($"{file}: each of images must have a path, and besides that kind alone");
            yield return new ImagePlace(place["kind"]?.ToString(), path.ToString().Split('/'));
        }
    }

    /// <param name="renamed">Null where the text stays.</param>
    public void Change(JsonObject item, Func<string, string?> renamed)
    {
        if (Kind is null || item["kind"]?.ToString() == Kind) Change(item, 0, renamed);
    }

    private void Change(JsonObject at, int depth, Func<string, string?> renamed)
    {
        var isEach = Path[depth].EndsWith(Each, StringComparison.Ordinal);
        var value = at[isEach ? Path[depth][..^Each.Length] : Path[depth]];
        if (depth < Path.Count - 1)
        {
            foreach (var next in (isEach ? (IEnumerable<JsonNode?>)(value as JsonArray ?? []) : [value]).OfType<JsonObject>()) Change(next, depth + 1, renamed);
        }
        else if (value is JsonValue && renamed(value.ToString()) is { } text) at[Path[depth]] = text;
    }
}
