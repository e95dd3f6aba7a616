using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Fabrik.Sandbox.Schema;

namespace Fabrik.Sandbox.Patches;

/// <summary>How ownership sees a value: what has owners of its own inside, and what has one owner as a whole.</summary>
public enum ShapeKind
{
    /// <summary>A scalar, or a map or list with one owner.</summary>
    Whole,

    /// <summary>An object or map whose entries have owners.</summary>
    Map,

    /// <summary>A list of scalars that are owned each.</summary>
    Set,

    /// <summary>A list of objects with keys.</summary>
    KeyedList,

    /// <summary>No schema: objects are maps, all else is whole.</summary>
    Unknown,
}

/// <summary>The shape of one kind's objects, from built-in types or from a CustomResourceDefinition. Immutable.</summary>
public sealed class FieldShape
{
    private static readonly FieldShape Leaf = new(ShapeKind.Whole);
    private static readonly FieldShape Open = new(ShapeKind.Unknown);
    private static readonly ConcurrentDictionary<TypeSchema, FieldShape> BuiltIn = new();

    private readonly Lazy<Dictionary<string, FieldShape>> fields;
    private readonly FieldShape? element;

    private FieldShape(ShapeKind kind, FieldShape? element = null, Func<Dictionary<string, FieldShape>>? fields = null)
    {
        Kind = kind;
        this.element = element;
        this.fields = new(fields ?? (() => []));
    }

    public ShapeKind Kind { get; }

    /// <summary>Names of the keys of a keyed list, in order of the alphabet, with the default of a key that may be absent.</summary>
    public IReadOnlyList<(string Name, JsonNode? Default)> Keys { get; private init; } = [];

    /// <summary>Whether the entry is a field of an object type, not a key of a map.</summary>
    public bool IsField(string name) => fields.Value.ContainsKey(name);

    public FieldShape Entry(string name) => fields.Value.GetValueOrDefault(name) ?? element ?? Open;

    public FieldShape Element => element ?? Open;

    public static FieldShape Of(TypeSchema type) => BuiltIn.GetOrAdd(type, static one => Object(one));

    /// <summary>Of a custom resource.</summary>
    /// <param name="schema">Its openAPIV3Schema; null when it has none.</param>
    public static FieldShape Of(JsonObject? schema)
    {
        var root = schema is null ? Open : Custom(schema);
        return new(ShapeKind.Map, Open, () => new(root.fields.Value, StringComparer.Ordinal)
        {
            ["apiVersion"] = Leaf,
            ["kind"] = Leaf,
            ["metadata"] = Of(ApiTypes.ObjectMeta),
        });
    }

    private static FieldShape Object(TypeSchema type) => type.Atomic ? Leaf : Members(type);

    private static FieldShape Members(TypeSchema type) =>
        new(ShapeKind.Map, fields: () => type.Fields.ToDictionary(field => field.Name, Field, StringComparer.Ordinal));

    private static FieldShape Field(FieldSchema field)
    {
        if (field.Atomic) return Leaf;
        switch (field.Type.Kind)
        {
            case ValueKind.Object: return field.Granular ? Members(field.Type.Object!) : Of(field.Type.Object!);
            case ValueKind.Map: return new(ShapeKind.Map, Value(field.Type.Element!));
            case ValueKind.Json: return Open;
            case ValueKind.List when field.ListType == "set": return new(ShapeKind.Set, Leaf);
            case ValueKind.List when field.ListType == "map":
                var item = field.Type.Element!.Object;
                return new(ShapeKind.KeyedList, item is null ? Open : Of(item))
                {
                    Keys = [.. field.Keys.Order(StringComparer.Ordinal).Select(key => (key, item?.Field(key)?.Default))],
                };
            default: return Leaf;
        }
    }

    private static FieldShape Value(FieldType type) => type.Kind switch
    {
        ValueKind.Object => Of(type.Object!),
        ValueKind.Map => new(ShapeKind.Map, Value(type.Element!)),
        _ => Leaf,
    };

    private static FieldShape Custom(JsonObject schema)
    {
        if (schema["x-kubernetes-map-type"].String() == "atomic") return Leaf;
        switch (schema["type"].String())
        {
            case "array":
                var items = schema["items"] as JsonObject;
                return schema["x-kubernetes-list-type"].String() switch
                {
                    "set" => new(ShapeKind.Set, Leaf),
                    "map" => new(ShapeKind.KeyedList, items is null ? Open : Custom(items))
                    {
                        Keys = [.. (schema["x-kubernetes-list-map-keys"] as JsonArray ?? []).Select(key => key.String() ?? "").Order(StringComparer.Ordinal)
                            .Select(key => (key, items?["properties"]?[key]?["default"]))],
                    },
                    _ => Leaf,
                };
            case "object" or null when schema["properties"] is JsonObject || schema["additionalProperties"] is JsonObject:
                return new(
                    ShapeKind.Map,
                    schema["additionalProperties"] is JsonObject each ? Custom(each) : Open,
                    () => (schema["properties"] as JsonObject ?? []).Where(property => property.Value is JsonObject)
                        .ToDictionary(property => property.Key, property => Custom(property.Value!.AsObject()), StringComparer.Ordinal));
            case "object": return Open;
            case null: return schema["x-kubernetes-preserve-unknown-fields"].Bool() == true ? Open : Leaf;
            default: return Leaf;
        }
    }
}
