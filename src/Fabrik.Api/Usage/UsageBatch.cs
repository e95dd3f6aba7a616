using System.Text.Json;
using Fabrik.Gateway;

namespace Fabrik.Api.Usage;

/// <summary>Reads a batch of events, each on its own, so that one that is wrong can be told from the others.</summary>
internal static class UsageBatch
{
    public const int MostEvents = 1000;
    public const int MostBytes = 1 << 20;

    /// <summary>An answer that names every event stays small.</summary>
    private const int MostReasons = 100;

    private static readonly string[] Required = [.. ApiJson.Default.UsageEvent.Properties.Where(property => property.IsRequired).Select(property => property.Name)];

    public static (IReadOnlyList<UsageEvent> Events, Problem? Wrong) Read(JsonElement body, DateTimeOffset now)
    {
        if (body.ValueKind != JsonValueKind.Array) return ([], Problem.BadRequest(400, "the body is not an array of events"));
        var count = body.GetArrayLength();
        if (count > MostEvents) return ([], Problem.BadRequest(413, $"the body has {count} events; at most {MostEvents} are taken at once"));
        var events = new List<UsageEvent>(count);
        var invalid = new List<RefusedEvent>();
        foreach (var item in body.EnumerateArray())
        {
            var (one, reason) = Event(item, now);
            if (one is not null) events.Add(one);
            else invalid.Add(new RefusedEvent(events.Count + invalid.Count, invalid.Count < MostReasons ? reason : null));
        }

        return invalid.Count == 0 ? (events, null) : ([], Problem.BadEvents(invalid, count));
    }

    private static (UsageEvent? Event, string? Reason) Event(JsonElement item, DateTimeOffset now)
    {
        if (item.ValueKind != JsonValueKind.Object) return (null, "it is not an object");
        foreach (var name in Required)
            if (!item.TryGetProperty(name, out _)) return (null, $"{name} is missing");
        try
        {
            var one = item.Deserialize(ApiJson.Default.UsageEvent)!;
            return UsageEventRules.Wrong(one, now) is { } wrong ? (null, wrong) : (one, null);
        }
        catch (JsonException e)
        {
            // The exception's own words are about types of ours.
            return (null, e.Path is { Length: > 2 } path ? $"{path[2..]} is not of its type" : "it is not an event");
        }
    }
}
