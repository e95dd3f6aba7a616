using System.Text.Json;
using Fabrik.Audit;

namespace Fabrik.Tests.EndToEnd;

[Collection(ClusterFixture.Collection)]
public sealed class AuditTests(ClusterFixture cluster)
{
    [Fact]
    public async Task What_a_person_does_with_the_command_is_in_the_audit_record_with_what_fabrik_made_of_it_and_its_chain_verifies()
    {
        var ns = await cluster.NamespaceAsync("audited");
        var change = await cluster.MemoryExperimentAsync(ns);
        (await cluster.FabrikAsync("optimizer", "changes", "reject", change, "--reason", "not before the release")).Code.ShouldBe(0);
        await Wait.UntilAsync("the person's word and the step to be recorded", async () =>
        {
            var actions = (await RowsAsync("--object", change)).Select(row => row.Action).ToList();
            return actions.Contains(AuditActions.ChangeCreated) && actions.Contains(AuditActions.ChangeRefused) && actions.Contains(AuditActions.StepEnded);
        });
        var rows = await RowsAsync("--object", $"OptimizationChange/{change}");
        var refused = rows.Single(row => row.Action == AuditActions.ChangeRefused);
        refused.Details["approval.reason"].ShouldBe("- -> not before the release");
        var step = rows.First(row => row.Action == AuditActions.StepIntended && row.Details.GetValueOrDefault("to") == "rolled_back");
        rows.Single(row => row.Action == AuditActions.StepEnded && row.Request == step.Request).Details["result"].ShouldBe("written");

        var verified = await cluster.FabrikAsync("audit", "verify");
        verified.Code.ShouldBe(0, verified.Error);
        verified.Out.ShouldContain("rows are whole and in order. Head: ");
        var head = verified.Out[(verified.Out.IndexOf("Head: ", StringComparison.Ordinal) + 6)..].Trim();
        (await cluster.FabrikAsync("audit", "verify", "--head", head)).Code.ShouldBe(0);
        var other = await cluster.FabrikAsync("audit", "verify", "--head", $"{head.Split(':')[0]}:{new string('a', 64)}");
        (other.Code, other.Error.Contains("FAB-1090", StringComparison.Ordinal)).ShouldBe((1, true), other.Error);
        (await cluster.FabrikAsync("audit", "list", "--limit", "3")).Out.ShouldContain("ACTION");
        await cluster.EndAsync(change);
    }

    private async Task<IReadOnlyList<AuditRow>> RowsAsync(params string[] more)
    {
        var listed = await cluster.FabrikAsync(["audit", "list", "--limit", "0", "-o", "json", .. more]);
        listed.Code.ShouldBe(0, listed.Error);
        using var json = JsonDocument.Parse(listed.Out);
        var items = json.RootElement.ValueKind == JsonValueKind.Array ? json.RootElement : json.RootElement.GetProperty("items");
        return [.. items.EnumerateArray().Select(item => item.Deserialize(AuditJson.Default.AuditRow)!)];
    }
}
