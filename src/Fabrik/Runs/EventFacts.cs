using System.Text.Json;

namespace Fabrik.Runs;

/// <summary>What Events about the Job itself told. They outlive Jobs and Pods (an hour, as servers are set up), so they bridge gaps.</summary>
public sealed record EventFacts
{
    public required string Namespace { get; init; }
    public required string Name { get; init; }
    public DateTimeOffset? FirstAt { get; init; }
    public DateTimeOffset? CompletedAt { get; init; }
    public DateTimeOffset? FailedAt { get; init; }

    /// <summary>BackoffLimitExceeded, DeadlineExceeded and their like.</summary>
    public string? FailedReason { get; init; }

    /// <summary>A Pod could not even be created, as with an exhausted quota.</summary>
    public bool CreateRefused { get; init; }

    internal static EventFacts? Read(JsonElement @event)
    {
        var at = Time(@event);
        var first = ((JsonElement?)@event).Time("firstTimestamp") ?? at;
        var about = @event.Get("involvedObject");
        if (about.Text("namespace") is not { } ns || about.Text("name") is not { } name) return null;
        var facts = new EventFacts { Namespace = ns, Name = name, FirstAt = first };
        return @event.Text("reason") switch
        {
            "SuccessfulCreate" or "Suspended" or "Resumed" => facts,
            "Completed" => facts with { CompletedAt = at },
            "FailedCreate" => facts with { CreateRefused = true },
            "BackoffLimitExceeded" or "DeadlineExceeded" or "PodFailurePolicy" or "FailedIndexes" or "MaxFailedIndexesExceeded" =>
                facts with { FailedAt = at, FailedReason = @event.Text("reason") },
            _ => null,
        };
    }

    /// <summary>The Pod that the Job controller says it created, or null.</summary>
    internal static string? CreatedPod(JsonElement @event)
    {
        const string prefix = "Created pod: ";
        return @event.Text("reason") == "SuccessfulCreate" && @event.Text("message") is { } message && message.StartsWith(prefix, StringComparison.Ordinal)
            && message.Length - prefix.Length is > 0 and <= 253 ? message[prefix.Length..] : null;
    }

    internal static EventFacts? Merge(EventFacts? a, EventFacts? b)
    {
        if (a is null || b is null) return a ?? b;
        return a with
        {
            FirstAt = Json.Earlier(a.FirstAt, b.FirstAt),
            CompletedAt = Json.Later(a.CompletedAt, b.CompletedAt),
            FailedAt = Json.Later(a.FailedAt, b.FailedAt),
            FailedReason = Json.Greater(a.FailedReason, b.FailedReason),
            CreateRefused = a.CreateRefused || b.CreateRefused,
        };
    }

    /// <summary>How often it happened: both forms of Events count, each in its own field.</summary>
    internal static int Count(JsonElement @event) =>
        Math.Max(1, Math.Max(((JsonElement?)@event).Number("count") ?? 1, @event.Get("series").Number("count") ?? 1));

    /// <summary>When it happened last.</summary>
    internal static DateTimeOffset? Time(JsonElement @event) =>
        @event.Get("series").Time("lastObservedTime") ?? ((JsonElement?)@event).Time("lastTimestamp") ?? ((JsonElement?)@event).Time("eventTime")
        ?? @event.Get("metadata").Time("creationTimestamp");
}
