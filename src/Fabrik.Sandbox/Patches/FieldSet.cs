using System.Text.Json.Nodes;
using Fabrik.Sandbox.Schema;

namespace Fabrik.Sandbox.Patches;

/// <summary>
/// A set of paths as managedFields writes it (FieldsV1): a tree whose keys are f:NAME, k:{keys}, v:value or i:index; "." marks a node that is
/// a member although it has members below.
/// </summary>
public sealed class FieldSet
{
    private const string Self = ".";
    private const int MaximumDepth = 128;

    private static readonly Dictionary<string, FieldSet> Nothing = [];

    private Dictionary<string, FieldSet>? below;

    /// <summary>Whether the node itself belongs to the set.</summary>
    public bool Member { get; set; }

    public bool IsEmpty
    {
        get
        {
            if (Member) return false;
            foreach (var child in Children.Values)
            {
                if (!child.IsEmpty) return false;
            }

            return true;
        }
    }

    private Dictionary<string, FieldSet> Children => below ?? Nothing;

    public FieldSet? Find(string element) => Children.GetValueOrDefault(element);

    public FieldSet Child(string element)
    {
        below ??= [];
        if (!below.TryGetValue(element, out var child)) below[element] = child = new();
        return child;
    }

    public static string Field(string name) => "f:" + name;

    /// <summary>The element of a set's or keyed list's item.</summary>
    public static string Item(JsonNode? item, FieldShape list)
    {
        if (list.Kind != ShapeKind.KeyedList) return "v:" + Text.Compact(item);
        var keys = new JsonObject();
        foreach (var (name, preset) in list.Keys)
        {
            if (((item as JsonObject)?[name] ?? preset) is { } value) keys[name] = value.DeepClone();
        }

        return "k:" + Text.Compact(keys);
    }

    /// <summary>From FieldsV1; what is not a field set is an empty one.</summary>
    public static FieldSet Read(JsonNode? fields) => Read(fields as JsonObject, 0);

    public JsonObject Write()
    {
        var result = new JsonObject();
        foreach (var (element, child) in Children.OrderBy(entry => entry.Key, StringComparer.Ordinal))
        {
            if (child.IsEmpty) continue;
            var inner = child.Write();
            if (child.Member && inner.Count > 0) inner.Insert(0, Self, new JsonObject());
            result[element] = inner;
        }

        return result;
    }

    public FieldSet Union(FieldSet other)
    {
        var result = new FieldSet { Member = Member || other.Member };
        foreach (var element in Children.Keys.Union(other.Children.Keys))
        {
            result.Put(element, Find(element) is { } mine ? other.Find(element) is { } theirs ? mine.Union(theirs) : mine : other.Find(element)!);
        }

        return result;
    }

    public FieldSet Intersect(FieldSet other)
    {
        var result = new FieldSet { Member = Member && other.Member };
        foreach (var (element, child) in Children)
        {
            if (other.Find(element) is { } theirs && child.Intersect(theirs) is { IsEmpty: false } both) result.Put(element, both);
        }

        return result;
    }

    public FieldSet Except(FieldSet other)
    {
        var result = new FieldSet { Member = Member && !other.Member };
        foreach (var (element, child) in Children)
        {
            var rest = other.Find(element) is { } theirs ? child.Except(theirs) : child;
            if (!rest.IsEmpty) result.Put(element, rest);
        }

        return result;
    }

    /// <summary>Without the other's members and all that is below them.</summary>
    public FieldSet ExceptBelow(FieldSet other)
    {
        if (other.Member) return new();
        var result = new FieldSet { Member = Member };
        foreach (var (element, child) in Children)
        {
            var rest = other.Find(element) is { } theirs ? child.ExceptBelow(theirs) : child;
            if (!rest.IsEmpty) result.Put(element, rest);
        }

        return result;
    }

    /// <summary>With every field of an object type a member that has members below it.</summary>
    public FieldSet WithParents(FieldShape shape)
    {
        var result = new FieldSet { Member = Member };
        foreach (var (element, child) in Children)
        {
            var inner = child.WithParents(Below(shape, element));
            if (element.StartsWith("f:", StringComparison.Ordinal) && shape.IsField(element[2..]) && !child.IsEmpty) inner.Member = true;
            result.Put(element, inner);
        }

        return result;
    }

    public static FieldShape Below(FieldShape shape, string element) =>
        element.StartsWith("f:", StringComparison.Ordinal) ? shape.Entry(element[2..]) : shape.Element;

    public bool SameAs(FieldSet other) => Except(other).IsEmpty && other.Except(this).IsEmpty;

    /// <summary>Paths as conflicts name them: .spec.template.spec.containers[name="main"].image.</summary>
    public IEnumerable<string> Paths(string prefix = "")
    {
        if (Member) yield return prefix;
        foreach (var (element, child) in Children.OrderBy(entry => entry.Key, StringComparer.Ordinal))
        {
            foreach (var path in child.Paths(prefix + Readable(element))) yield return path;
        }
    }

    private void Put(string element, FieldSet child) => (below ??= [])[element] = child;

    private static string Readable(string element) => element[..2] switch
    {
        "f:" => "." + element[2..],
        "v:" => $"[={element[2..]}]",
        "k:" when JsonNode.Parse(element[2..]) is JsonObject keys => $"[{string.Join(",", keys.Select(key => $"{key.Key}={Text.Compact(key.Value)}"))}]",
        _ => $"[{element[2..]}]",
    };

    private static FieldSet Read(JsonObject? fields, int depth)
    {
        var set = new FieldSet();
        if (fields is null || depth > MaximumDepth) return set;
        foreach (var (element, inner) in fields)
        {
            if (element == Self)
            {
                set.Member = true;
                continue;
            }

            if (element.Length < 2 || element[1] != ':' || element[0] is not ('f' or 'k' or 'v' or 'i')) continue;
            if (element[0] == 'k' && !IsKeys(element[2..])) continue;
            var child = Read(inner as JsonObject, depth + 1);
            if (inner is JsonObject { Count: 0 }) child.Member = true;
            set.Put(element, child);
        }

        return set;
    }

    private static bool IsKeys(string text)
    {
        try
        {
            return JsonNode.Parse(text) is JsonObject;
        }
        catch (System.Text.Json.JsonException)
        {
            return false;
        }
    }
}
