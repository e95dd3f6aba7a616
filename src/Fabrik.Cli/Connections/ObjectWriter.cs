using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.Kubernetes;

namespace Fabrik.Cli.Connections;

/// <summary>
/// Changes the spec of an object only while it is what the decision was made on: a write of someone else's status alone is stepped over,
/// a change of the spec or the phase in between ends the command with what changed.
/// </summary>
public static class ObjectWriter
{
    private const int Attempts = 5;

    public const string FieldManager = "fabrik-cli";

    /// <param name="change">The merge patch of the spec for the object as it is; throws where the decision makes no sense.</param>
    public static async Task<KubeObject> PatchSpecAsync(KubernetesClient client, ResourceKind kind, string? ns, string name, Func<KubeObject, JsonObject> change, CancellationToken cancel)
    {
        var first = await client.GetAsync(kind, ns, name, cancel);
        var (current, patch) = (first, change(first));
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                var body = new JsonObject { ["metadata"] = new JsonObject { ["resourceVersion"] = current.ResourceVersion }, ["spec"] = patch.DeepClone() };
                return await client.PatchAsync(kind, ns, name, PatchType.Merge, body, cancel, new WriteOptions { FieldManager = FieldManager });
            }
            catch (KubernetesException conflict) when (conflict.IsConflict)
            {
                current = await client.GetAsync(kind, ns, name, cancel);

                // The answer to an earlier attempt may have been lost.
                if (Holds(current.Json, patch)) return current;
                var differences = Differences(first.Json, current.Json);
                if (current.Uid != first.Uid) differences = ["another object of the same name took its place"];
                if (differences.Count == 0 && attempt < Attempts) continue;
                throw new CommandException(
                    ExitCode.Error,
                    "FAB-1020",
                    $"{kind.Kind} {name} was changed by someone else meanwhile; nothing was written",
                    differences.Count > 0 ? string.Join("; ", differences) : "it is written faster than it can be read",
                    "look at it as it is now, then decide again");
            }
        }
    }

    /// <summary>What of spec and phase is not the same: "status.phase: analyzing is applied now".</summary>
    public static List<string> Differences(JsonElement before, JsonElement after)
    {
        var found = new List<string>();
        Compare("spec", Member(before, "spec"), Member(after, "spec"), found);
        Compare("status.phase", Member(Member(before, "status"), "phase"), Member(Member(after, "status"), "phase"), found);
        return found;
    }

    private static void Compare(string path, JsonElement before, JsonElement after, List<string> found)
    {
        if (before.ValueKind == JsonValueKind.Object && after.ValueKind == JsonValueKind.Object)
        {
            foreach (var name in before.EnumerateObject().Select(one => one.Name).Union(after.EnumerateObject().Select(one => one.Name)))
                Compare($"{path}.{name}", Member(before, name), Member(after, name), found);
        }
        else if (!Same(before, after))
        {
            found.Add($"{path}: {Shown(before)} is {Shown(after)} now");
        }
    }

    private static bool Same(JsonElement one, JsonElement other) =>
        one.ValueKind == JsonValueKind.Undefined || other.ValueKind == JsonValueKind.Undefined ? one.ValueKind == other.ValueKind : JsonElement.DeepEquals(one, other);

    private static bool Holds(JsonElement item, JsonObject patch)
    {
        using var wanted = JsonDocument.Parse(patch.ToJsonString());
        return Contains(Member(item, "spec"), wanted.RootElement);
    }

    private static bool Contains(JsonElement item, JsonElement wanted) => wanted.ValueKind switch
    {
        JsonValueKind.Object => wanted.EnumerateObject().All(one => Contains(Member(item, one.Name), one.Value)),
        JsonValueKind.Null => item.ValueKind is JsonValueKind.Undefined or JsonValueKind.Null,
        _ => item.ValueKind != JsonValueKind.Undefined && JsonElement.DeepEquals(item, wanted),
    };

    private static string Shown(JsonElement value) => value.ValueKind == JsonValueKind.Undefined ? "nothing" : value.ToString() is { Length: <= 80 } text ? text : string.Concat(value.ToString().AsSpan(0, 79), "…");

    private static JsonElement Member(JsonElement item, string name) => item.ValueKind == JsonValueKind.Object && item.TryGetProperty(name, out var value) ? value : default;
}
