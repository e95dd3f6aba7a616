using System.Text;
using System.Text.Json.Nodes;
using Fabrik.Sandbox.Schema;

namespace Fabrik.Sandbox.OpenApi;

/// <summary>Collects the schemas that one document refers to.</summary>
internal sealed class SchemaDocuments(string group, string version)
{
    public const string Prefix = "#/components/schemas/";

    private const string Definitions = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.";
    private const string Kinds = "x-kubernetes-group-version-kind";

    private static readonly Dictionary<ValueKind, (string Name, JsonObject Schema)> Special = new()
    {
        [ValueKind.Quantity] = ("io.k8s.apimachinery.pkg.api.resource.Quantity", new() { ["description"] = "An amount, such as 500m or 2Gi.", ["type"] = "string" }),
        [ValueKind.Time] = (ApiTypes.MetaPackage + "Time", new() { ["description"] = "A time to the second, RFC 3339.", ["type"] = "string", ["format"] = "date-time" }),
        [ValueKind.MicroTime] = (ApiTypes.MetaPackage + "MicroTime", new() { ["description"] = "A time to the microsecond, RFC 3339.", ["type"] = "string", ["format"] = "date-time" }),
        [ValueKind.IntOrString] = ("io.k8s.apimachinery.pkg.util.intstr.IntOrString", new()
        {
            ["description"] = "A whole number or a text.",
            ["format"] = "int-or-string",
            ["oneOf"] = new JsonArray(new JsonObject { ["type"] = "integer" }, new JsonObject { ["type"] = "string" }),
        }),
        [ValueKind.Raw] = ("io.k8s.apimachinery.pkg.runtime.RawExtension", new() { ["description"] = "Any object.", ["type"] = "object" }),
        [ValueKind.Fields] = (ApiTypes.MetaPackage + "FieldsV1", new() { ["description"] = "A set of fields as a tree.", ["type"] = "object" }),
        [ValueKind.Json] = (Definitions + "JSON", new() { ["description"] = "Any JSON value." }),
        [ValueKind.SchemaOrArray] = (Definitions + "JSONSchemaPropsOrArray", new() { ["description"] = "A schema or a list of schemas." }),
        [ValueKind.SchemaOrBool] = (Definitions + "JSONSchemaPropsOrBool", new() { ["description"] = "A schema or a truth value." }),
        [ValueKind.SchemaOrStrings] = (Definitions + "JSONSchemaPropsOrStringArray", new() { ["description"] = "A schema or a list of names." }),
    };

    private readonly SortedDictionary<string, JsonObject> schemas = new(StringComparer.Ordinal);
    private readonly Queue<TypeSchema> open = new();

    /// <summary>A reference to a built-in type.</summary>
    public JsonObject Reference(TypeSchema type)
    {
        if (schemas.TryAdd(type.FullName, [])) open.Enqueue(type);
        return new() { ["$ref"] = Prefix + type.FullName };
    }

    public JsonObject Meta(string name)
    {
        if (name != "Patch") return Reference(ApiTypes.Named(ApiTypes.MetaPackage + name));
        schemas.TryAdd(ApiTypes.MetaPackage + name, new() { ["description"] = "The body of a patch.", ["type"] = "object" });
        return new() { ["$ref"] = Prefix + ApiTypes.MetaPackage + name };
    }

    /// <summary>A reference to a resource's kind or, with the suffix, its list.</summary>
    public JsonObject? Kind(ServedResource resource, string suffix = "")
    {
        if (resource.IsCustom) return Custom(resource, suffix);
        return ApiTypes.Kind(resource.Group, resource.Version, resource.Kind + suffix) is { } type ? Reference(type) : null;
    }

    public JsonObject Finish()
    {
        while (open.TryDequeue(out var type)) schemas[type.FullName] = Describe(type);
        return new(schemas.Select(entry => KeyValuePair.Create(entry.Key, (JsonNode?)entry.Value)));
    }

    private JsonObject Describe(TypeSchema type)
    {
        var result = new JsonObject { ["description"] = type.Description.Length > 0 ? type.Description : Words(type.Name), ["type"] = "object" };
        var required = type.Fields.Where(field => field.Required).Select(field => (JsonNode)field.Name).ToArray();
        if (required.Length > 0) result["required"] = new JsonArray(required);
        if (type.Fields.Count > 0)
        {
            result["properties"] = new JsonObject(type.Fields.OrderBy(field => field.Name, StringComparer.Ordinal).Select(field => KeyValuePair.Create(field.Name, (JsonNode?)Property(field))));
        }

        if (type.Atomic) result["x-kubernetes-map-type"] = "atomic";
        if (type.IsKind)
        {
            // Options and Status are the same in every group.
            var meta = type.FullName.StartsWith(ApiTypes.MetaPackage, StringComparison.Ordinal);
            result[Kinds] = meta && group.Length > 0 && type.Name is not "Status"
                ? new JsonArray(GroupVersionKind("", type.Version, type.Name), GroupVersionKind(group, version, type.Name))
                : new JsonArray(GroupVersionKind(type.Group, type.Version, type.Name));
        }

        return result;
    }

    public static JsonObject GroupVersionKind(string group, string version, string kind) => new() { ["group"] = group, ["kind"] = kind, ["version"] = version };

