using System.Text.Json.Nodes;
using Fabrik.Kubernetes;
using Fabrik.Sandbox.Controllers;
using Fabrik.Tests.Support;

namespace Fabrik.Tests.Sandbox.Controllers;

/// <summary>One Job and its Pods, driven through the controller's decisions without an API server.</summary>
internal sealed class JobWorld
{
    private readonly JsonObject job;
    private readonly Dictionary<string, PodView> pods = [];
    private int serial;

    public JobWorld(string specJson, string? statusJson = null) =>
        job = new JsonObject
        {
            ["apiVersion"] = "batch/v1",
            ["kind"] = "Job",
            ["metadata"] = new JsonObject { ["name"] = "work", ["namespace"] = "ci", ["uid"] = "job-1" },
            ["spec"] = JsonNode.Parse(specJson),
            ["status"] = JsonNode.Parse(statusJson ?? "{}"),
        };

    public DateTimeOffset Now { get; set; } = new(2026, 11, 20, 21, 0, 0, TimeSpan.Zero);

    public JsonObject Status => (JsonObject)job["status"]!;

    public List<string> Told { get; } = [];

    public HashSet<string>? Counted { get; set; }

    public JobPlan Last { get; private set; } = JobPlan.Nothing;

    public IEnumerable<PodView> Pods => pods.Values.Where(pod => !pod.Gone);

    public JsonObject Spec => (JsonObject)job["spec"]!;

    /// <summary>Does what the plan says, as the controller would, until nothing more is to do now.</summary>
    public JobWorld Settle()
    {
        for (var round = 0; round < 20; round++)
        {
            var view = new JobView(new KubeObject(JsonElementOf(job)));
            Last = JobDecision.Decide(view, pods.Values.ToList(), Counted, Now);
            foreach (var pod in Last.Delete) pods[pod.Name] = pod with { Deleting = true, Gone = true };
            foreach (var index in Last.Create)
            {
                var name = $"work-{++serial}";
                pods[name] = new PodView($"uid-{serial}", name, "Pending", false, false, false, 0, Now, index);
            }

            if (!Last.DeleteJob && Last.Status is { } status) job["status"] = status;
            Counted = Last == JobPlan.Nothing ? Counted : Last.Counted.ToHashSet();
            Told.AddRange(Last.Events.Select(one => one.Reason));
            if (Last.Status is null && Last.Create.Count == 0 && Last.Delete.Count == 0) return this;
        }

        throw new InvalidOperationException("The decisions never come to rest.");
    }

    public JobWorld Advance(double seconds)
    {
        Now += TimeSpan.FromSeconds(seconds);
        return this;
    }

    public JobWorld Set(Func<PodView, PodView> change, string? name = null)
    {
        foreach (var pod in pods.Values.Where(pod => !pod.Gone && !pod.Ended && (name is null || pod.Name == name)).ToList()) pods[pod.Name] = change(pod);
        return this;
    }

    public JobWorld Run() => Set(pod => pod with { Phase = "Running", Ready = true });

    public JobWorld Succeed(string? name = null) => Set(pod => pod with { Phase = "Succeeded", Ready = false, FinishedAt = Now }, name);

    public JobWorld Fail(string? name = null) => Set(pod => pod with { Phase = "Failed", Ready = false, FinishedAt = Now }, name);

    private static System.Text.Json.JsonElement JsonElementOf(JsonObject json) => System.Text.Json.JsonDocument.Parse(json.ToJsonString()).RootElement;

    /// <summary>A recorded Job with its spec, without its status.</summary>
    public static (JobWorld World, JsonObject RecordedStatus) Recorded(string file)
    {
        var recorded = JsonNode.Parse(TestData.Text($"runs/recorded/{file}.json"))!["job"]!;
        return (new JobWorld(recorded["spec"]!.ToJsonString()), (JsonObject)recorded["status"]!.DeepClone());
    }
}
