using System.Text.Json.Nodes;

namespace Fabrik.Sandbox.Schema;

/// <summary>
/// Reads types.schema. A line is one of:
/// <code>
/// enum NAME VALUE...
/// package ALIAS FULL-NAME GROUP VERSION        (GROUP "-" is the core group)
/// type NAME [kind] [atomic] [| description]
///   FIELD NUMBER TYPE [FLAG...] [| description]
/// </code>
/// TYPE: "*" a pointer, "[]" a list, "{}" a map, then a scalar's name or a type's (of the same package, core or meta; else ALIAS.NAME).
/// FLAGS: "!" required and always written; required; written (always written, though optional); omitzero; inline;
/// map=KEY,KEY set atomic granular (list type, single owner or not); merge[=KEY] retainKeys replace (strategic merge); default=JSON; enum=NAME.
/// </summary>
internal static class SchemaFile
{
    private static readonly Dictionary<string, FieldType> Scalars = new(StringComparer.Ordinal)
    {
        ["string"] = new(ValueKind.String),
        ["int32"] = new(ValueKind.Int32),
        ["int64"] = new(ValueKind.Int64),
        ["double"] = new(ValueKind.Double),
        ["bool"] = new(ValueKind.Bool),
        ["bytes"] = new(ValueKind.Bytes),
        ["quantity"] = new(ValueKind.Quantity),
        ["time"] = new(ValueKind.Time),
        ["microtime"] = new(ValueKind.MicroTime),
        ["intorstring"] = new(ValueKind.IntOrString),
        ["raw"] = new(ValueKind.Raw),
        ["fields"] = new(ValueKind.Fields),
        ["json"] = new(ValueKind.Json),
        ["extra"] = new(ValueKind.Extra),
        ["schemaOrArray"] = new(ValueKind.SchemaOrArray),
        ["schemaOrBool"] = new(ValueKind.SchemaOrBool),
        ["schemaOrStrings"] = new(ValueKind.SchemaOrStrings),
    };

    public static Dictionary<string, TypeSchema> Read(TextReader reader)
    {
        var types = new Dictionary<string, TypeSchema>(StringComparer.Ordinal);
        var pending = new List<(List<FieldSchema> Fields, string Package, string Line)>();
        var enums = new Dictionary<string, string[]>(StringComparer.Ordinal);
        var package = (Alias: "", Name: "", Group: "", Version: "");
        List<FieldSchema> fields = [];
        while (reader.ReadLine() is { } line)
        {
            if (line.Length == 0 || line[0] == '#') continue;
            if (line[0] == ' ')
            {
                pending.Add((fields, package.Alias, line));
                continue;
            }

            var (head, description) = Split(line);
            var words = head.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            switch (words[0])
            {
                case "enum":
                    enums[words[1]] = [.. words[2..].Select(value => value == "\"\"" ? "" : value)];
                    break;
                case "package":
                    package = (words[1], words[2], words[3] == "-" ? "" : words[3], words[4]);
                    break;
                default:
                    fields = [];
                    types[$"{package.Alias}.{words[1]}"] = new TypeSchema
                    {
                        Name = words[1],
                        FullName = $"{package.Name}.{words[1]}",
                        Group = package.Group,
                        Version = package.Version,
                        IsKind = words.Contains("kind"),
                        Atomic = words.Contains("atomic"),
                        Description = description,
                        Declared = fields,
                    };
                    if (words.Contains("kind"))
                    {
                        fields.Add(new("apiVersion", 0, Scalars["string"], "Group and version of this object, such as batch/v1."));
                        fields.Add(new("kind", 0, Scalars["string"], "The kind of this object."));
                    }

                    break;
            }
        }

        foreach (var (list, alias, line) in pending) list.Add(Field(line, alias, types, enums));
        return types;
    }

    private static FieldSchema Field(string line, string alias, Dictionary<string, TypeSchema> types, Dictionary<string, string[]> enums)
    {
        var (head, description) = Split(line);
        var words = head.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var pointer = words[2][0] == '*';
        var field = new FieldSchema(words[0], int.Parse(words[1]), Type(words[2].AsSpan(pointer ? 1 : 0), alias, types), description) { Pointer = pointer };
        foreach (var word in words.AsSpan(3))
        {
            var (flag, value) = word.IndexOf('=', StringComparison.Ordinal) is > 0 and var at ? (word[..at], word[(at + 1)..]) : (word, "");
            field = flag switch
            {
                "!" => field with { Required = true, Written = true },
                "required" => field with { Required = true },
                "written" => field with { Written = true },
                "omitzero" => field with { OmitZero = true },
                "inline" => field with { Inline = true },
                "map" => field with { ListType = flag, Keys = value.Split(',') },
                "set" => field with { ListType = flag },
                "atomic" when field.Type.Kind == ValueKind.List => field with { ListType = flag },
                "atomic" => field with { Atomic = true },
                "merge" => field with { Merge = true, MergeKey = value.Length == 0 ? null : value },
                "retainKeys" => field with { RetainKeys = true },
                "default" => field with { Default = JsonNode.Parse(value) },
                "enum" => field with { Enum = enums[value] },
                "granular" => field with { Granular = true },
                "replace" => field,
                _ => throw new InvalidDataException($"types.schema: unknown flag {word} in \"{line}\""),
            };
        }

        return field;
    }

    private static FieldType Type(ReadOnlySpan<char> text, string alias, Dictionary<string, TypeSchema> types)
    {
        if (text.StartsWith("[]")) return new(ValueKind.List, Type(text[2..], alias, types));
        if (text.StartsWith("{}")) return new(ValueKind.Map, Type(text[2..], alias, types));
        var name = text.TrimStart('*').ToString();
        if (Scalars.TryGetValue(name, out var scalar)) return scalar;
        string[] places = name.Contains('.', StringComparison.Ordinal) ? [name] : [$"{alias}.{name}", $"core.{name}", $"meta.{name}"];
        foreach (var place in places)
        {
            if (types.TryGetValue(place, out var type)) return new(ValueKind.Object, Object: type);
        }

        throw new InvalidDataException($"types.schema: no type {name} in package {alias}");
    }

    private static (string Head, string Description) Split(string line) =>
        line.IndexOf(" | ", StringComparison.Ordinal) is >= 0 and var bar ? (line[..bar], line[(bar + 3)..]) : (line, "");
}
