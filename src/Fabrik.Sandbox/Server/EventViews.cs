using System.Text.Json.Nodes;
using Fabrik.Sandbox.Discovery;
using Fabrik.Sandbox.Store;

namespace Fabrik.Sandbox.Server;

/// <summary>Events have two shapes, of the core group and of events.k8s.io; stored is the core one.</summary>
public static class EventViews
{
    private static readonly (string Core, string New)[] Renamed =
    [
        ("involvedObject", "regarding"), ("message", "note"), ("reportingComponent", "reportingController"),
        ("count", "deprecatedCount"), ("firstTimestamp", "deprecatedFirstTimestamp"), ("lastTimestamp", "deprecatedLastTimestamp"),
        ("source", "deprecatedSource"),
    ];

    /// <summary>From the other shape into that of <paramref name="type"/>.</summary>
    public static JsonObject Convert(JsonObject content, ResourceType type)
    {
        var toNew = type.Group.Length > 0;
        content["apiVersion"] = type.ApiVersion;
        foreach (var (core, other) in Renamed)
        {
            var (from, to) = toNew ? (core, other) : (other, core);
            if (content[from] is not { } value) continue;
            content.Remove(from);
            content[to] = value;
        }

        return content;
    }
}
