using System.Text.Json.Nodes;
using Fabrik.Sandbox.Schema;

namespace Fabrik.Sandbox.Store;

/// <summary>A label selector, from its text (<c>a=b,c in (d,e),!f</c>) or from an object's matchLabels and matchExpressions.</summary>
public sealed record LabelSelector(IReadOnlyList<LabelSelector.Requirement> Requirements)
{
    public static readonly LabelSelector Everything = new([]);

    public bool Matches(IReadOnlyDictionary<string, string> labels)
    {
        foreach (var requirement in Requirements)
        {
            if (!requirement.Matches(labels)) return false;
        }

        return true;
    }

    /// <summary>Throws <see cref="FormatException"/> when the text is no selector.</summary>
    public static LabelSelector Parse(string? text)
    {
        if (string.IsNullOrWhiteSpace(text)) return Everything;
        var requirements = new List<Requirement>();
        foreach (var part in Split(text))
        {
            if (part.Length == 0) throw new FormatException("found '', expected: identifier");
            requirements.Add(ParseRequirement(part));
        }

        return new(requirements);
    }

    /// <summary>metav1.LabelSelector; null and {} match everything.</summary>
    public static LabelSelector FromObject(JsonNode? selector)
    {
        var requirements = new List<Requirement>();
        if (selector.At("matchLabels") is JsonObject labels)
        {
            requirements.AddRange(labels.Select(label => new Requirement(label.Key, Operator.In, [label.Value.Text() ?? ""])));
        }

        foreach (var expression in selector.Items("matchExpressions"))
        {
            var values = expression.Texts("values").ToArray();
            var op = expression.Text("operator") switch
            {
                "In" => Operator.In,
                "NotIn" => Operator.NotIn,
                "Exists" => Operator.Exists,
                "DoesNotExist" => Operator.DoesNotExist,
                var other => throw new FormatException($"\"{other}\" is not a valid label selector operator"),
            };
            requirements.Add(new(expression.Text("key") ?? "", op, values));
        }

        return new(requirements);
    }

    private static Requirement ParseRequirement(string part)
    {
        if (part[0] == '!') return new(Key(part[1..]), Operator.DoesNotExist, []);
        var open = part.IndexOf('(', StringComparison.Ordinal);
        if (open >= 0)
        {
            if (part[^1] != ')') throw new FormatException($"unable to parse requirement: {part}");
            string[] words = part[..open].Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (words.Length != 2 || words[1] is not ("in" or "notin")) throw new FormatException($"unable to parse requirement: {part}");
            string[] values = [.. part[(open + 1)..^1].Split(',').Select(value => value.Trim())];
            return new(Key(words[0]), words[1] == "in" ? Operator.In : Operator.NotIn, values);
        }

        foreach (var sign in (ReadOnlySpan<string>)["!=", "==", "="])
        {
            var at = part.IndexOf(sign, StringComparison.Ordinal);
            if (at < 0) continue;
            return new(Key(part[..at]), sign == "!=" ? Operator.NotIn : Operator.In, [part[(at + sign.Length)..].Trim()]);
        }

        return new(Key(part), Operator.Exists, []);
    }

    private static string Key(string text)
    {
        var key = text.Trim();
        return key.Length > 0 && key.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.' or '/')
            ? key
            : throw new FormatException($"unable to parse requirement: <nil>: Invalid value: \"{key}\": name part must be non-empty");
    }

    private static List<string> Split(string text)
    {
        var parts = new List<string>();
        var depth = 0;
        var start = 0;
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] == '(') depth++;
            else if (text[i] == ')') depth--;
            else if (text[i] == ',' && depth == 0)
            {
                parts.Add(text[start..i].Trim());
                start = i + 1;
            }
        }

        parts.Add(text[start..].Trim());
        return parts;
    }

    public enum Operator
    {
        In,
        NotIn,
        Exists,
        DoesNotExist,
    }

    public sealed record Requirement(string Key, Operator Operator, string[] Values)
    {
        public bool Matches(IReadOnlyDictionary<string, string> labels) => Operator switch
        {
            Operator.In => labels.TryGetValue(Key, out var value) && Values.Contains(value),
            Operator.NotIn => !labels.TryGetValue(Key, out var value) || !Values.Contains(value),
            Operator.Exists => labels.ContainsKey(Key),
            _ => !labels.ContainsKey(Key),
        };
    }
}
