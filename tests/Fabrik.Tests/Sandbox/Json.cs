using System.Text.Json.Nodes;
using Fabrik.Tests.Support;

namespace Fabrik.Tests.Sandbox;

/// <summary>Short forms for tests over JSON documents.</summary>
internal static class Json
{
    public static JsonObject Object(string text) => JsonNode.Parse(text)!.AsObject();

    public static JsonObject File(string relative) => JsonNode.Parse(TestData.Bytes("sandbox/" + relative))!.AsObject();

    /// <summary>Equal regardless of the order of fields; the message shows both.</summary>
    public static void ShouldEqual(this JsonNode? actual, JsonNode? expected, string? what = null)
    {
        if (JsonNode.DeepEquals(actual, expected)) return;
        Sorted(actual).ShouldBe(Sorted(expected), what);
        Assert.Fail($"{what}: {actual} is not {expected}");
    }

    public static void ShouldEqual(this JsonNode? actual, string expected) => actual.ShouldEqual(JsonNode.Parse(expected));

    private static string Sorted(JsonNode? node) => Order(node)?.ToJsonString(new() { WriteIndented = true }) ?? "null";

    private static JsonNode? Order(JsonNode? node) => node switch
    {
        JsonObject map => new JsonObject(map.OrderBy(entry => entry.Key, StringComparer.Ordinal).Select(entry => KeyValuePair.Create(entry.Key, Order(entry.Value)))),
        JsonArray list => new JsonArray([.. list.Select(Order)]),
        _ => node?.DeepClone(),
    };
}
