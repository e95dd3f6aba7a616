using System.Globalization;
using System.Text.Json.Nodes;
using Fabrik.Sandbox.Schema;

namespace Fabrik.Sandbox.Patches;

/// <summary>RFC 6902 with the errors an API server answers: 400 for a patch that is none, 422 for one that does not fit the document.</summary>
public static class JsonPatch
{
    private const int MaximumOperations = 10_000;

    /// <summary>A new document; the argument stays as it is.</summary>
    /// <exception cref="RequestException">400, 413 or 422.</exception>
    public static JsonObject Apply(JsonObject document, JsonNode? patch)
    {
        if (patch is not JsonArray operations) throw RequestException.BadRequest("json: cannot unmarshal object into Go value of type jsonpatch.Patch");
        if (operations.Count > MaximumOperations)
        {
            throw new RequestException(413, "RequestEntityTooLarge", $"The allowed maximum operations in a JSON patch is {MaximumOperations}, got {operations.Count}");
        }

        JsonNode? root = document.DeepClone();
        foreach (var operation in operations)
        {
            if (operation is not JsonObject step) throw RequestException.BadRequest("json: cannot unmarshal the patch: an operation is not an object");
            root = Step(root, step);
        }

        return root as JsonObject ?? throw RequestException.BadRequest("the patched document is not an object");
    }

    private static JsonNode? Step(JsonNode? root, JsonObject step)
    {
        var op = step["op"].String() ?? "unknown";
        var path = step["path"].String() ?? throw Refuse($"{op} operation does not apply: missing path");
        switch (op)
        {
            case "add": return Add(root, path, Given(step, op), op);
            case "remove": return Remove(root, path, op).Root;
            case "replace":
                if (path.Length == 0) return Given(step, op);
                if (!Find(root, path, out _))
                {
                    // As the API server's library: in an object that exists, to replace what is not there is to add it.
                    var parent = path[..Math.Max(path.LastIndexOf('/'), 0)];
                    return Find(root, parent, out var into) && into is JsonObject ? Add(root, path, Given(step, op), op) : throw Missing("replace", path);
                }

                return Add(Remove(root, path, op).Root, path, Given(step, op), op);
            case "test":
                var exists = Find(root, path, out var actual);
                var wanted = step["value"];
                return (exists || wanted is null) && JsonNode.DeepEquals(actual, wanted) ? root : throw Refuse($"testing value {path} failed: test failed");
            case "move":
                var (without, moved) = Remove(root, step["from"].String() ?? throw Refuse("move operation does not apply: missing from"), op);
                return Add(without, path, moved, op);
            case "copy":
                var from = step["from"].String() ?? throw Refuse("copy operation does not apply: missing from");
                return Find(root, from, out var copied) ? Add(root, path, copied?.DeepClone(), op) : throw Missing("copy", from);
            default: throw Refuse($"Unexpected kind: {op}");
        }
    }

    private static JsonNode? Given(JsonObject step, string op) =>
        step.TryGetPropertyValue("value", out var value) ? value?.DeepClone() : throw Refuse($"{op} operation does not apply: missing value");

    private static bool Find(JsonNode? root, string path, out JsonNode? found)
    {
        found = root;
        foreach (var part in Parts(path))
        {
            switch (found)
            {
                case JsonObject map when map.TryGetPropertyValue(part, out found): break;
                case JsonArray list when Index(part, list.Count - 1) is { } at: found = list[at]; break;
                default: return false;
            }
        }

        return true;
    }

    private static JsonNode? Add(JsonNode? root, string path, JsonNode? value, string op)
    {
        var parts = Parts(path);
        if (parts.Length == 0) return value;
        switch (Parent(root, path, parts, op))
        {
            case JsonObject map:
                map[parts[^1]] = value;
                break;
            case JsonArray list:
                var at = parts[^1] == "-" ? list.Count : Index(parts[^1], list.Count, negative: true)
                    ?? throw Refuse($"{op} operation does not apply: doc is missing path: {Text.Quote(path)}: Unable to access invalid index: {parts[^1]}: invalid index referenced");
                list.Insert(at, value);
                break;
            default: throw Missing(op, path);
        }

        return root;
    }

    private static (JsonNode? Root, JsonNode? Removed) Remove(JsonNode? root, string path, string op)
    {
        var parts = Parts(path);
        if (parts.Length == 0) throw Missing(op, path);
        var parent = Parent(root, path, parts, op);
        JsonNode? removed;
        switch (parent)
        {
            case JsonObject map when map.TryGetPropertyValue(parts[^1], out removed):
                map.Remove(parts[^1]);
                return (root, removed);
            case JsonArray list when Index(parts[^1], list.Count - 1, negative: true) is { } at:
                removed = list[at];
                list.RemoveAt(at);
                return (root, removed);
            case JsonArray:
                throw Refuse($"{op} operation does not apply: doc is missing path: {Text.Quote(path)}: Unable to access invalid index: {parts[^1]}: invalid index referenced");
            default:
                throw Refuse($"{op} operation does not apply: doc is missing path: {Text.Quote(path)}: missing value");
        }
    }

    private static JsonNode? Parent(JsonNode? root, string path, string[] parts, string op)
    {
        var node = root;
        foreach (var part in parts.AsSpan(0, parts.Length - 1))
        {
            node = node switch
            {
                JsonObject map => map[part],
                JsonArray list when Index(part, list.Count - 1, negative: true) is { } at => list[at],
                _ => null,
            };
            if (node is null) throw Missing(op, path);
        }

        return node;
    }

    private static string[] Parts(string path)
    {
        if (path.Length == 0) return [];
        if (path[0] != '/') throw Refuse($"doc is missing path: {Text.Quote(path)}: missing value");
        var parts = path[1..].Split('/');
        for (var i = 0; i < parts.Length; i++)
        {
            parts[i] = parts[i].Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal);
        }

        return parts;
    }

    // The API server's library takes negative indices to count from the end.
    private static int? Index(string part, int last, bool negative = false)
    {
        if (!int.TryParse(part, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var at)) return null;
        if (at < 0 && negative) at += last + 1;
        return at >= 0 && at <= last ? at : null;
    }

    private static RequestException Missing(string op, string path) => Refuse(
        $"{op} operation does not apply: doc is missing {(op == "replace" ? "key" : "path")}: {(op == "replace" ? path : Text.Quote(path))}: missing value");

    private static RequestException Refuse(string message) =>
        new(422, "Invalid", "the server rejected our request due to an error in our request", new JsonObject
        {
            ["causes"] = new JsonArray(new JsonObject { ["reason"] = "UnexpectedServerResponse", ["message"] = message }),
        });
}
