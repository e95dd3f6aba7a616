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
