using System.Text.Json.Nodes;

namespace Fabrik.Sandbox.Patches;

/// <summary>What two states of an object differ in, by path.</summary>
internal sealed record FieldChanges(FieldSet Added, FieldSet Modified, FieldSet Removed)
{
    public bool None => Added.IsEmpty && Modified.IsEmpty && Removed.IsEmpty;
}

/// <summary>Objects and field sets: which fields an object has, which differ, how two are merged, how fields are taken out.</summary>
internal static class OwnedFields
{
    /// <summary>Every field that the object gives a value: leaves, items of lists, keys of maps.</summary>
    public static FieldSet Of(JsonNode? value, FieldShape shape)
    {
        var set = new FieldSet();
        Collect(value, shape, set);
        return set;
    }

    public static FieldChanges Compare(JsonNode? before, JsonNode? after, FieldShape shape)
    {
        var changes = new FieldChanges(new(), new(), new());
        Compare(before, after, shape, changes);
        return changes;
    }

    /// <summary>The live object with the applied one over it.</summary>
    public static JsonNode? Merge(JsonNode? live, JsonNode? applied, FieldShape shape)
    {
        if (applied is null) return live?.DeepClone();
        switch (Nature(live, applied, shape))
        {
            case ShapeKind.Map when applied is JsonObject wanted:
                var map = live as JsonObject;
                var result = map?.DeepClone().AsObject() ?? [];
                foreach (var (name, value) in wanted) result[name] = value is null ? null : Merge(map?[name], value, shape.Entry(name));
                return result;
            case ShapeKind.Set or ShapeKind.KeyedList when applied is JsonArray items:
                return MergeList(live as JsonArray, items, shape);
            default: return applied.DeepClone();
        }
    }

    /// <summary>The object without the members of the set and what is below them.</summary>
    public static JsonNode? Without(JsonNode? value, FieldSet gone, FieldShape shape)
    {
        switch (Nature(value, null, shape))
        {
            case ShapeKind.Map when value is JsonObject map:
                var rest = new JsonObject();
                foreach (var (name, item) in map)
                {
                    var inner = gone.Find(FieldSet.Field(name));
                    if (inner?.Member == true) continue;
                    rest[name] = inner is null ? item?.DeepClone() : Without(item, inner, shape.Entry(name));
                }

                return rest;
            case ShapeKind.Set or ShapeKind.KeyedList when value is JsonArray list:
                var left = new JsonArray();
                foreach (var item in list)
                {
                    var inner = gone.Find(FieldSet.Item(item, shape));
                    if (inner?.Member == true) continue;
                    left.Add(inner is null ? item?.DeepClone() : Without(item, inner, shape.Element));
                }

                return left;
            default: return value?.DeepClone();
        }
    }

    private static ShapeKind Nature(JsonNode? one, JsonNode? other, FieldShape shape) =>
        shape.Kind != ShapeKind.Unknown ? shape.Kind : (other ?? one) is JsonObject ? ShapeKind.Map : ShapeKind.Whole;

    private static void Collect(JsonNode? value, FieldShape shape, FieldSet set)
    {
        switch (Nature(value, null, shape))
        {
            case ShapeKind.Map when value is JsonObject map:
                foreach (var (name, item) in map)
                {
                    var child = set.Child(FieldSet.Field(name));
                    Collect(item, shape.Entry(name), child);
                    if (item is null or JsonObject { Count: 0 } || !shape.IsField(name)) child.Member = true;
                }

                break;
            case ShapeKind.Set or ShapeKind.KeyedList when value is JsonArray { Count: > 0 } list:
                foreach (var item in list)
                {
                    var child = set.Child(FieldSet.Item(item, shape));
                    Collect(item, shape.Element, child);
                    child.Member = true;
                }

                break;
            default: set.Member = true; break;
        }
    }

    private static void Compare(JsonNode? before, JsonNode? after, FieldShape shape, FieldChanges changes)
    {
        switch (Nature(before, after, shape))
        {
            case ShapeKind.Map when before is JsonObject or null && after is JsonObject or null && !(IsEmpty(before) && IsEmpty(after)):
                var (old, now) = (before as JsonObject ?? [], after as JsonObject ?? []);
                foreach (var name in old.Select(entry => entry.Key).Union(now.Select(entry => entry.Key), StringComparer.Ordinal))
                {
                    var element = FieldSet.Field(name);
                    Compare(old[name], now[name], shape.Entry(name), new(changes.Added.Child(element), changes.Modified.Child(element), changes.Removed.Child(element)));
                }

                Mark();
                break;
            case ShapeKind.Set or ShapeKind.KeyedList when before is JsonArray or null && after is JsonArray or null && !(IsEmpty(before) && IsEmpty(after)):
                var (gone, come) = (Items(before as JsonArray, shape), Items(after as JsonArray, shape));
                foreach (var element in gone.Keys.Union(come.Keys, StringComparer.Ordinal))
                {
                    Compare(
                        gone.GetValueOrDefault(element),
                        come.GetValueOrDefault(element),
                        shape.Element,
                        new(changes.Added.Child(element), changes.Modified.Child(element), changes.Removed.Child(element)));
                }

                Mark();
                break;
            default:
                Mark();
                if (before is not null && after is not null && !JsonNode.DeepEquals(before, after)) changes.Modified.Member = true;
                break;
        }

        void Mark()
        {
            if (before is null && after is not null) changes.Added.Member = true;
            if (after is null && before is not null) changes.Removed.Member = true;
        }
    }

    private static bool IsEmpty(JsonNode? value) => value is null or JsonObject { Count: 0 } or JsonArray { Count: 0 };

    // Doubled keys are refused when an object is validated; here the last one counts.
    private static Dictionary<string, JsonNode?> Items(JsonArray? list, FieldShape shape)
    {
        var items = new Dictionary<string, JsonNode?>(StringComparer.Ordinal);
        foreach (var item in list ?? []) items[FieldSet.Item(item, shape)] = item;
        return items;
    }

    // The order of the applied list, with those that only the live one has where they stood among their neighbours.
    private static JsonArray MergeList(JsonArray? live, JsonArray applied, FieldShape shape)
    {
        var known = Items(live, shape);
        var wanted = applied.Select(item => FieldSet.Item(item, shape)).ToHashSet(StringComparer.Ordinal);
        var result = new JsonArray();
        var rest = new Queue<JsonNode?>(live ?? []);
        foreach (var item in applied)
        {
            var element = FieldSet.Item(item, shape);
            if (known.ContainsKey(element))
            {
                while (rest.Count > 0 && FieldSet.Item(rest.Peek(), shape) is var next && next != element && !wanted.Contains(next)) result.Add(rest.Dequeue()?.DeepClone());
                if (rest.Count > 0 && FieldSet.Item(rest.Peek(), shape) == element) rest.Dequeue();
            }

            result.Add(Merge(known.GetValueOrDefault(element), item, shape.Element));
        }

        foreach (var item in rest)
        {
            if (!wanted.Contains(FieldSet.Item(item, shape))) result.Add(item?.DeepClone());
        }

        return result;
    }
}
