using System.Text.Json.Nodes;
using Fabrik.Experiments;
using Fabrik.Kubernetes;
using Fabrik.Tests.Cli;

namespace Fabrik.Tests.Experiments;

/// <summary>What may be optimised, as the definition in the cluster and the rules in C# take it.</summary>
public sealed class DomainTests(ClusterOfObjects cluster) : IClassFixture<ClusterOfObjects>
{
    private static readonly Dictionary<string, string> Treatments = new(StringComparer.Ordinal)
    {
        ["resource"] = """{"memoryLimit":"4Gi"}""",
        ["model"] = """{"model":"claude-3-opus-20240229"}""",
        ["parallelism"] = """{"parallelism":4}""",
        ["scheduling"] = """{"nodeSelector":{"pool":"spot"},"tolerations":[{"key":"spot","operator":"Exists","effect":"NoSchedule"}]}""",
        ["spec"] = "{}",
    };

    public static TheoryData<string> Domains => [.. Treatments.Keys];

    [Theory]
    [MemberData(nameof(Domains))]
    public async Task Checklist_35_and_65_each_of_the_five_domains_is_a_type_of_change_that_the_cluster_and_the_rules_take(string domain)
    {
        await cluster.ChangeAsync($"of-{domain}", spec: Spec(domain, Treatments[domain]));
        var stored = await cluster.ReadAsync($"of-{domain}");
        ChangeRules.Validate(null, stored).ShouldBeEmpty();
        WireNames.Of(ObjectJson.Change(stored).Spec.Type).ShouldBe(domain);
        JsonNode.DeepEquals(JsonNode.Parse(stored.GetProperty("spec").GetProperty("change").GetRawText()), JsonNode.Parse(Treatments[domain])).ShouldBeTrue();
    }

    [Theory]
    [MemberData(nameof(Domains))]
    public async Task What_belongs_to_another_domain_is_refused_by_both(string domain)
    {
        var other = Treatments[domain == "resource" ? "scheduling" : "resource"];
        (await Should.ThrowAsync<KubernetesException>(cluster.ChangeAsync($"mixed-{domain}", spec: Spec(domain, other)))).IsInvalid.ShouldBeTrue();
        var body = new JsonObject { ["metadata"] = new JsonObject { ["name"] = "mixed" }, ["spec"] = Spec(domain, other) };
        ChangeRules.Validate(null, System.Text.Json.JsonSerializer.SerializeToElement(body)).ShouldNotBeEmpty();
    }

    private static JsonObject Spec(string domain, string treatment) => new()
    {
        ["type"] = domain,
        ["target"] = domain == "model" ? new JsonObject { ["model"] = "claude-3-sonnet-20240229" } : new JsonObject(),
        ["change"] = JsonNode.Parse(treatment),
    };
}
