using System.Globalization;
using System.Text.Json.Nodes;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Fabrik.Kubernetes;

/// <summary>YAML (or JSON, which YAML contains) as Kubernetes reads manifests: YAML 1.2 core schema plus nothing, several documents to a file.</summary>
public static class Manifest
{
    // Aliases can make a small file into a huge tree.
    private const int MaximumNodes = 500_000;
    private const int MaximumDepth = 128;

    /// <returns>One object a document; empty documents are left out.</returns>
    /// <exception cref="YamlException">Not YAML, not objects, or too large; the message has the place.</exception>
    public static IReadOnlyList<JsonObject> Read(string text)
    {
        var stream = new YamlStream();
        stream.Load(new StringReader(text));
        var nodes = 0;
        var found = new List<JsonObject>();
        foreach (var document in stream.Documents)
        {
            switch (Convert(document.RootNode, 0, ref nodes))
            {
                case JsonObject item: found.Add(item); break;
                case null: break;
                default: throw new YamlException(document.RootNode.Start, document.RootNode.End, "a manifest must be a mapping");
            }
        }

        return found;
    }

    private static JsonNode? Convert(YamlNode node, int depth, ref int nodes)
    {
        if (depth > MaximumDepth || ++nodes > MaximumNodes) throw new YamlException(node.Start, node.End, "the document is too deep or too large");
        switch (node)
        {
            case YamlMappingNode mapping:
                var result = new JsonObject();
                foreach (var (key, value) in mapping.Children) result[(key as YamlScalarNode)?.Value ?? string.Empty] = Convert(value, depth + 1, ref nodes);
                return result;
            case YamlSequenceNode sequence:
                var list = new JsonArray();
                foreach (var child in sequence.Children) list.Add(Convert(child, depth + 1, ref nodes));
                return list;
            case YamlScalarNode { Style: ScalarStyle.Plain or ScalarStyle.Any } plain when plain.Tag.IsEmpty:
                return Plain(plain.Value ?? string.Empty);
            default:
                return JsonValue.Create(((YamlScalarNode)node).Value);
        }
    }

    private static JsonValue? Plain(string text) => text switch
    {
        "" or "~" or "null" or "Null" or "NULL" => null,
        "true" or "True" or "TRUE" => JsonValue.Create(true),
        "false" or "False" or "FALSE" => JsonValue.Create(false),
        _ when long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var whole) => JsonValue.Create(whole),
        _ when LooksLikeANumber(text) && double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number) => JsonValue.Create(number),
        _ => JsonValue.Create(text),
    };

    private static bool LooksLikeANumber(string text) => char.IsAsciiDigit(text[^1]) && (char.IsAsciiDigit(text[0]) || text[0] is '-' or '+' or '.');
}
