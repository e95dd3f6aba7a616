using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Fabrik.Sandbox.Server;

/// <summary>YAML bodies as Kubernetes reads them: one document, plain scalars typed as in JSON. JSON is YAML too.</summary>
public static class Yaml
{
    private const int MaximumDepth = 100;

    /// <summary>Aliases can make a small text a huge tree.</summary>
    private const int MaximumNodes = 200_000;

    public static JsonObject Object(byte[] body)
    {
        var nodes = 0;
        try
        {
            var stream = new YamlStream();
            stream.Load(new StringReader(Encoding.UTF8.GetString(body)));
            if (stream.Documents.Count > 0 && Node(stream.Documents[0].RootNode, 0, ref nodes) is JsonObject found) return found;
        }
        catch (YamlException error)
        {
            throw ApiException.BadRequest("error converting YAML to JSON: " + error.Message);
        }

        throw ApiException.BadRequest("error unmarshaling JSON: json: cannot unmarshal the body into an object");
    }

    private static JsonNode? Node(YamlNode node, int depth, ref int nodes)
    {
        if (depth > MaximumDepth || ++nodes > MaximumNodes) throw ApiException.BadRequest("error converting YAML to JSON: nested too deeply or too large");
        switch (node)
        {
            case YamlMappingNode map:
                var result = new JsonObject();
                foreach (var (key, value) in map.Children)
                {
                    if (key is not YamlScalarNode name) throw ApiException.BadRequest("error converting YAML to JSON: a key is not a string");
                    result[name.Value ?? ""] = Node(value, depth + 1, ref nodes);
                }

                return result;
            case YamlSequenceNode list:
                var items = new JsonArray();
                foreach (var item in list.Children) items.Add(Node(item, depth + 1, ref nodes));
                return items;
            case YamlScalarNode { Style: ScalarStyle.Plain } plain:
                return Plain(plain.Value ?? "");
            default:
                return ((YamlScalarNode)node).Value;
        }
    }

    private static JsonNode? Plain(string text) => text switch
    {
        "" or "~" or "null" or "Null" or "NULL" => null,
        "true" or "True" or "TRUE" or "y" or "Y" or "yes" or "Yes" or "YES" or "on" or "On" or "ON" => true,
        "false" or "False" or "FALSE" or "n" or "N" or "no" or "No" or "NO" or "off" or "Off" or "OFF" => false,
        _ when long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var whole) => whole,
        _ when (char.IsAsciiDigit(text[0]) || text[0] is '-' or '.' or '+') && double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) => number,
        _ => text,
    };
}
