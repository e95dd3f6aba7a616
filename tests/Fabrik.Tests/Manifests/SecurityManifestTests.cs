using System.Text.Json.Nodes;
using Fabrik.Kubernetes;

namespace Fabrik.Tests.Manifests;

/// <summary>Network policies and the API server's files, against what they are about.</summary>
public sealed class SecurityManifestTests
{
    [Fact]
    public void Runs_are_let_out_to_dns_and_the_gateway_and_nothing_comes_in()
    {
        var policies = Policies(Names.RunsNamespace);
        policies.Count(policy => policy["spec"]!["podSelector"]!.AsObject().Count == 0 && Types(policy).SequenceEqual(["Ingress", "Egress"]) && policy["spec"]!["egress"] is null && policy["spec"]!["ingress"] is null).ShouldBe(1);
        policies.ShouldAllBe(policy => policy["spec"]!["ingress"] == null);
        policies.SelectMany(policy => Rules(policy, "egress")).SelectMany(rule => rule["to"]!.AsArray().SelectMany(peer => rule["ports"]!.AsArray().Select(port =>
            $"{peer!["namespaceSelector"]!["matchLabels"]![Names.Labels.NamespaceName]} {peer["podSelector"]!["matchLabels"]!.AsObject().Single().Value} {port!["protocol"]} {port["port"]}")))
            .ShouldBe(["kube-system kube-dns UDP 53", "kube-system kube-dns TCP 53", $"{Names.GatewayNamespace} fabrik-gateway TCP 8080"], ignoreOrder: true);
    }

    [Fact]
    public void The_control_plane_is_closed_but_for_the_ports_that_its_containers_have()
    {
        var policies = Policies(Names.SystemNamespace);
        policies.ShouldContain(policy => policy["spec"]!["podSelector"]!.AsObject().Count == 0 && policy["spec"]!["ingress"] == null && Types(policy).SequenceEqual(new[] { "Ingress" }));
        var ports = ManifestFiles.Workloads.Where(workload => ManifestFiles.Namespace(workload) == Names.SystemNamespace)
            .SelectMany(workload => ManifestFiles.Pod(workload)["containers"]!.AsArray().SelectMany(container => container!["ports"]!.AsArray().Select(port => (long)port!["containerPort"]!))).Distinct().Order();
        policies.SelectMany(policy => Rules(policy, "ingress")).SelectMany(rule => rule["ports"]!.AsArray().Select(port => (long)port!["port"]!)).Distinct().Order().ShouldBe(ports);
    }

    [Fact]
    public void Every_policy_that_selects_pods_selects_those_of_a_workload()
    {
        foreach (var policy in Policies(null).Where(policy => policy["spec"]!["podSelector"]!.AsObject().Count > 0))
        {
            var (key, value) = policy["spec"]!["podSelector"]!["matchLabels"]!.AsObject().Single();
            ManifestFiles.Workloads.ShouldContain(workload => ManifestFiles.Namespace(workload) == ManifestFiles.Namespace(policy) && (string?)workload["spec"]!["template"]!["metadata"]!["labels"]![key] == (string?)value, ManifestFiles.Said(policy));
        }
    }

    [Fact]
    public void Every_refusal_of_runs_is_bound_to_untrusted_namespaces_and_says_what_to_do_next()
    {
        var items = Manifest.Read(File.ReadAllText(Path.Combine(ManifestFiles.Folder, "base", "run-security.yaml")));
        foreach (var policy in items.Where(item => ManifestFiles.Kind(item) == "ValidatingAdmissionPolicy"))
        {
            ((string?)policy["spec"]!["failurePolicy"]).ShouldBe("Fail");
            foreach (var validation in policy["spec"]!["validations"]!.AsArray()) ((string?)validation!["message"] ?? (string)validation["messageExpression"]!).ShouldContain(". Next: ");
            var binding = items.Single(item => ManifestFiles.Kind(item) == "ValidatingAdmissionPolicyBinding" && (string?)item["spec"]!["policyName"] == ManifestFiles.Name(policy));
            ((string?)binding["spec"]!["matchResources"]!["namespaceSelector"]!["matchLabels"]![Names.Labels.Untrusted]).ShouldBe("true");
            binding["spec"]!["validationActions"]!.AsArray().Select(action => (string?)action).ShouldBe(["Deny"]);
        }

        ((string?)ManifestFiles.Find("Namespace", Names.RunsNamespace)["metadata"]!["labels"]![Names.Labels.Untrusted]).ShouldBe("true");
    }

