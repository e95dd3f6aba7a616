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
        Compare(new(before is not null, before), new(after is not null, after), shape, changes);
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

    /// <summary>A value, or that there is none: a field that is null is there.</summary>
    private readonly record struct Slot(bool Exists, JsonNode? Value)
    {
        public static Slot Of(JsonObject? map, string name)
        {
            JsonNode? value = null;
            return new(map?.TryGetPropertyValue(name, out value) == true, value);
        }
    }

    private static void Compare(Slot before, Slot after, FieldShape shape, FieldChanges changes)
    {
        var bothEmpty = IsEmpty(before.Value) && IsEmpty(after.Value);
        switch (Nature(before.Value, after.Value, shape))
        {
            case ShapeKind.Map when before.Value is JsonObject or null && after.Value is JsonObject or null && !bothEmpty:
                var (old, now) = (before.Value as JsonObject, after.Value as JsonObject);
                foreach (var name in Names(old).Union(Names(now), StringComparer.Ordinal))
                {
                    Below(FieldSet.Field(name), Slot.Of(old, name), Slot.Of(now, name), shape.Entry(name));
                }

                break;
            case ShapeKind.Set or ShapeKind.KeyedList when before.Value is JsonArray or null && after.Value is JsonArray or null && !bothEmpty:
                var (gone, come) = (Items(before.Value as JsonArray, shape), Items(after.Value as JsonArray, shape));
                foreach (var element in gone.Keys.Union(come.Keys, StringComparer.Ordinal))
                {
                    Below(element, new(gone.ContainsKey(element), gone.GetValueOrDefault(element)), new(come.ContainsKey(element), come.GetValueOrDefault(element)), shape.Element);
                }

                break;
            default:
                if (before.Exists && after.Exists && !JsonNode.DeepEquals(before.Value, after.Value)) changes.Modified.Member = true;
                break;
        }

        if (!before.Exists && after.Exists) changes.Added.Member = true;
        if (!after.Exists && before.Exists) changes.Removed.Member = true;

        void Below(string element, Slot one, Slot other, FieldShape inner)
        {
            if (one.Exists && other.Exists && JsonNode.DeepEquals(one.Value, other.Value)) return;
            Compare(one, other, inner, new(changes.Added.Child(element), changes.Modified.Child(element), changes.Removed.Child(element)));
        }
    }

    private static IEnumerable<string> Names(JsonObject? map) => map?.Select(entry => entry.Key) ?? [];

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
            while (rest.Count > 0 && !wanted.Contains(FieldSet.Item(rest.Peek(), shape))) result.Add(rest.Dequeue()?.DeepClone());
            var element = FieldSet.Item(item, shape);
            if (rest.Count > 0 && FieldSet.Item(rest.Peek(), shape) == element) rest.Dequeue();
            result.Add(Merge(known.GetValueOrDefault(element), item, shape.Element));
        }

        foreach (var item in rest)
        {
            if (!wanted.Contains(FieldSet.Item(item, shape))) result.Add(item?.DeepClone());
        }

        return result;
    }
}
