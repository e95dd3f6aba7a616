using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using Fabrik.Experiments;
using Fabrik.Sandbox.Server;

namespace Fabrik.Tests.Experiments;

/// <summary>The schemas of the CRDs and the records that read the objects say the same, field by field.</summary>
public class SchemaAgreementTests
{
    public static TheoryData<string> Definitions => [CustomResources.OptimizationChanges, CustomResources.OptimizerPolicies];

    [Fact]
    public void Every_field_of_the_records_is_in_the_schema_with_its_type_and_the_other_way_round()
    {
        var differences = new List<string>();
        Compare("", Schema(CustomResources.OptimizationChanges), ObjectJson.Default.OptimizationChange, differences);
        Compare("", Schema(CustomResources.OptimizerPolicies), ObjectJson.Default.OptimizerPolicy, differences);
        differences.ShouldBeEmpty();
    }

    [Fact]
    public void Defaults_of_the_schema_are_those_of_the_records()
    {
        var change = JsonSerializer.SerializeToNode(
            ObjectJson.Change(JsonElement.Parse("""{"metadata":{"name":"a"},"spec":{"type":"resource","change":{},"evidence":{}}}""")), ObjectJson.Default.OptimizationChange)!;
        var policy = JsonSerializer.SerializeToNode(ObjectJson.Policy(JsonElement.Parse("""{"metadata":{"name":"default"}}""")), ObjectJson.Default.OptimizerPolicy)!;
        var differences = new List<string>();
        Defaults("spec", Schema(CustomResources.OptimizationChanges)["properties"]!["spec"]!, change["spec"], differences);
        Defaults("spec", Schema(CustomResources.OptimizerPolicies)["properties"]!["spec"]!, policy["spec"], differences);
        differences.ShouldBeEmpty();
    }

    [Theory, MemberData(nameof(Definitions))]
    public void Every_field_says_its_type_what_it_means_and_how_large_it_may_be(string definition)
    {
        var lacking = new List<string>();
        Walk("", Schema(definition), (path, schema) =>
        {
            var type = (string?)schema["type"];
            if (type is null) lacking.Add($"{path} has no type");
            // A server takes no description for metadata.
            if (schema["description"] is null && path != ".metadata") lacking.Add($"{path} has no description");
            if (type == "array" && schema["maxItems"] is null) lacking.Add($"{path} has no maxItems");
            if (type == "object" && schema["additionalProperties"] is not null && schema["maxProperties"] is null) lacking.Add($"{path} has no maxProperties");
            if (type == "string" && schema["maxLength"] is null && path is not (".apiVersion" or ".kind")) lacking.Add($"{path} has no maxLength");
        });
        lacking.ShouldBeEmpty();
    }

    [Theory, MemberData(nameof(Definitions))]
    public void Everything_beyond_a_bound_of_the_schema_is_refused_in_code_too(string definition)
    {
        var change = definition == CustomResources.OptimizationChanges;
        var missed = new List<string>();
        Walk("", Schema(definition)["properties"]!["spec"]!, (path, schema) =>
        {
            if (path.Length == 0) return;
            foreach (var (bad, what) in Beyond(schema))
            {
                var root = JsonNode.Parse(change
                    ? """{"metadata":{"name":"a"},"spec":{"type":"resource","change":{"memoryLimit":"1Gi"}}}"""
                    : """{"metadata":{"name":"default"},"spec":{}}""")!.AsObject();
                Put(root["spec"]!.AsObject(), path.Split('.', StringSplitOptions.RemoveEmptyEntries), bad);
                var element = JsonSerializer.SerializeToElement(root);
                if ((change ? ChangeRules.Validate(null, element) : PolicyRules.Validate(null, element)).Count == 0) missed.Add($"spec{path} {what}");
            }
        });
        missed.ShouldBeEmpty();
    }

    private static IEnumerable<(JsonNode Bad, string What)> Beyond(JsonNode schema)
    {
        if (schema["maxLength"] is { } longest) yield return (new string('a', (int)Number(longest) + 1), "longer than maxLength");
        if (schema["minLength"] is not null) yield return ("", "shorter than minLength");
        if (schema["maximum"] is { } most) yield return (Number(most) + 1, "above the maximum");
        if (schema["minimum"] is { } least) yield return (Number(least) - 1, "below the minimum");
        if (schema["enum"] is not null) yield return ("nonsense", "outside the enum");
        if (schema["pattern"] is not null) yield return ("\u0001 \n", "against the pattern");
        if ((string?)schema["type"] is "string" or "boolean") yield return (7, "of the wrong type");
        if ((string?)schema["type"] is "integer" or "number" or "object" or "array") yield return ("seven", "of the wrong type");
        if (schema["maxItems"] is { } items) yield return (new JsonArray([.. Enumerable.Range(0, (int)Number(items) + 1).Select(i => Item(schema["items"]!, i))]), "with more than maxItems");
        if (schema["maxProperties"] is { } properties)
            yield return (new JsonObject(Enumerable.Range(0, (int)Number(properties) + 1).Select(i => KeyValuePair.Create($"k{i}", (JsonNode?)((string?)schema["additionalProperties"]!["type"] == "number" ? i : "v")))), "with more than maxProperties");
    }

    private static double Number(JsonNode value) => JsonSerializer.SerializeToElement(value).GetDouble();

