using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Fabrik.Experiments;

/// <summary>Collects every problem of one object; the methods are the keywords of the CRD schemas.</summary>
internal sealed partial class Checks
{
    private readonly List<Problem> problems = [];

    public IReadOnlyList<Problem> Problems => problems;

    public bool Require(bool holds, string field, string message)
    {
        if (!holds) problems.Add(new Problem(field, message));
        return holds;
    }

    /// <summary>Reads an object as an API server would: nulls count as absent, and a field of a wrong type is a problem of its own.</summary>
    public T? Read<T>(JsonElement json, Func<JsonElement, T> read, params ReadOnlySpan<string> required) where T : class
    {
        var node = json.ValueKind == JsonValueKind.Object ? JsonObject.Create(json)! : [];
        var complete = DropNulls(node);
        foreach (var path in required) complete &= Present(node, path.Split('.'), "");
        if (!complete) return null;
        try
        {
            return read(JsonSerializer.SerializeToElement(node, ObjectJson.Default.JsonObject));
        }
        catch (JsonException wrong)
        {
            var path = wrong.Path is { Length: > 2 } known ? known[2..] : "";
            problems.Add(new Problem(path, "has a value of the wrong type or outside the allowed ones"));
            return null;
        }
    }

    public void Range(string field, double? value, double least, double most) =>
        Require(value is not { } number || (number >= least && number <= most), field, $"must be between {least} and {most}");

    public void Text(string field, string? value, int most, Regex? pattern = null, string form = "", int least = 0)
    {
        if (value is null) return;
        var length = value.EnumerateRunes().Count();
        if (Require(length >= least && length <= most, field, $"must have {least} to {most} characters") && pattern is not null)
            Require(pattern.IsMatch(value), field, form);
    }

    public void Set(string field, IReadOnlyList<string> values, int most, Action<string, string> item)
    {
        if (!Require(values.Count <= most, field, $"must have at most {most} entries")) return;
        var seen = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < values.Count; i++)
        {
            item($"{field}[{i}]", values[i]);
            Require(seen.Add(values[i]), $"{field}[{i}]", "stands there twice");
        }
    }

    public void Map<T>(string field, IReadOnlyDictionary<string, T>? values, int least, int most, Action<string, string, T>? item = null)
    {
        if (values is null || !Require(values.Count >= least && values.Count <= most, field, $"must have {least} to {most} entries")) return;
        foreach (var (key, value) in values) item?.Invoke($"{field}.{key}", key, value);
    }

    public void LabelValues(string field, IReadOnlyDictionary<string, string>? values, int least = 0)
    {
        Map(field, values, least, 16, (at, _, value) => Text(at, value, 63, LabelValue(), "must be a label value: letters, digits, '-', '_' and '.'"));
        if (values is { Count: <= 16 }) Require(values.Keys.All(key => key.EnumerateRunes().Count() is > 0 and <= 317), field, "a label key has 1 to 317 characters");
    }

    public void Conditions(string field, IReadOnlyList<Condition> values)
    {
        if (!Require(values.Count <= 16, field, "must have at most 16 entries")) return;
        var seen = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < values.Count; i++)
        {
            var (at, value) = ($"{field}[{i}]", values[i]);
            Text(at + ".type", value.Type, 316, least: 1);
            Require(value.Status is "True" or "False" or "Unknown", at + ".status", "must be True, False or Unknown");
            Text(at + ".reason", value.Reason, 1024);
            Text(at + ".message", value.Message, 32768);
            Range(at + ".observedGeneration", value.ObservedGeneration, 0, long.MaxValue);
            Require(seen.Add(value.Type), at, "stands there twice");
        }
    }

    /// <summary>The last part must be there wherever the parts before it are; a part such as budgets[] stands for every item.</summary>
    private bool Present(JsonObject node, ReadOnlySpan<string> path, string at)
    {
        var field = at + path[0];
        if (path.Length == 1) return Require(node.ContainsKey(path[0]), field, "is required");
        if (!path[0].EndsWith("[]", StringComparison.Ordinal)) return node[path[0]] is not JsonObject inner || Present(inner, path[1..], field + ".");
        var complete = true;
        if (node[path[0][..^2]] is not JsonArray list) return complete;
        for (var i = 0; i < list.Count; i++) complete &= list[i] is not JsonObject item || Present(item, path[1..], $"{field[..^2]}[{i}].");
        return complete;
    }

    private bool DropNulls(JsonNode node)
    {
        var whole = true;
        if (node is JsonArray list)
        {
            for (var i = 0; i < list.Count; i++) whole &= Require(list[i] is not null, $"{list.GetPath()[2..]}[{i}]", "must not be null") && DropNulls(list[i]!);
        }
        else if (node is JsonObject map)
        {
            foreach (var (key, value) in map.ToArray())
            {
                if (value is null) map.Remove(key);
                else whole &= DropNulls(value);
            }
        }

        return whole;
    }

    // \z, not $: the latter also matches before a final line break.
    [GeneratedRegex(@"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?\z", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    public static partial Regex LabelValue();

    [GeneratedRegex(@"^[a-z0-9]([-a-z0-9]*[a-z0-9])?\z", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    public static partial Regex DnsLabel();

    [GeneratedRegex(@"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?\z", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    public static partial Regex DnsName();

    [GeneratedRegex(@"^[1-9][0-9]{0,4}[mhd]\z", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    public static partial Regex Duration();

    [GeneratedRegex(@"^[a-z][a-z0-9_]*\z", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    public static partial Regex Word();

    [GeneratedRegex(@"^(100|[0-9]{1,2})%\z", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    public static partial Regex Percent();

    [GeneratedRegex(@"^([01][0-9]|2[0-3]):[0-5][0-9]\z", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    public static partial Regex TimeOfDay();

    [GeneratedRegex(@"^[A-Za-z][A-Za-z0-9_+/-]*\z", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    public static partial Regex TimeZone();

    [GeneratedRegex(@"^[A-Z]{3}\z", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    public static partial Regex Currency();

    [GeneratedRegex(@"^[0-9]{1,15}([.][0-9]{1,6})?\z", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    public static partial Regex Money();

    [GeneratedRegex(@"^[a-z0-9]([-._:/a-z0-9]*[a-z0-9])?\z", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    public static partial Regex Registry();
}
