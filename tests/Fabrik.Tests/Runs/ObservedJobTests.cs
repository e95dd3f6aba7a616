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
}