    private static JsonNode Item(JsonNode schema, int index) => (string?)schema["type"] == "object" ? new JsonObject { ["name"] = $"n{index}", ["type"] = $"t{index}", ["status"] = "True" } : $"n{index}";

    private static void Put(JsonObject at, string[] path, JsonNode value)
    {
        for (var i = 0; i < path.Length; i++)
        {
            var (name, list, map) = (path[i].Replace("[]", ""), path[i].EndsWith("[]", StringComparison.Ordinal), i + 1 < path.Length && path[i + 1] == "*");
            var last = i == path.Length - 1 || (map && i == path.Length - 2);
            if (list)
            {
                var item = last ? value : new JsonObject { ["name"] = "n" };
                at[name] = new JsonArray(item);
                if (last) return;
                at = item.AsObject();
            }
            else if (last)
            {
                at[name] = map ? new JsonObject { ["key"] = value } : value;
                return;
            }
            else
            {
                at[name] ??= name == "approval" ? new JsonObject { ["approved"] = true } : new JsonObject();
                at = at[name]!.AsObject();
            }
        }
    }

    private static JsonNode Schema(string yaml) =>
        Yaml.Object(Encoding.UTF8.GetBytes(yaml))["spec"]!["versions"]![0]!["schema"]!["openAPIV3Schema"]!;

    private static void Walk(string path, JsonNode schema, Action<string, JsonNode> visit)
    {
        visit(path, schema);
        if (schema["properties"] is JsonObject properties)
        {
            foreach (var (name, inner) in properties) Walk($"{path}.{name}", inner!, visit);
        }

        if (schema["items"] is { } items) Walk(path + "[]", items, visit);
        if (schema["additionalProperties"] is { } values) Walk(path + ".*", values, visit);
    }

    private static void Compare(string path, JsonNode schema, JsonTypeInfo type, List<string> differences)
    {
        var properties = schema["properties"]!.AsObject();
        var known = type.Properties.Where(property => property.Get is not null && (path.Length > 0 || property.Name != "metadata")).ToDictionary(property => property.Name, StringComparer.Ordinal);
        foreach (var name in properties.Select(property => property.Key).Except(known.Keys))
        {
            if (path.Length > 0 || name is not ("apiVersion" or "kind" or "metadata")) differences.Add($"{path}.{name} is in the schema alone");
        }

        foreach (var (name, property) in known)
        {
            if (properties[name] is { } inner) CompareValue($"{path}.{name}", inner, property.PropertyType, differences);
            else differences.Add($"{path}.{name} is in the record alone");
        }
    }

    private static void CompareValue(string path, JsonNode schema, Type type, List<string> differences)
    {
        var bare = Nullable.GetUnderlyingType(type) ?? type;
        var (expected, format) = Wire(bare);
        var (actual, actualFormat) = ((string)schema["type"]!, (string?)schema["format"]);
        if (actual != expected || actualFormat != format) differences.Add($"{path} is {actual} {actualFormat} in the schema and {expected} {format} in the record");
        if (bare.IsEnum)
        {
            var names = Enum.GetValues(bare).Cast<object>().Select(value => (string)JsonSerializer.SerializeToNode(value, bare)!);
            if (!names.SequenceEqual(schema["enum"]!.AsArray().Select(value => (string)value!))) differences.Add($"{path} has other values in the schema");
        }
        else if (schema["items"] is { } items)
        {
            var item = bare.GetGenericArguments()[0];
            // Tolerations stay as they came.
            if (item != typeof(JsonElement)) CompareValue(path + "[]", items, item, differences);
        }
        else if (schema["additionalProperties"] is { } values)
        {
            CompareValue(path + ".*", values, bare.GetGenericArguments()[1], differences);
        }
        else if (expected == "object")
        {
            Compare(path, schema, ObjectJson.Default.GetTypeInfo(bare)!, differences);
        }
    }

    private static (string Type, string? Format) Wire(Type type)
    {
        if (type.IsEnum || type == typeof(string)) return ("string", null);
        if (type == typeof(bool)) return ("boolean", null);
        if (type == typeof(int)) return ("integer", "int32");
        if (type == typeof(long)) return ("integer", "int64");
        if (type == typeof(double)) return ("number", "double");
        if (type == typeof(DateTimeOffset)) return ("string", "date-time");
        if (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(IReadOnlyList<>)) return ("array", null);
        return ("object", null);
    }

    private static void Defaults(string path, JsonNode schema, JsonNode? actual, List<string> differences)
    {
        foreach (var (name, inner) in schema["properties"]!.AsObject())
        {
            var (at, given) = ($"{path}.{name}", inner!["default"]);
            var value = actual?[name];
            if (inner["properties"] is null)
            {
                var required = schema["required"]?.AsArray().Any(one => (string?)one == name) == true;
                if (!required && !JsonNode.DeepEquals(given, value) && !(given is JsonValue && value is JsonValue && (given.ToJsonString() == value.ToJsonString())))
                    differences.Add($"{at} defaults to {given?.ToJsonString() ?? "nothing"} in the schema and to {value?.ToJsonString() ?? "nothing"} in the record");
            }
            else if (value is not null)
            {
                Defaults(at, inner, value, differences);
            }
        }
    }
}
