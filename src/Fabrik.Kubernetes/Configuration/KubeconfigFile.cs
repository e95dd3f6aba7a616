using System.Text.Json;
using System.Text.Json.Nodes;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Fabrik.Kubernetes.Configuration;

/// <summary>One kubeconfig file, YAML or JSON, as JSON whose scalars may all be strings.</summary>
internal sealed record KubeconfigFile(string Path, JsonObject Content)
{
    // Aliases can make a small file into a huge tree.
    private const int MaxNodes = 200_000;
    private const int MaxDepth = 64;

    public static KubeconfigFile Read(string path)
    {
        string text;
        try
        {
            text = BoundedFile.Text(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new KubeconfigException($"The kubeconfig {path} cannot be read: {e.Message}", e);
        }

        return Parse(path, text);
    }

    public static KubeconfigFile Parse(string path, string text)
    {
        try
        {
            var node = text.AsSpan().TrimStart().StartsWith('{') ? Json(text) : Yaml(text);
            return node switch
            {
                null => new KubeconfigFile(path, []),
                JsonObject content => new KubeconfigFile(path, content),
                _ => throw new KubeconfigException($"The kubeconfig {path} is not a kubeconfig: a mapping with clusters, users and contexts was expected. Check the path."),
            };
        }
        catch (Exception e) when (e is YamlException or JsonException)
        {
            var where = e is YamlException yaml ? $" (line {yaml.Start.Line}, column {yaml.Start.Column})" : "";
            throw new KubeconfigException($"The kubeconfig {path} is neither valid YAML nor JSON{where}: {e.Message}", e);
        }
    }

    private static JsonNode? Json(string text)
    {
        try
        {
            return JsonNode.Parse(text, null, new JsonDocumentOptions { MaxDepth = MaxDepth, AllowTrailingCommas = true });
        }
        catch (JsonException)
        {
            return Yaml(text); // a YAML flow mapping also begins with {
        }
    }

    private static JsonNode? Yaml(string text)
    {
        var stream = new YamlStream();
        stream.Load(new StringReader(text));
        var nodes = 0;
        return stream.Documents.Count == 0 ? null : Convert(stream.Documents[0].RootNode, 0);

        JsonNode? Convert(YamlNode node, int depth)
        {
            if (depth > MaxDepth || ++nodes > MaxNodes) throw new YamlException(node.Start, node.End, "the document is too deep or too large");
            switch (node)
            {
                case YamlMappingNode mapping:
                    var result = new JsonObject();
                    foreach (var (key, value) in mapping.Children) result[(key as YamlScalarNode)?.Value ?? ""] = Convert(value, depth + 1);
                    return result;
                case YamlSequenceNode sequence:
                    return new JsonArray([.. sequence.Children.Select(child => Convert(child, depth + 1))]);
                case YamlScalarNode { Style: ScalarStyle.Plain, Value: null or "" or "~" or "null" }:
                    return null;
                default:
                    return JsonValue.Create(((YamlScalarNode)node).Value);
            }
        }
    }
}
