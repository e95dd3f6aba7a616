using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Fabrik.Sandbox.Schema;

namespace Fabrik.Sandbox.Validation;

/// <summary>
/// The openAPIV3Schema of one version of a CustomResourceDefinition: pruning, defaults and validation of its objects.
/// Keep one per version; it is immutable and safe for many readers.
/// </summary>
/// <param name="schema">Null when the version has none: then everything is kept.</param>
public sealed class CustomSchema(JsonObject? schema)
{
    private static readonly ConcurrentDictionary<string, Regex?> Patterns = new(StringComparer.Ordinal);

    /// <summary>A new object without unknown fields and with defaults; each dropped field is a problem for strict decoding.</summary>
    /// <exception cref="RequestException">400: metadata has a field of the wrong type.</exception>
    public DecodedObject Decode(JsonObject obj)
    {
        var problems = new List<string>();
        var result = schema is null ? obj.DeepClone().AsObject() : Prune(obj, schema, "", root: true, problems);
        var kind = obj["kind"].String() ?? "";
        if (obj["metadata"] is JsonObject meta)
        {
            var canonical = new CanonicalForm(kind);
            try
            {
                result["metadata"] = canonical.Object(meta, ApiTypes.ObjectMeta);
            }
            catch (FormatException wrong)
            {
                throw RequestException.BadRequest($"{kind} cannot be handled: {wrong.Message}");
            }

            problems.AddRange(canonical.Problems.Select(problem => problem.Replace("field \"", "field \"metadata.", StringComparison.Ordinal)));
        }

        if (schema is not null) Default(result, schema, root: true);
        return new(result, problems);
    }

    /// <summary>Empty when the object may be stored. CEL rules are not evaluated here: <see cref="CustomRules"/>.</summary>
    public IReadOnlyList<FieldError> Validate(JsonObject obj)
    {
        var errors = new List<FieldError>();
        if (schema is not null) Check(obj, schema, "", root: true, errors);
        return errors;
    }

    internal static bool IsPattern(string pattern) => Pattern(pattern) is not null;

    private static JsonObject Prune(JsonObject value, JsonObject schema, string path, bool root, List<string> problems)
    {
        var result = new JsonObject();
        foreach (var (name, item) in value)
        {
            if (root && name is "apiVersion" or "kind" or "metadata")
            {
                result[name] = item?.DeepClone();
                continue;
            }

            var inner = path.Length == 0 ? name : $"{path}.{name}";
            var property = schema["properties"]?[name] as JsonObject ?? schema["additionalProperties"] as JsonObject;
            if (property is not null) result[name] = PruneValue(item, property, inner, problems);
            else if (schema["x-kubernetes-preserve-unknown-fields"].Bool() == true || schema["additionalProperties"].Bool() == true) result[name] = item?.DeepClone();
            else if (problems.Count < 100) problems.Add($"unknown field \"{inner}\"");
        }

        return result;
    }

    private static JsonNode? PruneValue(JsonNode? value, JsonObject schema, string path, List<string> problems) => value switch
    {
        JsonObject map when schema["x-kubernetes-embedded-resource"].Bool() == true => Prune(map, schema, path, root: true, problems),
        JsonObject map => Prune(map, schema, path, root: false, problems),
        JsonArray list when schema["items"] is JsonObject items =>
            new JsonArray([.. list.Select((item, at) => PruneValue(item, items, $"{path}[{at}]", problems))]),
        _ => value?.DeepClone(),
    };

    private static void Default(JsonObject value, JsonObject schema, bool root)
    {
        foreach (var (name, node) in schema["properties"] as JsonObject ?? [])
        {
            if (node is not JsonObject property || root && name is "apiVersion" or "kind" or "metadata") continue;
            var missing = !value.TryGetPropertyValue(name, out var current);
            if ((missing || current is null && property["nullable"].Bool() != true) && property["default"] is { } preset) value[name] = preset.DeepClone();
            else if (!missing && current is null && property["nullable"].Bool() != true && property["type"] is not null) value.Remove(name);
            DefaultInside(value[name], property);
        }

        if (schema["additionalProperties"] is not JsonObject each) return;
        foreach (var (name, item) in value)
        {
            if (schema["properties"]?[name] is null) DefaultInside(item, each);
        }
    }

