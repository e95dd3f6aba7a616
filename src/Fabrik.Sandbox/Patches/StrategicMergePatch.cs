using System.Text.Json.Nodes;
using Fabrik.Sandbox.Schema;

namespace Fabrik.Sandbox.Patches;

/// <summary>
/// Kubernetes' own patch: lists with a merge key are merged by it, directives ($patch, $retainKeys, $deleteFromPrimitiveList/x,
/// $setElementOrder/x) delete, replace and order. Only for built-in types; custom resources answer 415.
/// </summary>
public static class StrategicMergePatch
{
    private const string Directive = "$patch";
    private const string Retain = "$retainKeys";
    private const string DeleteFrom = "$deleteFromPrimitiveList/";
    private const string SetOrder = "$setElementOrder/";

    /// <summary>A new document; the arguments stay as they are.</summary>
    /// <exception cref="RequestException">400: a directive or a merge key is wrong.</exception>
    public static JsonObject Apply(JsonObject document, JsonNode? patch, TypeSchema type)
    {
        if (patch is not JsonObject changes) throw RequestException.BadRequest("error decoding patch: json: the patch is not an object");
        return Object(document, changes, type) ?? [];
    }

    /// <param name="type">Null inside values without a type, whose lists are replaced.</param>
    private static JsonObject? Object(JsonObject? current, JsonObject patch, TypeSchema? type)
    {
        switch (patch[Directive].String())
        {
            case "replace": return Stripped(patch);
            case "delete": return null;
            case null or "merge": break;
            case var other: throw RequestException.BadRequest($"Unknown patch type found in patch: {other}");
        }

        var result = current?.DeepClone().AsObject() ?? [];
        if (patch[Retain] is JsonArray kept) KeepOnly(result, patch, kept);
        foreach (var (name, value) in patch)
        {
            if (name is Directive or Retain || name.StartsWith(SetOrder, StringComparison.Ordinal)) continue;
            if (name.StartsWith(DeleteFrom, StringComparison.Ordinal))
            {
                if (result[name[DeleteFrom.Length..]] is JsonArray values && value is JsonArray gone)
                {
                    foreach (var item in values.Where(item => gone.Any(one => JsonNode.DeepEquals(one, item))).ToArray()) values.Remove(item);
                }

                continue;
            }

            var field = type?.Field(name);
            switch (value)
            {
                case null: result.Remove(name); break;
                case JsonObject inner:
                    var merged = Object(result[name] as JsonObject, inner, field?.Type.Object);
                    if (merged is null) result.Remove(name);
                    else result[name] = merged;
                    break;
                case JsonArray list when field is { Merge: true, Type.Kind: ValueKind.List }:
                    result[name] = List(result[name] as JsonArray, list, field);
                    break;
                case JsonArray list:
                    result[name] = new JsonArray([.. list.Where(item => item is not JsonObject one || one[Directive] is null).Select(item => item?.DeepClone())]);
                    break;
                default: result[name] = value.DeepClone(); break;
            }
        }

        foreach (var (name, value) in patch)
        {
            if (name.StartsWith(SetOrder, StringComparison.Ordinal) && value is JsonArray order && name[SetOrder.Length..] is var target && result[target] is JsonArray list)
            {
                Order(list, order, type?.Field(target)?.MergeKey);
            }
        }

        return result;
    }

    private static JsonArray List(JsonArray? current, JsonArray patch, FieldSchema field)
    {
        var result = current?.DeepClone().AsArray() ?? [];
        if (field.MergeKey is not { } key)
        {
            foreach (var item in patch)
            {
                if (!result.Any(one => JsonNode.DeepEquals(one, item))) result.Add(item?.DeepClone());
            }

            return result;
        }

        if (patch.OfType<JsonObject>().Any(item => item[Directive].String() == "replace"))
        {
            return new([.. patch.OfType<JsonObject>().Where(item => item[Directive].String() != "replace").Select(item => item.DeepClone())]);
        }

        foreach (var item in patch)
        {
            if (item is not JsonObject change) throw RequestException.BadRequest($"expected all elements in list {field.Name} to be objects");
            var identity = change[key] ?? throw RequestException.BadRequest($"map: {Text.Compact(change)} does not contain declared merge key: {key}");
            var at = -1;
            for (var i = 0; i < result.Count && at < 0; i++)
            {
                if (JsonNode.DeepEquals(result[i]?[key], identity)) at = i;
            }

            if (change[Directive].String() == "delete")
            {
                foreach (var gone in result.Where(one => JsonNode.DeepEquals(one?[key], identity)).ToArray()) result.Remove(gone);
                continue;
            }

            var merged = Object(at < 0 ? null : result[at] as JsonObject, change, field.Type.Element!.Object);
            if (merged is null) continue;
            if (at >= 0) result[at] = merged;
            else result.Add(merged);
        }

        return result;
    }

    private static void KeepOnly(JsonObject result, JsonObject patch, JsonArray kept)
    {
        var names = kept.Select(name => name.String()).ToHashSet(StringComparer.Ordinal);
        foreach (var (name, value) in patch)
        {
            if (name[0] != '$' && value is not null && !names.Contains(name))
            {
                throw RequestException.BadRequest("the list of patch keys in $retainKeys must contain all fields present in the patch: " + name);
            }
        }

        foreach (var name in result.Select(entry => entry.Key).Where(name => !names.Contains(name)).ToArray()) result.Remove(name);
    }

    // Those that the patch orders stand in its order; the others keep their place relative to the ones before them.
    private static void Order(JsonArray list, JsonArray order, string? key)
    {
        JsonNode? Identity(JsonNode? item) => key is null ? item : item?[key];
        int Rank(JsonNode? item)
        {
            for (var i = 0; i < order.Count; i++)
            {
                if (JsonNode.DeepEquals(Identity(order[i]), Identity(item))) return i;
            }

            return -1;
        }

        var items = list.ToArray();
        var ordered = new Queue<JsonNode?>(items.Where(item => Rank(item) >= 0).OrderBy(Rank));
        var others = new Queue<(JsonNode? Item, int Place)>(items.Select((item, place) => (item, place)).Where(entry => Rank(entry.item) < 0));
        list.Clear();
        while (ordered.Count > 0 || others.Count > 0)
        {
            if (others.Count > 0 && (ordered.Count == 0 || others.Peek().Place <= list.Count)) list.Add(others.Dequeue().Item);
            else list.Add(ordered.Dequeue());
        }
    }

    private static JsonObject Stripped(JsonObject patch)
    {
        var result = new JsonObject();
        foreach (var (name, value) in patch)
        {
            if (name[0] == '$') continue;
            result[name] = value?.DeepClone();
        }

        return result;
    }
}
