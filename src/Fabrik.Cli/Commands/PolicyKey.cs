using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.Experiments;
using Fabrik.Kubernetes;

namespace Fabrik.Cli.Commands;

/// <summary>
/// One field of the policy under the name the command calls it by: snake_case, groups joined by "_", without the group experiments.
/// The fields, their types and descriptions are those of the CRD's schema, so that no field is ever out of reach.
/// </summary>
/// <param name="Path">Below spec.</param>
/// <param name="Type">string, boolean, integer, number, list (of strings) or json.</param>
public sealed record PolicyKey(string Key, IReadOnlyList<string> Path, string Type, string Description, string? Default, IReadOnlyList<string> Values)
{
    /// <summary>Names of the specification that the rule does not give.</summary>
    private static readonly Dictionary<string, string> Specified = new(StringComparer.Ordinal)
    {
        ["experiments.maxConcurrent"] = "max_experiments",
        ["experiments.minimumRunsPerArm"] = "minimum_runs",
    };

    public static IReadOnlyList<PolicyKey> All { get; } = [.. Read()];

    public string Field => "spec." + string.Join('.', Path);

    /// <summary>By its name, dashes for underscores allowed, or by its path in the object.</summary>
    /// <exception cref="CommandException">There is no such key; lists the known ones.</exception>
    public static PolicyKey Find(string name)
    {
        var wanted = name.Replace('-', '_');
        return All.FirstOrDefault(key => key.Key == wanted || string.Join('.', key.Path) == name || key.Field == name)
            ?? throw new CommandException(ExitCode.Usage, "FAB-1023", $"the policy has no key {name}", $"the keys are {string.Join(", ", All.Select(key => key.Key))}", "what each means and holds: fabrik optimizer config get");
    }

    /// <exception cref="CommandException">The text is not of the field's type.</exception>
    public JsonNode Parse(string text)
    {
        JsonNode? value = Type switch
        {
            "boolean" => text switch { "true" or "yes" or "on" => true, "false" or "no" or "off" => false, _ => null },
            "integer" => int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var whole) ? whole : null,
            "number" => double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number) ? number : null,
            "list" => new JsonArray([.. text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(one => (JsonNode)JsonValue.Create(one)!)]),
            "json" => Json(text),
            _ when Values.Count > 0 => Values.Contains(text) ? text : null,
            _ => text,
        };
        return value ?? throw new CommandException(ExitCode.Usage, "FAB-1022", $"'{text}' is no value for {Key}; nothing was written", $"it takes {Form}", $"what it is now: fabrik optimizer config get {Key}");
    }

    public string Form => Type switch
    {
        "boolean" => "true or false",
        "integer" => "a whole number",
        "number" => "a number such as 0.1",
        "list" => "words with commas between them, or \"\" for none",
        "json" => "JSON",
        _ => Values.Count > 0 ? string.Join(", ", Values) : "text",
    };

    /// <summary>The merge patch of spec that sets the field; a null value takes it away.</summary>
    public JsonObject Patch(JsonNode? value)
    {
        JsonNode? inner = value;
        for (var i = Path.Count - 1; i >= 0; i--) inner = new JsonObject { [Path[i]] = inner };
        return (JsonObject)inner!;
    }

    /// <summary>What the spec holds; null where nothing is said.</summary>
    public JsonElement? Of(JsonElement spec)
    {
        foreach (var name in Path)
        {
            if (spec.ValueKind != JsonValueKind.Object || !spec.TryGetProperty(name, out spec)) return null;
        }

        return spec;
    }

    /// <summary>As a person types it.</summary>
    public static string Text(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Array when value.EnumerateArray().All(one => one.ValueKind == JsonValueKind.String) => string.Join(',', value.EnumerateArray().Select(one => one.GetString())),
        JsonValueKind.True => "true",
        JsonValueKind.False => "false",
        _ => value.ToString(),
    };

    private static JsonNode? Json(string text)
    {
        try
        {
            return JsonNode.Parse(text);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static IEnumerable<PolicyKey> Read()
    {
        var definition = Manifest.Read(CustomResources.OptimizerPolicies).Single();
        return Leaves(definition["spec"]!["versions"]![0]!["schema"]!["openAPIV3Schema"]!["properties"]!["spec"]!, []);
    }

    private static IEnumerable<PolicyKey> Leaves(JsonNode schema, string[] path)
    {
        var type = (string?)schema["type"] ?? "json";
        if (schema["properties"] is JsonObject properties) return properties.SelectMany(one => Leaves(one.Value!, [.. path, one.Key]));
        var kind = type switch
        {
            "array" => (string?)schema["items"]?["type"] == "string" ? "list" : "json",
            "object" => "json",
            _ => type,
        };
        var start = schema["default"] is { } given ? Text(JsonSerializer.SerializeToElement(given)) : null;
        return [new PolicyKey(Name(path), path, kind, (string?)schema["description"] ?? "", start, [.. schema["enum"]?.AsArray().Select(one => (string)one!) ?? []])];
    }

    private static string Name(string[] path)
    {
        if (Specified.TryGetValue(string.Join('.', path), out var specified)) return specified;
        var text = new StringBuilder();
        foreach (var part in path is ["experiments", ..] ? path[1..] : path)
        {
            if (text.Length > 0) text.Append('_');
            foreach (var one in part.Replace("openAi", "openai", StringComparison.Ordinal)) text.Append(char.IsAsciiLetterUpper(one) ? $"_{char.ToLowerInvariant(one)}" : one);
        }

        return text.ToString();
    }
}