    private static void DefaultInside(JsonNode? value, JsonObject schema)
    {
        switch (value)
        {
            case JsonObject map: Default(map, schema, root: false); break;
            case JsonArray list when schema["items"] is JsonObject items:
                foreach (var item in list) DefaultInside(item, items);
                break;
            default: break;
        }
    }

    private static void Check(JsonNode? value, JsonObject schema, string path, bool root, List<FieldError> errors)
    {
        if (errors.Count >= 100) return;
        if (value is null)
        {
            if (schema["nullable"].Bool() != true && schema["type"].String() is { } wanted) errors.Add(FieldError.Invalid(path, "null", $"{path} in body must be of type {wanted}: \"null\""));
            return;
        }

        if (!HasType(value, schema))
        {
            var actual = TypeOf(value);
            errors.Add(FieldError.Invalid(path, actual, $"{path} in body must be of type {schema["type"].String() ?? "integer or string"}: \"{actual}\""));
            return;
        }

        if (schema["enum"] is JsonArray options && !options.Any(option => JsonNode.DeepEquals(option, value)))
        {
            errors.Add(FieldError.NotSupported(path, value.String() ?? value.ToJsonString(), options.Select(option => option.String() ?? option?.ToJsonString() ?? "null")));
        }

        switch (value)
        {
            case JsonObject map: CheckObject(map, schema, path, root, errors); break;
            case JsonArray list: CheckList(list, schema, path, errors); break;
            default:
                if (value.String() is { } text) CheckString(text, schema, path, errors);
                else if (value.GetValueKind() == JsonValueKind.Number) CheckNumber(value, schema, path, errors);
                break;
        }

        Combine(value, schema, path, errors);
    }

    private static void CheckObject(JsonObject map, JsonObject schema, string path, bool root, List<FieldError> errors)
    {
        foreach (var name in (schema["required"] as JsonArray ?? []).Select(item => item.String() ?? ""))
        {
            if (!map.ContainsKey(name)) errors.Add(FieldError.Required(Join(path, name)));
        }

        Limit(map.Count, schema, "maxProperties", "minProperties", path, "properties", errors);
        foreach (var (name, item) in map)
        {
            if (root && name is "apiVersion" or "kind" or "metadata") continue;
            if ((schema["properties"]?[name] ?? schema["additionalProperties"]) is JsonObject property) Check(item, property, Join(path, name), root: false, errors);
        }
    }

    private static void CheckList(JsonArray list, JsonObject schema, string path, List<FieldError> errors)
    {
        Limit(list.Count, schema, "maxItems", "minItems", path, "items", errors);
        if (schema["items"] is JsonObject items)
        {
            for (var at = 0; at < list.Count; at++) Check(list[at], items, $"{path}[{at}]", root: false, errors);
        }

        var keys = schema["x-kubernetes-list-type"].String() switch
        {
            "set" => (IReadOnlyList<string>)[],
            "map" => [.. (schema["x-kubernetes-list-map-keys"] as JsonArray ?? []).Select(key => key.String() ?? "")],
            _ => null,
        };
        if (keys is null) return;
        var seen = new HashSet<string>(StringComparer.Ordinal);
        for (var at = 0; at < list.Count; at++)
        {
            var identity = keys.Count == 0 ? Text.Compact(list[at])
                : Text.Compact(new JsonObject(keys.Where(key => list[at]?[key] is not null).Select(key => KeyValuePair.Create(key, list[at]![key]?.DeepClone()))));
            if (!seen.Add(identity)) errors.Add(new("FieldValueDuplicate", $"Duplicate value: {identity}", $"{path}[{at}]"));
        }
    }

    private static void CheckString(string text, JsonObject schema, string path, List<FieldError> errors)
    {
        var length = text.EnumerateRunes().Count();
        if (length > schema["maxLength"].Long()) errors.Add(FieldError.TooLong(path, (int)schema["maxLength"].Long()!.Value));
        if (length < schema["minLength"].Long()) errors.Add(FieldError.Invalid(path, text, $"{path} in body should be at least {schema["minLength"]} chars long"));
        if (schema["pattern"].String() is { } pattern && Pattern(pattern) is { } expression && !expression.IsMatch(text))
        {
            errors.Add(FieldError.Invalid(path, text, $"{path} in body should match '{pattern}'"));
        }

        if (schema["format"].String() is "date-time" && !(text.Contains('T', StringComparison.Ordinal) && DateTimeOffset.TryParse(text, out _)))
        {
            errors.Add(FieldError.Invalid(path, text, $"{path} in body must be of type date-time: {Text.Quote(text)}"));
        }
    }

