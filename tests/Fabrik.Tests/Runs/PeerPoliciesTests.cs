using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.Runs;

namespace Fabrik.Tests.Runs;

public sealed class PeerPoliciesTests
{
    [Fact]
    public void Jobs_of_a_namespace_that_say_the_same_reach_each_other_and_nobody_else()
    {
        var policies = Of(Job("a", "one"), Job("b", "one"), Job("c", "two"), Job("d", "one", ns: "other"), Job("e", null));
        Reach(policies).ShouldBe(["a: a b", "b: a b", "c: c", "d: d"]);
        policies.ShouldAllBe(policy => JsonNode.DeepEquals(policy["spec"]!["ingress"]![0]!["from"], policy["spec"]!["egress"]![0]!["to"]));
        foreach (var policy in policies) policy["metadata"]!["ownerReferences"]![0]!["uid"]!.ToString().ShouldBe(Uid(policy), "it goes with its Job");
    }

    [Fact]
    public void What_has_ended_or_is_going_is_nobodys_peer() =>
        Reach(Of(Job("a", "one"), Job("b", "one", condition: "Complete"), Job("c", "one", condition: "Failed"), Job("d", "one", condition: "Suspended"), Job("e", "one", deleted: true))).ShouldBe(["a: a d", "d: a d"]);

    /// <summary>There a policy that lets the peers through would shut out everything else.</summary>
    [Fact]
    public void Nothing_is_written_where_pods_reach_everything_anyway() =>
        PeerPolicies.Of([Element(Job("a", "one"))], ns => ns != "runs").ShouldBeEmpty();

    [Fact]
    public void The_hundred_that_were_first_are_peers()
    {
        var policies = Of([.. Enumerable.Range(0, 120).Select(i => Job($"{i:000}", "one", created: $"2026-11-27T00:{i / 60:00}:{i % 60:00}Z"))]);
        policies.Count.ShouldBe(PeerPolicies.MostJobs);
        policies.Select(Uid).Max().ShouldBe("099");
    }

    [Fact]
    public void The_order_in_which_jobs_are_told_changes_nothing()
    {
        JsonObject[] jobs = [.. "abcdef".Select(name => Job(name.ToString(), "one"))];
        Of([.. Enumerable.Reverse(jobs)]).Select(one => one.ToJsonString()).Order().ShouldBe(Of(jobs).Select(one => one.ToJsonString()).Order());
    }

    private static IReadOnlyList<JsonObject> Of(params JsonObject[] jobs) => PeerPolicies.Of(jobs.Select(Element), _ => true);

    private static string[] Reach(IEnumerable<JsonObject> policies) =>
        [.. policies.Select(policy => $"{Uid(policy)}: {string.Join(' ', policy["spec"]!["egress"]![0]!["to"]![0]!["podSelector"]!["matchExpressions"]![0]!["values"]!.AsArray())}").Order(StringComparer.Ordinal)];

    private static string Uid(JsonObject policy) => policy["spec"]!["podSelector"]!["matchLabels"]![Names.Labels.ControllerUid]!.ToString();

    private static JsonObject Job(string uid, string? peers, string ns = "runs", string? condition = null, bool deleted = false, string created = "2026-11-27T00:00:00Z")
    {
        var metadata = new JsonObject { ["name"] = "job-" + uid, ["namespace"] = ns, ["uid"] = uid, ["creationTimestamp"] = created };
        if (peers is not null) metadata["annotations"] = new JsonObject { [Names.Annotations.Peers] = peers };
        if (deleted) metadata["deletionTimestamp"] = created;
        var job = new JsonObject { ["metadata"] = metadata };
        if (condition is not null) job["status"] = new JsonObject { ["conditions"] = new JsonArray(new JsonObject { ["type"] = condition, ["status"] = "True" }) };
        return job;
    }

    private static JsonElement Element(JsonObject job) => JsonSerializer.SerializeToElement(job);
}
