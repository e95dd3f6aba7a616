using System.Text.Json.Nodes;

namespace Fabrik.Tests.Runs.Usage;

/// <summary>A document with one part of it replaced by something of another kind, for each part.</summary>
internal static class Mutations
{
    private static readonly string?[] Others = [null, "\"\"", "\"x\"", "-1", "1e308", "true", "[]", "{}", "\"9999-12-31T23:59:59Z\"", "\"0001-01-01T00:00:00Z\"", "\"99999999999999999999E\""];

    public static IEnumerable<string> Of(string text)
    {
        var places = Places(JsonNode.Parse(text)!).ToList();
        foreach (var place in places)
        {
            foreach (var other in Others)
            {
                var copy = JsonNode.Parse(text)!;
                var parent = place.SkipLast(1).Aggregate(copy, (node, step) => step is int index ? node[index]! : node[(string)step]!);
                var value = other is null ? null : JsonNode.Parse(other);
                if (place[^1] is int at) parent[at] = value;
                else parent[(string)place[^1]] = value;
                yield return copy.ToJsonString();
            }
        }
    }

    private static IEnumerable<object[]> Places(JsonNode node)
    {
        var children = node switch
        {
            JsonObject map => map.Select(pair => ((object)pair.Key, pair.Value)),
            JsonArray list => list.Select((value, index) => ((object)index, value)),
            _ => [],
        };
        foreach (var (step, child) in children)
        {
            yield return [step];
            if (child is null) continue;
            foreach (var inner in Places(child)) yield return [step, .. inner];
        }
    }
}
