using System.Text.Json.Nodes;
using Fabrik.Tests.Support;

namespace Fabrik.Tests.Admission;

/// <summary>What the Jobs of an experiment say and get.</summary>
public class TreatmentTests
{
    [Theory]
    [InlineData("slot0", "treatment", "memory-4gi")]
    [InlineData("rest", "control", "memory-4gi")]
    [InlineData("holdout", "holdout", null)]
    public void Checklist_68_a_job_names_its_experiment_in_a_label(string place, string variant, string? experiment)
    {
        var labels = Admitted(place, """{"name": "memory-4gi", "slot": 0, "change": {"memoryLimit": "4Gi"}}""")["metadata"]!["labels"]!;
        ((string?)labels["optimizer.dev/experiment"]).ShouldBe(experiment);
        ((string?)labels["fabrik.dev/variant"]).ShouldBe(variant);
    }

    [Theory]
    [InlineData("slot0", true)]
    [InlineData("rest", false)]
    public void Checklist_35_a_treated_job_may_run_on_cheaper_nodes_that_can_go_at_any_time(string place, bool treated)
    {
        const string Spot = """{"name": "spot", "slot": 0, "type": "scheduling", "change": {"nodeSelector": {"pool": "spot"}, "tolerations": [{"key": "spot", "operator": "Exists", "effect": "NoSchedule"}]}}""";

        var pod = Admitted(place, Spot)["spec"]!["template"]!["spec"]!;

        ((string?)pod["nodeSelector"]?["pool"] == "spot").ShouldBe(treated);
        ((pod["tolerations"] as JsonArray)?.Any(one => (string?)one!["key"] == "spot") ?? false).ShouldBe(treated);
    }

    private static JsonObject Admitted(string place, string change)
    {
        var review = TestData.Text("admission/reviews/jobs-create-generate-name-indexed.json").Replace("3bd65474-765d-4672-b390-3af803ef1a7c", Units.In(place), StringComparison.Ordinal);
        return Reviewed.Of(JsonNode.Parse(review)!, Snapshots.Of($$$"""{"namespaces": {"ci": {"fabrik.dev/enabled": "true", "permit.fabrik.dev/scheduling": "true"}}, "changes": [{{{change}}}]}""")).After;
    }
}
