using System.Text;
using System.Text.Json;

namespace Fabrik.Tests.Sandbox.Kubectl;

/// <summary>The set of paths that a JSON text gives values to, list indexes left out. A text that was cut gives those up to the cut.</summary>
public static class Shape
{
    public static HashSet<string> Of(string json)
    {
        var paths = new HashSet<string>(StringComparer.Ordinal);
        var reader = new Utf8JsonReader(Encoding.UTF8.GetBytes(json), isFinalBlock: false, state: default);
        var stack = new Stack<string>();
        stack.Push("");
        var name = "";
        try
        {
            while (reader.Read())
            {
                switch (reader.TokenType)
                {
                    case JsonTokenType.PropertyName:
                        name = reader.GetString()!;
                        break;
                    case JsonTokenType.StartObject or JsonTokenType.StartArray:
                        var own = Path(stack.Peek(), name);
                        paths.Add(own);
                        stack.Push(reader.TokenType == JsonTokenType.StartArray ? own + "[]" : own);
                        name = "";
                        break;
                    case JsonTokenType.EndObject or JsonTokenType.EndArray:
                        stack.Pop();
                        name = "";
                        break;
                    default:
                        paths.Add(Path(stack.Peek(), name));
                        break;
                }
            }
        }
        catch (JsonException)
        {
            // The cut went through a value.
        }

        paths.Remove("");
        return paths;
    }

    private static string Path(string parent, string name) => parent.EndsWith("[]", StringComparison.Ordinal) || name.Length == 0 ? parent : parent.Length == 0 ? name : $"{parent} {name}";
}
