using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Fabrik.Sandbox.Schema;

/// <summary>JSON text to nodes, bounded in depth. The last of doubled fields counts; each doubling is reported.</summary>
public static class JsonBody
{
    private const int MaximumDepth = 128;

    /// <param name="duplicates">One line per doubled field, in strict decoding's words: duplicate field "spec.x".</param>
    /// <exception cref="RequestException">400: not JSON, or not an object.</exception>
    public static JsonObject Object(ReadOnlySpan<byte> json, out List<string> duplicates) =>
        Parse(json, out duplicates) as JsonObject ?? throw RequestException.BadRequest("the object provided is unrecognized (must be of type Object): the body is not a JSON object");

    /// <exception cref="RequestException">400: not JSON.</exception>
    public static JsonNode? Parse(ReadOnlySpan<byte> json, out List<string> duplicates)
    {
        duplicates = [];
        try
        {
            var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = MaximumDepth });
            if (!reader.Read()) throw RequestException.BadRequest("the object provided is unrecognized: the body is empty");
            var node = Value(ref reader, new StringBuilder(), duplicates);
            if (reader.Read()) throw RequestException.BadRequest("the object provided is unrecognized: the body has more than one value");
            return node;
        }
        catch (Exception wrong) when (wrong is JsonException or InvalidOperationException)
        {
            throw RequestException.BadRequest($"error decoding the body as JSON: {wrong.Message}");
        }
    }

    private static JsonNode? Value(ref Utf8JsonReader reader, StringBuilder path, List<string> duplicates)
    {
        switch (reader.TokenType)
        {
            case JsonTokenType.StartObject:
                var result = new JsonObject();
                while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
                {
                    var name = reader.GetString()!;
                    var length = path.Length;
                    if (length > 0) path.Append('.');
                    path.Append(name);
                    if (result.ContainsKey(name) && duplicates.Count < 100) duplicates.Add($"duplicate field \"{path}\"");
                    reader.Read();
                    result[name] = Value(ref reader, path, duplicates);
                    path.Length = length;
                }

                return result;
            case JsonTokenType.StartArray:
                var list = new JsonArray();
                while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
                {
                    var length = path.Length;
                    path.Append('[').Append(list.Count).Append(']');
                    list.Add(Value(ref reader, path, duplicates));
                    path.Length = length;
                }

                return list;
            case JsonTokenType.String: return JsonValue.Create(reader.GetString());
            case JsonTokenType.True: return JsonValue.Create(true);
            case JsonTokenType.False: return JsonValue.Create(false);
            case JsonTokenType.Number: return reader.TryGetInt64(out var whole) ? JsonValue.Create(whole) : JsonValue.Create(reader.GetDouble());
            default: return null;
        }
    }
}
