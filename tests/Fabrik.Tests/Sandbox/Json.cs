using System.Text.Json.Nodes;
using Fabrik.Tests.Support;

namespace Fabrik.Tests.Sandbox;

/// <summary>Short forms for tests over JSON documents.</summary>
internal static class Json
{
    public static JsonObject Object(string text) => JsonNode.Parse(text)!.AsObject();

    public static JsonObject File(string relative) => JsonNode.Parse(TestData.Bytes("sandbox/" + relative))!.AsObject();

    /// <summary>Equal regardless of the order of fields; the message lists the paths that differ.</summary>
    public static void ShouldEqual(this JsonNode? actual, JsonNode? expected, string? what = null)
    {
        if (!JsonNode.DeepEquals(actual, expected)) Differences(actual, expected, "").ShouldBeEmpty(what);
    }

    public static void ShouldEqual(this JsonNode? actual, string expected) => actual.ShouldEqual(JsonNode.Parse(expected));

    private static IEnumerable<string> Differences(JsonNode? actual, JsonNode? expected, string path)
    {
        if (JsonNode.DeepEquals(actual, expected)) return [];
        return (actual, expected) switch
        {
            (JsonObject mine, JsonObject theirs) => mine.Select(entry => entry.Key).Union(theirs.Select(entry => entry.Key))
                .SelectMany(name => mine.ContainsKey(name) && theirs.ContainsKey(name) ? Differences(mine[name], theirs[name], $"{path}.{name}")
                    : [mine.ContainsKey(name) ? $"{path}.{name}: surplus {mine[name]?.ToJsonString()}" : $"{path}.{name}: missing {theirs[name]?.ToJsonString()}"]),
            (JsonArray mine, JsonArray theirs) when mine.Count == theirs.Count => mine.SelectMany((item, at) => Differences(item, theirs[at], $"{path}[{at}]")),
            _ => [$"{path}: {actual?.ToJsonString() ?? "null"} instead of {expected?.ToJsonString() ?? "null"}"],
        };
    }
}
