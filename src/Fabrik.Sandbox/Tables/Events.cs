using System.Text.Json.Nodes;
using Fabrik.Sandbox.Schema;

namespace Fabrik.Sandbox.Tables;

/// <summary>Events of both groups, whose fields differ in name.</summary>
internal static class Events
{
    public static JsonObject Involved(JsonObject obj) => (obj["involvedObject"] ?? obj["regarding"]) as JsonObject ?? [];

    public static string Object(JsonObject obj) => $"{Involved(obj)["kind"].String()?.ToLowerInvariant()}/{Involved(obj)["name"].String()}";

    public static string Source(JsonObject obj)
    {
        var source = (obj["source"] ?? obj["deprecatedSource"]) as JsonObject;
        string?[] parts = [source?["component"].String() ?? (obj["reportingComponent"] ?? obj["reportingController"]).String(), source?["host"].String() ?? obj["reportingInstance"].String()];
        return string.Join(", ", parts.Where(part => !string.IsNullOrEmpty(part)));
    }

    public static long Count(JsonObject obj) => obj.At("series", "count").Long() ?? (obj["count"] ?? obj["deprecatedCount"]).Long() ?? 1;

    public static string FirstSeen(JsonObject obj, DateTimeOffset now) => Ages.Since(First(obj), now);

    public static string LastSeen(JsonObject obj, DateTimeOffset now)
    {
        var last = obj.At("series", "lastObservedTime") ?? obj["lastTimestamp"] ?? obj["deprecatedLastTimestamp"] ?? First(obj);
        return Count(obj) > 1 ? $"{Ages.Since(last, now)} (x{Count(obj)} over {FirstSeen(obj, now)})" : Ages.Since(last, now);
    }

    private static JsonNode? First(JsonObject obj) => obj["firstTimestamp"] ?? obj["deprecatedFirstTimestamp"] ?? obj["eventTime"];
}
