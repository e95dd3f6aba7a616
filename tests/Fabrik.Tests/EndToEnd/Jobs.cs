using System.Text.Json.Nodes;
using Fabrik.Kubernetes;

namespace Fabrik.Tests.EndToEnd;

/// <summary>Manifests as people write them.</summary>
internal static class Jobs
{
    public static JsonObject Named(string name, string memory = "2Gi") => Manifest(new JsonObject { ["name"] = name }, memory);

    public static JsonObject Generated(string prefix) => Manifest(new JsonObject { ["generateName"] = prefix }, "2Gi");

    public static JsonObject Spec(string memory) => new()
    {
        ["backoffLimit"] = 0,
        ["template"] = new JsonObject
        {
            ["metadata"] = new JsonObject { ["annotations"] = new JsonObject { ["sandbox.fabrik.dev/duration"] = "1s" } },
            ["spec"] = new JsonObject
            {
                ["restartPolicy"] = "Never",
                ["containers"] = new JsonArray(new JsonObject
                {
                    ["name"] = "main",
                    ["image"] = "busybox",
                    ["command"] = new JsonArray("true"),
                    ["resources"] = new JsonObject { ["requests"] = new JsonObject { ["memory"] = "8Mi", ["cpu"] = "1m" }, ["limits"] = new JsonObject { ["memory"] = memory } },
                }),
            },
        },
    };

    /// <summary>As people copy: what Kubernetes wrote must go, as kubectl's documentation says; what Fabrik wrote may stay.</summary>
    public static JsonObject Copied(KubeObject job, string name)
    {
        var copy = job.ToNode();
        copy.Remove("status");
        var metadata = copy["metadata"]!.AsObject();
        foreach (var own in (string[])["uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "generateName", "selfLink"]) metadata.Remove(own);
        metadata["name"] = name;
        foreach (var labels in (JsonNode?[])[metadata["labels"], copy["spec"]!["template"]!["metadata"]!["labels"]])
            foreach (var generated in (string[])["batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name", "controller-uid", "job-name"])
                labels?.AsObject().Remove(generated);
        copy["spec"]!.AsObject().Remove("selector");
        return copy;
    }

    /// <summary>Of the first container, by name.</summary>
    public static IReadOnlyDictionary<string, string> Environment(this KubeObject job)
    {
        var container = job.Json.GetProperty("spec").GetProperty("template").GetProperty("spec").GetProperty("containers")[0];
        return container.TryGetProperty("env", out var entries) ? entries.EnumerateArray().ToDictionary(one => one.GetProperty("name").GetString()!, one => one.GetProperty("value").GetString()!) : new Dictionary<string, string>();
    }

    public static string? Arm(this KubeObject job) => job.Label(Names.Labels.Variant);

    public static string? MemoryLimit(this KubeObject job) =>
        job.Json.GetProperty("spec").GetProperty("template").GetProperty("spec").GetProperty("containers")[0].GetProperty("resources").GetProperty("limits").GetProperty("memory").GetString();

    private static JsonObject Manifest(JsonObject metadata, string memory) => new()
    {
        ["apiVersion"] = "batch/v1",
        ["kind"] = "Job",
        ["metadata"] = metadata,
        ["spec"] = Spec(memory),
    };
}
