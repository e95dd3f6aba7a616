using System.Text.Json;
using Fabrik.Runs;
using Fabrik.Tests.Support;

namespace Fabrik.Tests.Runs;

/// <summary>The watch streams of a real API server as one list of changes, in the order in which they happened.</summary>
internal static class Recording
{
    public static readonly DateTimeOffset Now = new(2026, 11, 20, 21, 13, 30, TimeSpan.Zero);

    public static IReadOnlyList<Change> All { get; } = [.. new[] { "jobs", "pods", "events" }.SelectMany(Read).OrderBy(change => change.Version)];

    /// <summary>The runs that come of it when nothing goes wrong.</summary>
    public static string Expected { get; } = Whole();

    public static RunLedger Ledger()
    {
        var ledger = new RunLedger(_ => null);
        foreach (var name in (string[])["ci", "default"]) ledger.Namespace(name, Some.Namespace(name));
        return ledger;
    }

    public static void Tell(this RunLedger ledger, Change change)
    {
        if (change.Kind == "jobs") ledger.Job(change.Object, change.Type == "DELETED", Now);
        else if (change.Kind == "pods") ledger.Pod(change.Object, Now);
        else if (change.Type != "DELETED") ledger.Event(change.Object, Now);
    }

    /// <summary>What a list would show after so many changes.</summary>
    public static IEnumerable<Change> List(int after) => All.Take(after)
        .GroupBy(change => (change.Kind, change.Object.GetProperty("metadata").GetProperty("uid").GetString()))
        .Select(changes => changes.Last())
        .Where(last => last.Type != "DELETED");

    /// <summary>The last state of each run that a ledger gave out.</summary>
    public static string RunsOf(IEnumerable<RunChange> changes) =>
        RunJsonText.Of(changes.GroupBy(change => change.Run.Id, StringComparer.Ordinal).Select(group => group.Last().Run));

    private static string Whole()
    {
        var ledger = Ledger();
        foreach (var change in All) ledger.Tell(change);
        return RunsOf(ledger.Take(int.MaxValue));
    }

    private static IEnumerable<Change> Read(string kind)
    {
        foreach (var line in File.ReadLines(TestData.PathOf($"runs/watch/{kind}.ndjson")))
        {
            var json = JsonDocument.Parse(line).RootElement;
            if (json.GetProperty("type").GetString() is not ("BOOKMARK" or "ERROR" or null) and var type)
                yield return new Change(kind, type!, json.GetProperty("object"), long.Parse(json.GetProperty("object").GetProperty("metadata").GetProperty("resourceVersion").GetString()!));
        }
    }
}

internal sealed record Change(string Kind, string Type, JsonElement Object, long Version);
