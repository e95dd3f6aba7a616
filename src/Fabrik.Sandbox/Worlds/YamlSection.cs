using System.Globalization;
using System.Text.Json.Nodes;
using Fabrik.Sandbox.Nodes;
using Fabrik.Schedules;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Fabrik.Sandbox.Worlds;

/// <summary>One mapping of a YAML file, read field by field; what is wrong and what nobody asked for is noted with its line.</summary>
internal sealed class YamlSection(YamlMappingNode node, string path, string file, List<string> problems)
{
    private readonly HashSet<string> known = [];

    public string Path => path;

    public static YamlSection? Of(YamlNode node, string path, string file, List<string> problems)
    {
        if (node is YamlMappingNode mapping) return new YamlSection(mapping, path, file, problems);
        problems.Add($"{file}:{node.Start.Line}: {path} must be a mapping of fields");
        return null;
    }

    public bool Has(string field) => Child(field) is not null;

    public void Problem(string field, string message) => problems.Add($"{file}:{(Child(field) ?? node).Start.Line}: {Full(field)} {message}");

    /// <summary>Notes every field that was never asked for.</summary>
    public void Done()
    {
        foreach (var (key, _) in node.Children)
        {
            var name = (key as YamlScalarNode)?.Value ?? "?";
            if (!known.Contains(name)) problems.Add($"{file}:{key.Start.Line}: {Full(name)} is not a field here; there are {string.Join(", ", known.Order(StringComparer.Ordinal))}");
        }
    }

    public string? Text(string field, bool required = false)
    {
        var value = Scalar(field);
        if (value is null && required) Problem(field, "is required");
        return value;
    }

    public double? Number(string field, double minimum = double.MinValue, double maximum = double.MaxValue)
    {
        if (Scalar(field) is not { } text) return null;
        if (double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && number >= minimum && number <= maximum) return number;
        Problem(field, $"must be a number{(maximum < double.MaxValue ? $" from {minimum} to {maximum}" : minimum > double.MinValue ? $" of at least {minimum}" : "")}, not \"{text}\"");
        return null;
    }

    public int? Whole(string field, int minimum, int maximum = int.MaxValue)
    {
        if (Number(field, minimum, maximum) is not { } number) return null;
        if (number == Math.Floor(number)) return (int)number;
        Problem(field, "must be a whole number");
        return null;
    }

    public bool Flag(string field)
    {
        var text = Scalar(field);
        if (text is not (null or "true" or "false")) Problem(field, $"must be true or false, not \"{text}\"");
        return text == "true";
    }

    public TimeSpan? Duration(string field) => Scalar(field) is { } text ? Seconds(field, text) is { } seconds ? TimeSpan.FromSeconds(seconds) : null : null;

    public double? Seconds(string field, string text)
    {
        if (double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var seconds) && seconds is >= 0 and <= 1e9) return seconds;
        if (GoDuration.TryParse(text, out var span, out _) && span >= TimeSpan.Zero) return span.TotalSeconds;
        Problem(field, $"must be a duration such as 90s, 8m or 1h30m, not \"{text}\"");
        return null;
    }

    public double? Bytes(string field, string text)
    {
        if (NodeCapacity.Amount(text) is >= 0 and var bytes) return bytes;
        Problem(field, $"must be a quantity such as 512Mi or 2Gi, not \"{text}\"");
        return null;
    }

    public IReadOnlyDictionary<string, string> Texts(string field)
    {
        var texts = new Dictionary<string, string>(StringComparer.Ordinal);
        if (Section(field) is not { } section) return texts;
        foreach (var name in section.Names)
            if (section.Text(name) is { } text) texts[name] = text;
        return texts;
    }

    public IReadOnlyList<string> Names => node.Children.Keys.OfType<YamlScalarNode>().Select(key => key.Value ?? "").ToList();

    public YamlSection? Section(string field) => Child(field) is { } child ? Of(child, Full(field), file, problems) : null;

    public IEnumerable<YamlSection> Sections(string field)
    {
        if (Child(field) is not { } child) yield break;
        if (child is not YamlSequenceNode list)
        {
            Problem(field, "must be a list");
            yield break;
        }

        foreach (var (item, index) in list.Children.Select((item, index) => (item, index)))
            if (Of(item, $"{Full(field)}[{index}]", file, problems) is { } section) yield return section;
    }

    public YamlNode? Node(string field) => Child(field);

    /// <summary>Any YAML as JSON: plain scalars as YAML's core schema reads them, quoted ones as text.</summary>
    public JsonNode? Json(string field) => Child(field) is { } child ? Json(child) : null;

    public JsonObject Json() => (JsonObject)Json(node)!;

    private static JsonNode? Json(YamlNode from) => from switch
    {
        YamlMappingNode map => new JsonObject(map.Children.Select(child => KeyValuePair.Create(((YamlScalarNode)child.Key).Value ?? "", Json(child.Value)))),
        YamlSequenceNode list => new JsonArray([.. list.Children.Select(Json)]),
        YamlScalarNode { Style: ScalarStyle.Plain or ScalarStyle.Any } plain => Plain(plain.Value ?? ""),
        YamlScalarNode scalar => JsonValue.Create(scalar.Value),
        _ => null,
    };

    private static JsonValue? Plain(string text) => text switch
    {
        "" or "~" or "null" => null,
        "true" => JsonValue.Create(true),
        "false" => JsonValue.Create(false),
        _ when long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var whole) => JsonValue.Create(whole),
        _ when char.IsAsciiDigit(text[^1]) && double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) => JsonValue.Create(number),
        _ => JsonValue.Create(text),
    };

    private string? Scalar(string field)
    {
        var child = Child(field);
        if (child is null or YamlScalarNode) return (child as YamlScalarNode)?.Value;
        Problem(field, "must be a single value");
        return null;
    }

    private YamlNode? Child(string field)
    {
        known.Add(field);
        return node.Children.TryGetValue(new YamlScalarNode(field), out var child) ? child : null;
    }

    private string Full(string field) => path.Length == 0 ? field : $"{path}.{field}";
}
