using System.Text.Json.Nodes;
using Fabrik.Experiments;
using Fabrik.Runs;

namespace Fabrik.Tests.Runs;

public class ObservedJobTests
{
    private static readonly DateTimeOffset Now = new(2026, 11, 20, 12, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData(false, false, null, null, false)]
    [InlineData(true, false, null, null, true)]
    [InlineData(false, true, null, null, true)]
    [InlineData(true, false, "false", null, false)]
    [InlineData(false, false, "true", null, true)]
    [InlineData(false, true, null, "false", false)]
    [InlineData(false, false, null, "true", true)]
    [InlineData(true, true, "false", null, true)]
    [InlineData(true, true, "false", "false", false)]
    [InlineData(true, true, "odd", "odd", true)]
    public void A_job_is_observed_that_is_optimised_or_in_the_gateway_by_its_own_word_or_its_namespaces(bool enabled, bool gateway, string? optimise, string? calls, bool observed)
    {
        var annotations = new JsonObject();
        if (optimise is not null) annotations[Names.Annotations.Optimize] = optimise;
        if (calls is not null) annotations[Names.Annotations.Gateway] = calls;
        var job = new JsonObject
        {
            ["metadata"] = new JsonObject { ["uid"] = "1", ["name"] = "a", ["namespace"] = "ci", ["resourceVersion"] = "5", ["creationTimestamp"] = "2026-11-20T11:59:00Z", ["annotations"] = annotations },
            ["spec"] = new JsonObject { ["template"] = new JsonObject { ["spec"] = new JsonObject { ["containers"] = new JsonArray(new JsonObject { ["name"] = "main" }) } } },
        };
        var ledger = new RunLedger(_ => new Assigned(Arm.Unassigned, null, "run-of-a", new RunResources()));
        ledger.Namespace("ci", Some.Namespace("ci", enabled, gateway: gateway));
        ledger.Job(Some.Element(job), deleted: false, Now);
        ledger.Take(10).Select(change => (change.Run.RunId, change.Run.Arm)).ShouldBe(observed ? [("run-of-a", Arm.Unassigned)] : []);
    }

    /// <summary>LimitRanger gives them to Pods, never to the Job.</summary>
    [Theory]
    [InlineData("""{ "requests": { "cpu": "2" } }""", false, 2000L, 2000L, 512L << 20)]
    [InlineData("""{ "requests": { "cpu": "2" }, "limits": { "memory": "1Gi" } }""", false, 2000L, 2000L, 1L << 30)]
    [InlineData("""{ "requests": { "cpu": "2" } }""", true, 2000L, null, null)]
    public void What_a_job_leaves_to_the_LimitRange_of_its_namespace_is_what_it_asked_for_and_ran_with(string asked, bool injected, long? cpuRequest, long? cpuLimit, long? memoryLimit)
    {
        var job = new JsonObject
        {
            ["metadata"] = new JsonObject { ["uid"] = "1", ["name"] = "a", ["namespace"] = "ci", ["resourceVersion"] = "5", ["creationTimestamp"] = "2026-11-20T11:59:00Z" },
            ["spec"] = new JsonObject { ["template"] = new JsonObject { ["spec"] = new JsonObject { ["containers"] = new JsonArray(new JsonObject { ["name"] = "main", ["resources"] = JsonNode.Parse(asked) }) } } },
        };
        var main = JsonNode.Parse(asked)!.AsObject();
        var limits = main["limits"]?.DeepClone().AsObject() ?? [];
        limits["cpu"] = "2";
        limits["memory"] ??= "512Mi";
        main["limits"] = limits;
        var containers = new JsonArray(new JsonObject { ["name"] = "main", ["resources"] = main });
        if (injected) containers.Add(new JsonObject { ["name"] = "mesh", ["resources"] = new JsonObject { ["limits"] = new JsonObject { ["memory"] = "64Mi" } } });
        var pod = new JsonObject
        {
            ["metadata"] = new JsonObject { ["uid"] = "p", ["name"] = "a-x", ["namespace"] = "ci", ["resourceVersion"] = "6", ["labels"] = new JsonObject { ["batch.kubernetes.io/controller-uid"] = "1" }, ["ownerReferences"] = new JsonArray(new JsonObject { ["kind"] = "Job", ["name"] = "a", ["uid"] = "1", ["controller"] = true }) },
            ["spec"] = new JsonObject { ["nodeName"] = "n", ["containers"] = containers },
            ["status"] = new JsonObject { ["phase"] = "Running" },
        };
        var ledger = new RunLedger(_ => null);
        ledger.Namespace("ci", Some.Namespace("ci", true));
        ledger.Job(Some.Element(job), deleted: false, Now);
        ledger.Pod(Some.Element(pod), Now);

        var run = ledger.Take(10)[^1].Run;

        (run.Applied.CpuRequestMillis, run.Applied.CpuLimitMillis, run.Applied.MemoryLimitBytes).ShouldBe((cpuRequest, cpuLimit, memoryLimit));
        run.Requested.ShouldBe(run.Applied);
    }
}