    [Theory]
    [InlineData("get", "", "pods", "Metadata")]
    [InlineData("create", "batch", "jobs", "Metadata")]
    [InlineData("create", "", "pods/exec", "Request")]
    [InlineData("get", "", "pods/exec", "Request")]
    [InlineData("create", "", "pods/attach", "Request")]
    [InlineData("create", "", "pods/portforward", "Request")]
    [InlineData("patch", "", "pods/ephemeralcontainers", "Request")]
    [InlineData("delete", "batch", "jobs", "Request")]
    [InlineData("deletecollection", "", "pods", "Request")]
    [InlineData("create", "", "secrets", "Metadata")]
    [InlineData("delete", "", "secrets", "Metadata")]
    [InlineData("create", "", "serviceaccounts/token", "Metadata")]
    [InlineData("create", "authentication.k8s.io", "tokenreviews", "Metadata")]
    public void Every_call_is_audited_and_what_enters_or_deletes_is_found_by_its_level(string verb, string group, string resource, string level)
    {
        var policy = Manifest.Read(File.ReadAllText(Path.Combine(ManifestFiles.Folder, "k3s", "audit-policy.yaml"))).Single();
        var rule = policy["rules"]!.AsArray().First(rule => Matches(rule!, verb, group, resource))!;
        ((string?)rule["level"]).ShouldBe(level);
        var last = policy["rules"]!.AsArray()[^1]!.AsObject();
        last.Count.ShouldBe(1, "nothing may escape the last rule");
    }

    [Fact]
    public void The_page_on_security_has_the_lines_for_k3s_with_the_files_that_are_there()
    {
        var page = File.ReadAllText(Path.Combine(TestData.Checkout, "docs", "security.md"));
        foreach (var file in new[] { "manifests/k3s/audit-policy.yaml", "manifests/k3s/psa.yaml" })
        {
            page.ShouldContain(file);
            page.ShouldContain("=/var/lib/rancher/k3s/server/" + Path.GetFileName(file));
            File.Exists(Path.Combine(TestData.Checkout, file)).ShouldBeTrue(file);
        }

        page.ShouldContain("audit-log-maxage=90");
        foreach (var policy in Manifest.Read(File.ReadAllText(Path.Combine(ManifestFiles.Folder, "base", "run-security.yaml"))).Where(item => ManifestFiles.Kind(item) == "ValidatingAdmissionPolicy"))
            page.ShouldContain($"`{ManifestFiles.Name(policy)}`");
    }

    private static bool Matches(JsonNode rule, string verb, string group, string resource) =>
        (rule["verbs"] is not JsonArray verbs || verbs.Any(one => (string?)one == verb))
        && (rule["resources"] is not JsonArray resources || resources.Any(one => (string?)one!["group"] == group && one["resources"]!.AsArray().Any(name => (string?)name == resource)));

    private static List<JsonObject> Policies(string? ns) => [.. ManifestFiles.Base.Where(item => ManifestFiles.Kind(item) == "NetworkPolicy" && (ns is null || ManifestFiles.Namespace(item) == ns))];

    private static IEnumerable<string?> Types(JsonObject policy) => policy["spec"]!["policyTypes"]!.AsArray().Select(type => (string?)type);

    private static IEnumerable<JsonObject> Rules(JsonObject policy, string direction) => (policy["spec"]![direction]?.AsArray() ?? []).Select(rule => rule!.AsObject());
}
