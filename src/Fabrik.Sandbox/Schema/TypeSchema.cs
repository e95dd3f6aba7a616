using System.Text.Json.Nodes;

namespace Fabrik.Sandbox.Schema;

/// <summary>What a value is. Everything from Quantity to SchemaOrStrings is a type with a JSON form of its own.</summary>
public enum ValueKind
{
    String, Int32, Int64, Double, Bool, Bytes, Quantity, Time, MicroTime, IntOrString,

    /// <summary>Any JSON, wrapped in a message on the wire: an embedded object, a field set, a default.</summary>
    Raw, Fields, Json,

    /// <summary>A list of strings that is a message of its own in protobuf.</summary>
    Extra,
    SchemaOrArray, SchemaOrBool, SchemaOrStrings,
    Object, List, Map,
}

/// <summary>The type of a field, an element or a value of a map.</summary>
/// <param name="Element">Of lists and maps.</param>
/// <param name="Object">Of objects.</param>
public sealed record FieldType(ValueKind Kind, FieldType? Element = null, TypeSchema? Object = null);

/// <summary>One field: its JSON name, protobuf number and how it is merged.</summary>
public sealed record FieldSchema(string Name, int Number, FieldType Type, string Description)
{
    /// <summary>May be absent as opposed to zero.</summary>
    public bool Pointer { get; init; }

    public bool Required { get; init; }

    /// <summary>On the wire even when empty.</summary>
    public bool Written { get; init; }

    /// <summary>Not written when zero, although its type has no empty form (timestamps).</summary>
    public bool OmitZero { get; init; }

    /// <summary>The fields of its type stand in the enclosing JSON object; in protobuf it is a message.</summary>
    public bool Inline { get; init; }

    /// <summary>map, set, atomic, or null where nothing was said (atomic then).</summary>
    public string? ListType { get; init; }

    /// <summary>Keys of a list of type map.</summary>
    public IReadOnlyList<string> Keys { get; init; } = [];

    /// <summary>A map or object that has one owner as a whole.</summary>
    public bool Atomic { get; init; }

    /// <summary>Here its fields have owners of their own, although its type has one owner elsewhere.</summary>
    public bool Granular { get; init; }

    /// <summary>Strategic merge: elements are merged, by this key or, for scalars, as a set.</summary>
    public bool Merge { get; init; }

    public string? MergeKey { get; init; }

    /// <summary>Strategic merge: a patch may name the keys that remain.</summary>
    public bool RetainKeys { get; init; }

    public JsonNode? Default { get; init; }

    public IReadOnlyList<string> Enum { get; init; } = [];
}

/// <summary>An object type. Fields are those of its JSON form, inline ones in place.</summary>
public sealed class TypeSchema
{
    private Dictionary<string, FieldSchema>? byName;
    private IReadOnlyList<FieldSchema>? flat;

    /// <summary>Short name within its package, such as JobSpec.</summary>
    public required string Name { get; init; }

    /// <summary>As OpenAPI documents name it: io.k8s.api.batch.v1.JobSpec.</summary>
    public required string FullName { get; init; }

    public required string Group { get; init; }
    public required string Version { get; init; }
    public required string Description { get; init; }

    /// <summary>Carries apiVersion and kind.</summary>
    public bool IsKind { get; init; }

    /// <summary>Has one owner as a whole.</summary>
    public bool Atomic { get; init; }

    /// <summary>As they stand on the protobuf wire: inline fields are messages.</summary>
    public required IReadOnlyList<FieldSchema> Declared { get; init; }

    public IReadOnlyList<FieldSchema> Fields =>
        flat ??= [.. Declared.SelectMany(one => one.Inline ? one.Type.Object!.Fields : [one])];

    public FieldSchema? Field(string name) =>
        (byName ??= Fields.ToDictionary(one => one.Name, StringComparer.Ordinal)).GetValueOrDefault(name);
}
