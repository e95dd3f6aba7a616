using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.Admission;
using Fabrik.Experiments;
using Fabrik.Tests.Support;

namespace Fabrik.Tests.Admission;

/// <summary>
/// Folders under testdata/admission/cases: case.json names a recorded review, edits by JSON pointer (null removes), a snapshot and what follows;
/// expected.json is what the core answered, patches decoded. README.md there says how to add one.
/// </summary>
public class GoldenTests
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static TheoryData<string> Cases => [.. TestData.Folders("admission/cases").Select(folder => Path.GetFileName(folder))];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Each_case_is_answered_as_recorded(string name)
    {
        var given = JsonNode.Parse(TestData.Text($"admission/cases/{name}/case.json"))!.AsObject();
        var steps = new JsonArray();
        JsonObject? persisted = null;
        foreach (var step in given["steps"]!.AsArray().Select(one => one!.AsObject()))
        {
            var review = Review(given, step, persisted);
            var snapshot = Snapshots.Of((step["snapshot"] ?? given["snapshot"])!.AsObject());
            var reviewed = Reviewed.Of(review, snapshot, TimeSpan.FromSeconds(step["staleness"]?.GetValue<int>() ?? 0));
            steps.Add(Result(reviewed));
            persisted = reviewed.Job is { } job && job["kind"]?.GetValue<string>() == "Job" && reviewed.Outcome.Reason != AdmissionReasons.MalformedJob ? Persisted(job) : persisted;
        }

        TestData.ShouldMatchGolden(steps.ToJsonString(Indented) + "\n", $"admission/cases/{name}/expected.json");
    }

    private static JsonNode Review(JsonObject given, JsonObject step, JsonObject? persisted)
    {
        var review = JsonNode.Parse(TestData.Bytes($"admission/reviews/{(step["review"] ?? given["review"])!.GetValue<string>()}.json"))!;
        var request = review["request"]!.AsObject();
        if (step["bucket"] is { } bucket) request["uid"] = Units.In(bucket.GetValue<string>());
        switch (step["do"]?.GetValue<string>())
        {
            case "copy": request["object"] = persisted!.DeepClone(); break;
            case "update":
                request["operation"] = "UPDATE";
                request["object"] = persisted!.DeepClone();
                request["oldObject"] = persisted.DeepClone();
                break;
        }

        foreach (var (pointer, value) in step["edit"]?.AsObject() ?? []) Edit(review, pointer, value);
        return review;
    }

    private static void Edit(JsonNode review, string pointer, JsonNode? value)
    {
        var segments = pointer[1..].Split('/').Select(one => one.Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal)).ToArray();
        var parent = review;
        foreach (var segment in segments[..^1])
            parent = parent is JsonArray list ? list[int.Parse(segment)]! : parent[segment] ??= new JsonObject();
        if (parent is JsonArray items)
        {
            var index = segments[^1] == "-" ? items.Count : int.Parse(segments[^1]);
            if (value is null) items.RemoveAt(index);
            else if (index == items.Count) items.Add(value.DeepClone());
            else items[index] = value.DeepClone();
        }
        else if (value is null) parent.AsObject().Remove(segments[^1]);
        else parent[segments[^1]] = value.DeepClone();
    }

    /// <summary>As an API server would have stored the Job.</summary>
    private static JsonObject Persisted(JsonObject job)
    {
        job = job.DeepClone().AsObject();
        var metadata = job["metadata"]!.AsObject();
        if (metadata["name"] is null) metadata["name"] = metadata["generateName"]!.GetValue<string>() + "x7k2p";
        metadata["uid"] = "0b8e1f4e-5a53-4a35-9a44-3f8a5a9d7a11";
        metadata["creationTimestamp"] = "2026-11-20T21:11:23Z";
        foreach (var labels in new[] { metadata, job["spec"]!["template"]!["metadata"]!.AsObject() })
            (labels["labels"] ??= new JsonObject())["batch.kubernetes.io/controller-uid"] = "0b8e1f4e-5a53-4a35-9a44-3f8a5a9d7a11";
        return job;
    }

    private static JsonObject Result(Reviewed reviewed)
    {
        var result = new JsonObject { ["result"] = reviewed.Outcome.Result.ToString(), ["reason"] = reviewed.Outcome.Reason };
        if (reviewed.Outcome.Arm is { } arm) result["arm"] = arm.ToString();
        if (reviewed.Outcome.Change is { } change) result["change"] = change;
        if (reviewed.Outcome.Skipped is { } skipped) result["skipped"] = skipped;
        if (reviewed.Outcome.Resume is { } resume) result["resume"] = resume;
        if (reviewed.Outcome.Message is { } message) result["message"] = message;
        if (reviewed.Warnings is { Length: > 0 } warnings) result["warning"] = string.Join("; ", warnings);
        if (reviewed.Outcome.Result != AdmissionResult.Patched) return result;
        var patch = new JsonArray();
        foreach (var operation in reviewed.Patch) patch.Add(Legible(operation!.DeepClone()));
        result["patch"] = patch;
        return result;
    }

    /// <summary>The annotation as an object, so that a change of it can be read in a diff.</summary>
    private static JsonNode Legible(JsonNode operation)
    {
        const string key = Names.Annotations.Assignment;
        if (operation["value"] is JsonObject map && map[key] is { } inner) map[key] = JsonNode.Parse(inner.GetValue<string>());
        else if (operation["path"]!.GetValue<string>().EndsWith("fabrik.dev~1assignment", StringComparison.Ordinal) && operation["value"] is { } value)
            operation["value"] = JsonNode.Parse(value.GetValue<string>());
        return operation;
    }
}
