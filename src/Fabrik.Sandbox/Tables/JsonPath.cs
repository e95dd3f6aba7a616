using System.Globalization;
using System.Text.Json.Nodes;
using Fabrik.Sandbox.Schema;

namespace Fabrik.Sandbox.Tables;

/// <summary>The part of JSONPath that printer columns use: .name, ['name'], [0], [*], [?(@.name=="value")], with \. for a dot in a name.</summary>
internal sealed class JsonPath
{
    private const int MaximumSteps = 64;

    private readonly List<Func<JsonNode?, IEnumerable<JsonNode?>>> steps = [];

    /// <summary>What cannot be read finds nothing.</summary>
    public static JsonPath Parse(string text)
    {
        var path = new JsonPath();
        var at = 0;
        while (at < text.Length && path.steps.Count < MaximumSteps)
        {
            if (text[at] == '.')
            {
                var name = Name(text, ref at);
                if (name.Length > 0) path.steps.Add(name == "*" ? Each : node => Field(node, name));
            }
            else if (text[at] == '[' && text.IndexOf(']', at) is > 0 and var end)
            {
                var inside = text[(at + 1)..end];
                at = end + 1;
                path.steps.Add(Bracket(inside));
            }
            else
            {
                path.steps.Add(_ => []);
                break;
            }
        }

        return path;
    }

    public IEnumerable<JsonNode?> Find(JsonNode? root) =>
        steps.Aggregate((IEnumerable<JsonNode?>)[root], (nodes, step) => nodes.SelectMany(step)).Where(node => node is not null);

    private static string Name(string text, ref int at)
    {
        var name = new System.Text.StringBuilder();
        for (at++; at < text.Length && text[at] is not ('.' or '['); at++)
        {
            if (text[at] == '\\' && at + 1 < text.Length) at++;
            name.Append(text[at]);
        }

        return name.ToString();
    }

    private static Func<JsonNode?, IEnumerable<JsonNode?>> Bracket(string inside)
    {
        if (inside == "*") return Each;
        if (inside.Length > 1 && inside[0] is '\'' or '"' && inside[^1] == inside[0])
        {
            var name = inside[1..^1].Replace("\\.", ".", StringComparison.Ordinal);
            return node => Field(node, name);
        }

        if (int.TryParse(inside, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var index))
        {
            return node => node is JsonArray list && (index < 0 ? index + list.Count : index) is >= 0 and var at && at < list.Count ? [list[at]] : [];
        }

        if (inside is ['?', '(', '@', .. var condition, ')'] && condition.IndexOf("==", StringComparison.Ordinal) is > 0 and var equals)
        {
            var path = Parse(condition[..equals].Trim());
            var wanted = condition[(equals + 2)..].Trim().Trim('"', '\'');
            return node => node is JsonArray list ? list.Where(item => path.Find(item).Any(value => (value.String() ?? value!.ToJsonString()) == wanted)) : [];
        }

        return _ => [];
    }

    private static IEnumerable<JsonNode?> Field(JsonNode? node, string name) => node is JsonObject map ? [map[name]] : [];

    private static IEnumerable<JsonNode?> Each(JsonNode? node) => node switch
    {
        JsonArray list => list,
        JsonObject map => map.Select(entry => entry.Value),
        _ => [],
    };
}