    private JsonObject Property(FieldSchema field)
    {
        var result = new JsonObject { ["description"] = field.Description.Length > 0 ? field.Description : Words(field.Name) };
        var type = Type(field.Type);
        if (type.ContainsKey("$ref"))
        {
            if (!field.Pointer && field.Type.Kind == ValueKind.Object) result["default"] = new JsonObject();
            result["allOf"] = new JsonArray(type);
        }
        else
        {
            foreach (var (name, value) in type.ToArray()) result[name] = value?.DeepClone();
            if ((field.Default ?? Zero(field)) is { } preset) result["default"] = preset.DeepClone();
        }

        if (field.Enum.Count > 0)
        {
            var values = new JsonArray([.. field.Enum.Select(value => (JsonNode)value)]);
            if (field.Type.Kind == ValueKind.List) result["items"]!["enum"] = values;
            else if (field.Type.Kind == ValueKind.Map) result["additionalProperties"]!["enum"] = values;
            else result["enum"] = values;
        }

        if (field.ListType is { } listType) result["x-kubernetes-list-type"] = listType;
        if (field.Keys.Count > 0) result["x-kubernetes-list-map-keys"] = new JsonArray([.. field.Keys.Select(key => (JsonNode)key)]);
        if (field.Atomic || field.Granular) result["x-kubernetes-map-type"] = field.Atomic ? "atomic" : "granular";
        if (field.MergeKey is { } mergeKey) result["x-kubernetes-patch-merge-key"] = mergeKey;
        if (field.Merge || field.RetainKeys) result["x-kubernetes-patch-strategy"] = field is { Merge: true, RetainKeys: true } ? "merge,retainKeys" : field.Merge ? "merge" : "retainKeys";
        return result;
    }

    private static JsonNode? Zero(FieldSchema field) => !field.Written || field.Pointer ? null : field.Type.Kind switch
    {
        ValueKind.String => "",
        ValueKind.Bool => false,
        ValueKind.Int32 or ValueKind.Int64 or ValueKind.Double => 0,
        _ => null,
    };

    private JsonObject Type(FieldType type)
    {
        if (Special.TryGetValue(type.Kind, out var special))
        {
            schemas.TryAdd(special.Name, special.Schema.DeepClone().AsObject());
            return new() { ["$ref"] = Prefix + special.Name };
        }

        return type.Kind switch
        {
            ValueKind.Object => Reference(type.Object!),
            ValueKind.List => new() { ["type"] = "array", ["items"] = Type(type.Element!) },
            ValueKind.Map => new() { ["type"] = "object", ["additionalProperties"] = Type(type.Element!) },
            ValueKind.Extra => new() { ["type"] = "array", ["items"] = new JsonObject { ["type"] = "string" } },
            ValueKind.Int32 => new() { ["type"] = "integer", ["format"] = "int32" },
            ValueKind.Int64 => new() { ["type"] = "integer", ["format"] = "int64" },
            ValueKind.Double => new() { ["type"] = "number", ["format"] = "double" },
            ValueKind.Bool => new() { ["type"] = "boolean" },
            ValueKind.Bytes => new() { ["type"] = "string", ["format"] = "byte" },
            _ => new() { ["type"] = "string" },
        };
    }

    private JsonObject Custom(ServedResource resource, string suffix)
    {
        var reversed = string.Join('.', resource.Group.Split('.').Reverse());
        var name = $"{reversed}.{resource.Version}.{resource.Kind}{suffix}";
        if (!schemas.ContainsKey(name))
        {
            var schema = suffix.Length == 0 ? resource.CustomSchema?.DeepClone().AsObject() ?? new() { ["x-kubernetes-preserve-unknown-fields"] = true } : new()
            {
                ["description"] = $"A list of {resource.Kind} objects.",
                ["required"] = new JsonArray("items"),
            };
            schemas[name] = schema;
            schema["type"] = "object";
            var properties = schema.Child("properties");
            properties["apiVersion"] = new JsonObject { ["description"] = "Group and version of this object.", ["type"] = "string" };
            properties["kind"] = new JsonObject { ["description"] = "The kind of this object.", ["type"] = "string" };
            properties["metadata"] = new JsonObject
            {
                ["description"] = "Name, labels and what else is the same for every object.",
                ["allOf"] = new JsonArray(Meta(suffix.Length == 0 ? "ObjectMeta" : "ListMeta")),
            };
            if (suffix.Length > 0)
            {
                properties["items"] = new JsonObject { ["description"] = "The objects.", ["type"] = "array", ["items"] = Custom(resource, "") };
            }

            schema[Kinds] = new JsonArray(GroupVersionKind(resource.Group, resource.Version, resource.Kind + suffix));
        }

        return new() { ["$ref"] = Prefix + name };
    }

    // backoffLimit: "Backoff limit."
    private static string Words(string name)
    {
        var words = new StringBuilder();
        for (var at = 0; at < name.Length; at++)
        {
            var upper = char.IsAsciiLetterUpper(name[at]);
            var starts = upper && at > 0 && (!char.IsAsciiLetterUpper(name[at - 1]) || at + 1 < name.Length && char.IsAsciiLetterLower(name[at + 1]));
            if (starts) words.Append(' ');
            var acronym = upper && at + 1 < name.Length && char.IsAsciiLetterUpper(name[at + 1]) || upper && at > 0 && char.IsAsciiLetterUpper(name[at - 1]) && !starts;
            words.Append(at == 0 ? char.ToUpperInvariant(name[at]) : acronym ? name[at] : char.ToLowerInvariant(name[at]));
        }

        return words.Append('.').ToString();
    }
}