    private static void CheckNumber(JsonNode value, JsonObject schema, string path, List<FieldError> errors)
    {
        var number = Number(value);
        if (schema["maximum"] is { } top && (number > Number(top) || schema["exclusiveMaximum"].Bool() == true && number == Number(top)))
        {
            errors.Add(FieldError.Invalid(path, value, $"{path} in body should be less than {(schema["exclusiveMaximum"].Bool() == true ? "" : "or equal to ")}{top.ToJsonString()}"));
        }

        if (schema["minimum"] is { } bottom && (number < Number(bottom) || schema["exclusiveMinimum"].Bool() == true && number == Number(bottom)))
        {
            errors.Add(FieldError.Invalid(path, value, $"{path} in body should be greater than {(schema["exclusiveMinimum"].Bool() == true ? "" : "or equal to ")}{bottom.ToJsonString()}"));
        }

        if (schema["multipleOf"] is { } step && Number(step) is > 0 and var by && number % by != 0) errors.Add(FieldError.Invalid(path, value, $"{path} in body should be a multiple of {by}"));
    }

    private static void Combine(JsonNode value, JsonObject schema, string path, List<FieldError> errors)
    {
        foreach (var part in schema["allOf"].Objects()) Check(value, part, path, root: false, errors);
        if (schema["anyOf"] is JsonArray any && schema["x-kubernetes-int-or-string"].Bool() != true && !any.OfType<JsonObject>().Any(Fits))
        {
            errors.Add(FieldError.Invalid(path, value, $"{path} in body must validate at least one schema (anyOf)"));
        }

        if (schema["oneOf"] is JsonArray one && one.OfType<JsonObject>().Count(Fits) != 1) errors.Add(FieldError.Invalid(path, value, $"{path} in body must validate one and only one schema (oneOf)"));
        if (schema["not"] is JsonObject not && Fits(not)) errors.Add(FieldError.Invalid(path, value, $"{path} in body must not validate the schema (not)"));

        bool Fits(JsonObject part)
        {
            var inner = new List<FieldError>();
            Check(value, part, path, root: false, inner);
            return inner.Count == 0;
        }
    }

    private static void Limit(int count, JsonObject schema, string most, string least, string path, string what, List<FieldError> errors)
    {
        if (count > schema[most].Long()) errors.Add(new("FieldValueTooMany", $"Too many: {count}: must have at most {schema[most]} items", path));
        if (count < schema[least].Long()) errors.Add(FieldError.Invalid(path, JsonValue.Create(count), $"{path} in body should have at least {schema[least]} {what}"));
    }

    private static bool HasType(JsonNode value, JsonObject schema)
    {
        if (schema["x-kubernetes-int-or-string"].Bool() == true) return value.String() is not null || IsWhole(value);
        return schema["type"].String() switch
        {
            null or "" => true,
            "integer" => IsWhole(value),
            var wanted => TypeOf(value) == wanted || wanted == "number" && value.GetValueKind() == JsonValueKind.Number,
        };
    }

    private static bool IsWhole(JsonNode value) => value.GetValueKind() == JsonValueKind.Number && (value.Long() is not null || Number(value) % 1 == 0);

    private static string TypeOf(JsonNode value) => value.GetValueKind() switch
    {
        JsonValueKind.Object => "object",
        JsonValueKind.Array => "array",
        JsonValueKind.String => "string",
        JsonValueKind.Number => IsWhole(value) ? "integer" : "number",
        _ => "boolean",
    };

    private static double Number(JsonNode value) => double.Parse(value.ToJsonString(), System.Globalization.CultureInfo.InvariantCulture);

    private static string Join(string path, string name) => path.Length == 0 ? name : $"{path}.{name}";

    // Bounded: only as many patterns as definitions bring; a pattern runs in time linear to the text.
    private static Regex? Pattern(string pattern) => Patterns.GetOrAdd(pattern, static text =>
    {
        try
        {
            return new Regex(text, RegexOptions.CultureInvariant | RegexOptions.NonBacktracking, TimeSpan.FromSeconds(1));
        }
        catch (Exception wrong) when (wrong is ArgumentException or NotSupportedException)
        {
            return null;
        }
    });
}
