using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.Experiments;

namespace Fabrik.Runs;

/// <summary>From the signed annotation of a Job to its arm and to what its author asked for.</summary>
public static class AssignedReader
{
    /// <returns>Null where the Job carries no assignment of its own that is signed with one of the keys.</returns>
    public static Assigned? Read(JsonElement job, AssignmentKeys keys) =>
        Assignment.Of(job, keys) is not { } assignment ? null : new Assigned(assignment.Arm, assignment.Change, assignment.RunId, Requested(job, assignment))
        {
            Experiments = [.. assignment.Experiments],
            Applied = [.. assignment.Applied],
        };

    private static RunResources Requested(JsonElement job, Assignment assignment)
    {
        var pod = job.Get("spec").Get("template").Get("spec");
        if (assignment.Written.Count == 0 || pod is not { } spec || JsonObject.Create(spec) is not { } original) return RunResources.OfPod(pod);
        foreach (var written in assignment.Written) PutBack(original, written);
        return RunResources.OfPod(JsonSerializer.SerializeToElement(original, RunJson.Default.JsonObject));
    }

    /// <summary>The container is found by its name, as another webhook may have put one before it; paths outside the containers' resources do not matter here.</summary>
    private static void PutBack(JsonObject pod, WrittenValue written)
    {
        const string containers = "/spec/template/spec/containers/";
        if (written.Container is null || !written.Path.StartsWith(containers, StringComparison.Ordinal)) return;
        if (written.Path[containers.Length..].Split('/') is not [_, "resources", .. var rest] || rest.Length > 2) return;
        var container = (pod["containers"] as JsonArray)?.OfType<JsonObject>().FirstOrDefault(one => one["name"] is JsonValue name && name.TryGetValue<string>(out var text) && text == written.Container);
        if (container is null) return;

        var at = container;
        string[] path = ["resources", .. rest];
        foreach (var step in path[..^1])
        {
            if (at[step] is JsonObject inner)
            {
                at = inner;
                continue;
            }

            if (written.From.ValueKind == JsonValueKind.Undefined) return;
            at[step] = at = new JsonObject();
        }

        if (written.From.ValueKind == JsonValueKind.Undefined) at.Remove(path[^1]);
        else at[path[^1]] = JsonNode.Parse(written.From.GetRawText());
    }
}
