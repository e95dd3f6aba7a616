using System.Text.Json;
using Fabrik.Kubernetes;

namespace Fabrik.Tests.Cli;

public sealed class NamespaceTests(ClusterOfObjects cluster) : IClassFixture<ClusterOfObjects>
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_namespace_for_runs_is_fenced_in_and_made_again_changes_nothing()
    {
        string[] asked = ["namespace", "create", "team-a", "--project", "search", "--quota", "medium", "--group", "searchers", "--user", "ada"];
        var made = await cluster.FabrikAsync(asked);
        made.Code.ShouldBe(0, made.Error);
        made.Out.ShouldContain("namespace/team-a made");
        var first = await VersionsAsync("team-a");

        var labels = (await cluster.Client.GetAsync(Kinds.Namespace, null, "team-a", Cancel)).Json.GetProperty("metadata").GetProperty("labels");
        foreach (var (key, value) in new[] { (Names.Labels.Untrusted, "true"), (Names.Labels.Project, "search"), (Names.Labels.Gateway, "true"), ("pod-security.kubernetes.io/enforce", "restricted") })
            labels.GetProperty(key).GetString().ShouldBe(value);
        (await NamesAsync(Kinds.NetworkPolicy, "team-a")).ShouldBe(["fabrik-deny", "fabrik-dns", "fabrik-gateway"]);
        (await NamesAsync(Kinds.LimitRange, "team-a")).ShouldBe(["fabrik-runs"]);
        var hard = (await cluster.Client.GetAsync(Kinds.ResourceQuota, "team-a", "fabrik-runs", Cancel)).Json.GetProperty("spec").GetProperty("hard");
        (hard.GetProperty("count/jobs.batch").GetString(), hard.GetProperty("limits.memory").GetString(), hard.GetProperty("persistentvolumeclaims").GetString()).ShouldBe(("50", "100Gi", "25"));
        var subjects = (await cluster.Client.GetAsync(Kinds.RoleBinding, "team-a", Names.Roles.Runner, Cancel)).Json.GetProperty("subjects").EnumerateArray();
        subjects.Select(one => $"{one.GetProperty("kind").GetString()} {one.GetProperty("name").GetString()}").ShouldBe(["User ada", "Group searchers"]);

        (await cluster.FabrikAsync(asked)).Out.ShouldContain("is up to date");
        (await VersionsAsync("team-a")).ShouldBe(first);
    }

    [Fact]
    public async Task Nothing_is_written_when_it_is_only_tried()
    {
        var tried = await cluster.FabrikAsync("namespace", "create", "tried", "--dry-run");
        tried.Code.ShouldBe(0, tried.Error);
        tried.Error.ShouldContain("would create networkpolicies/fabrik-deny");
        tried.Out.ShouldContain("would be made");
        await Should.ThrowAsync<KubernetesException>(() => cluster.Client.GetAsync(Kinds.Namespace, null, "tried", Cancel));
    }

    [Fact]
    public async Task Trusted_runs_get_no_defaults_and_stay_behind_the_same_fence()
    {
        (await cluster.FabrikAsync("namespace", "create", "own", "--untrusted=false", "--quota", "none")).Code.ShouldBe(0);
        var labels = (await cluster.Client.GetAsync(Kinds.Namespace, null, "own", Cancel)).Json.GetProperty("metadata").GetProperty("labels");
        labels.TryGetProperty(Names.Labels.Untrusted, out _).ShouldBeFalse();
        labels.GetProperty("pod-security.kubernetes.io/enforce").GetString().ShouldBe("baseline");
        (await NamesAsync(Kinds.NetworkPolicy, "own")).Length.ShouldBe(3);
        (await NamesAsync(Kinds.ResourceQuota, "own")).ShouldBeEmpty();
    }

    [Fact]
    public async Task Namespaces_are_listed_and_shown_with_what_holds_in_them()
    {
        await cluster.FabrikAsync("namespace", "create", "shown", "--project", "search", "--group", "searchers");
        var list = await cluster.FabrikAsync("namespace", "list");
        list.Out.ShouldMatch(@"shown +search +yes +yes +yes");
        list.Out.ShouldNotContain(Names.SystemNamespace);

        var shown = await cluster.FabrikAsync("namespace", "show", "shown");
        shown.Out.ShouldContain("fabrik-deny, fabrik-dns, fabrik-gateway");
        shown.Out.ShouldContain("group searchers");
        using var json = JsonDocument.Parse((await cluster.FabrikAsync("namespace", "show", "shown", "-o", "json")).Out);
        json.RootElement.GetProperty("networkPolicies").GetArrayLength().ShouldBe(3);
    }

    [Theory]
    [InlineData("Team_A")]
    [InlineData("kube-system")]
    [InlineData("fabrik-system")]
    public async Task What_cannot_be_a_namespace_of_runs_is_told_and_not_sent(string name)
    {
        var refused = await cluster.FabrikAsync("namespace", "create", name);
        refused.Code.ShouldBe(2);
        refused.Error.ShouldContain("nothing was written");
    }

    private async Task<string[]> NamesAsync(ResourceKind kind, string ns)
    {
        var names = new List<string>();
        await foreach (var one in cluster.Client.ListAsync(kind, ns, Cancel)) names.Add(one.Name);
        return [.. names.Order(StringComparer.Ordinal)];
    }

    private async Task<string[]> VersionsAsync(string ns)
    {
        var versions = new List<string> { (await cluster.Client.GetAsync(Kinds.Namespace, null, ns, Cancel)).ResourceVersion! };
        foreach (var kind in new[] { Kinds.NetworkPolicy, Kinds.LimitRange, Kinds.ResourceQuota, Kinds.RoleBinding })
            await foreach (var one in cluster.Client.ListAsync(kind, ns, Cancel)) versions.Add($"{one.Key} {one.ResourceVersion}");
        return [.. versions];
    }
}
