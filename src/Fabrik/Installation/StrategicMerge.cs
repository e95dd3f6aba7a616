using System.Text.Json.Nodes;

namespace Fabrik.Installation;

/// <summary>
/// A strategic merge of kinds that Fabrik ships. Kubernetes writes the key of each mergeable list into its schema; here stand those of the lists that manifests patch,
/// and every other list is replaced as a whole.
/// </summary>
internal static class StrategicMerge
{
    private const string Directive = "$patch";

    /// <summary>Of each list the fields that tell its elements apart, the first of which all must have; ports are those of containers or of Services.</summary>
    private static readonly Dictionary<string, string[][]> Keys = new(StringComparer.Ordinal)
    {
        ["containers"] = [["name"]],
        ["initContainers"] = [["name"]],
        ["env"] = [["name"]],
        ["volumes"] = [["name"]],
        ["webhooks"] = [["name"]],
        ["imagePullSecrets"] = [["name"]],
        ["volumeMounts"] = [["mountPath"]],
        ["topologySpreadConstraints"] = [["topologyKey", "whenUnsatisfiable"]],
        ["ports"] = [["containerPort", "protocol"], ["port", "protocol"]],
    };

    /// <summary>Null where the patch deletes. Neither argument is changed.</summary>
    public static JsonObject? Apply(JsonObject target, JsonObject patch)
    {
        switch (patch[Directive]?.ToString())
        {
            case null: break;
            case "delete": return null;
            case "replace": return Without(patch);
            case var other: throw new FormatException($"{Directive}: {other} is not supported");
        }

        var result = (JsonObject)target.DeepClone();
        foreach (var (name, value) in patch)
        {
            if (value is null)
            {
                result.Remove(name);
                continue;
            }

            switch (value)
            {
                case JsonObject change when result[name] is JsonObject current:
                    if (Apply(current, change) is { } merged) result[name] = merged;
                    else result.Remove(name);
                    break;
                case JsonArray list when result[name] is JsonArray current && KeyOf(name, list, current) is { } key:
                    result[name] = Merge(current, list, key);
                    break;
                default:
                    result[name] = Clean(value);
                    break;
            }
        }

        return result;
    }

    /// <summary>In kustomize's order: what the patch has, as it has it, then the rest.</summary>
    private static JsonArray Merge(JsonArray current, JsonArray patch, string[] key)
    {
        var rest = current.Select(item => (JsonObject)item!.DeepClone()).ToList();
        var items = new List<JsonObject>();
        foreach (var change in patch.Cast<JsonObject>())
        {
            var at = rest.FindIndex(item => key.All(field => item[field]?.ToString() == change[field]?.ToString()));
            if (at < 0)
            {
                if (change[Directive] is null) items.Add((JsonObject)Clean(change)!);
                continue;
            }

            if (Apply(rest[at], change) is { } merged) items.Add(merged);
            rest.RemoveAt(at);
        }

        return [.. items, .. rest];
    }

    /// <summary>The fields that all elements have; null where the list is to be replaced.</summary>
    private static string[]? KeyOf(string list, JsonArray patch, JsonArray current) =>
        Keys.TryGetValue(list, out var keys) ? keys.FirstOrDefault(key => patch.Concat(current).All(item => item is JsonObject element && element[key[0]] is not null)) : null;

    private static JsonObject Without(JsonObject patch)
    {
        var copy = (JsonObject)patch.DeepClone();
        copy.Remove(Directive);
        return copy;
    }

    /// <summary>What is new in the target has no directives and no fields that are to be removed.</summary>
    private static JsonNode? Clean(JsonNode? node) => node switch
    {
        JsonObject item => new JsonObject(item.Where(field => field.Value is not null && field.Key != Directive).Select(field => KeyValuePair.Create(field.Key, Clean(field.Value)))),
        JsonArray list => new JsonArray([.. list.Select(Clean)]),
        _ => node?.DeepClone(),
    };
}
