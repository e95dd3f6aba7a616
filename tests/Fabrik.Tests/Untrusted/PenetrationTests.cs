using System.Text.Json.Nodes;
using Fabrik.Kubernetes;
using Fabrik.Tests.Support;

namespace Fabrik.Tests.Untrusted;

/// <summary>What a run, or somebody who may only run Jobs, tries at the API server. Pods that reach each other, metadata or the control plane are tried by <c>fabrik check</c>: that needs a network.</summary>
[Collection(SecurityCluster.Collection)]
public sealed class PenetrationTests(SecurityCluster cluster)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_service_account_that_runs_have_may_do_nothing()
    {
        var ns = await cluster.NamespaceAsync("account");
        using var run = await cluster.AsAsync(ns, "default");
        foreach (var kind in new[] { Kinds.Pod, Kinds.Secret, Kinds.ConfigMap, Kinds.Job, Kinds.NetworkPolicy, Kinds.ServiceAccount, Kinds.Event, Kinds.OptimizationChange })
        {
            foreach (var where in new[] { ns, Names.SystemNamespace, Names.GatewayNamespace, "kube-system" })
                (await ForbiddenAsync(async () => { await foreach (var _ in run.ListAsync(kind, where, Cancel)) break; })).ShouldBeTrue($"list {kind} in {where}");
        }

        foreach (var kind in new[] { Kinds.Namespace, Kinds.Node, Kinds.OptimizerPolicy, Kinds.MutatingWebhookConfiguration })
            (await ForbiddenAsync(async () => { await foreach (var _ in run.ListAsync(kind, null, Cancel)) break; })).ShouldBeTrue($"list {kind}");
        (await ForbiddenAsync(() => run.CreateAsync(Kinds.Pod, ns, SecurityCluster.Pod(), Cancel))).ShouldBeTrue("create a Pod");
        (await ForbiddenAsync(() => run.CreateAsync(Kinds.Job, ns, SecurityCluster.Job(), Cancel))).ShouldBeTrue("create a Job");
        (await ForbiddenAsync(() => run.GetAsync(Kinds.Secret, Names.GatewayNamespace, "fabrik-provider-keys", Cancel))).ShouldBeTrue("read the keys of providers");
        (await ForbiddenAsync(() => run.PatchAsync(Kinds.Namespace, null, ns, PatchType.Merge, new JsonObject { ["metadata"] = new JsonObject { ["labels"] = new JsonObject { [Names.Labels.Untrusted] = null } } }, Cancel))).ShouldBeTrue("become trusted");
    }

    [Fact]
    public async Task Who_may_run_jobs_may_neither_take_the_fence_away_nor_read_secrets_nor_give_rights()
    {
        var ns = await cluster.NamespaceAsync("runner");
        var role = Manifests.ManifestFiles.Find("ClusterRole", Names.Roles.Runner);
        using var runner = await cluster.AsAsync(ns, "runner", [.. role["rules"]!.AsArray().Select(rule => rule!.DeepClone())]);
        await runner.CreateAsync(Kinds.Job, ns, SecurityCluster.Job("mine"), Cancel);
        (await runner.GetAsync(Kinds.Job, ns, "mine", Cancel)).Name.ShouldBe("mine");

        (await ForbiddenAsync(async () => { await foreach (var _ in runner.ListAsync(Kinds.Secret, ns, Cancel)) break; })).ShouldBeTrue();
        (await ForbiddenAsync(() => runner.DeleteAsync(Kinds.NetworkPolicy, ns, "fabrik-deny", Cancel))).ShouldBeTrue();
        (await ForbiddenAsync(() => runner.CreateAsync(Kinds.Pod, ns, SecurityCluster.Pod(), Cancel))).ShouldBeTrue();
        (await ForbiddenAsync(() => runner.CreateAsync(Kinds.RoleBinding, ns, new JsonObject
        {
            ["apiVersion"] = "rbac.authorization.k8s.io/v1",
            ["kind"] = "RoleBinding",
            ["metadata"] = new JsonObject { ["name"] = "more" },
            ["roleRef"] = new JsonObject { ["apiGroup"] = "rbac.authorization.k8s.io", ["kind"] = "ClusterRole", ["name"] = "cluster-admin" },
            ["subjects"] = new JsonArray(new JsonObject { ["kind"] = "ServiceAccount", ["name"] = "runner", ["namespace"] = ns }),
        }, Cancel))).ShouldBeTrue();
        (await ForbiddenAsync(() => runner.PatchAsync(Kinds.OptimizerPolicy, null, Names.PolicyName, PatchType.Merge, new JsonObject { ["spec"] = new JsonObject() }, Cancel))).ShouldBeTrue();
    }

    /// <summary>The sandbox has no way into a Pod, so there is nothing to refuse there.</summary>
    [Fact]
    public async Task Nobody_enters_a_run_without_the_verb_debug()
    {
        if (!cluster.Real) Assert.Skip("the sandbox serves no exec, attach or port-forward: unproven here, proven against FABRIK_E2E_KUBECONFIG");
        var ns = await cluster.NamespaceAsync("enter");
        await cluster.Client.CreateAsync(Kinds.Pod, ns, SecurityCluster.Pod("target"), Cancel);
        var rights = SecurityCluster.Rule("", ["pods/exec", "pods/attach", "pods/portforward", "pods/proxy", "pods/ephemeralcontainers", "pods"], "create", "get", "patch", "update");
        using var stranger = await cluster.AsAsync(ns, "stranger", rights);
        using var debugger = await cluster.AsAsync(ns, "debugger", rights.DeepClone(), SecurityCluster.Rule(Names.Group, [Names.Resources.Runs], "debug"));
        foreach (var way in new[] { "exec?command=id&stdout=true", "attach?stdout=true", "portforward?ports=80", "proxy/" })
        {
            var path = $"/api/v1/namespaces/{ns}/pods/target/{way}";
            (await RefusalAsync(() => stranger.GetRawAsync(path, Cancel))).ShouldContain("nobody enters an untrusted run", customMessage: way);
            (await RefusalAsync(() => debugger.GetRawAsync(path, Cancel))).ShouldNotContain("nobody enters", customMessage: way);
        }

        var container = new JsonObject { ["spec"] = new JsonObject { ["ephemeralContainers"] = new JsonArray(new JsonObject { ["name"] = "shell", ["image"] = "busybox" }) } };
        (await RefusalAsync(() => stranger.PatchAsync(Kinds.Pod, ns, "target", PatchType.Strategic, container, Cancel, new WriteOptions { Subresource = "ephemeralcontainers" }))).ShouldContain("nobody enters an untrusted run");
    }

    private static async Task<bool> ForbiddenAsync(Func<Task> ask)
    {
        try
        {
            await ask();
            return false;
        }
        catch (KubernetesException refused)
        {
            return refused.IsForbidden;
        }
    }

    private static async Task<string> RefusalAsync(Func<Task> ask)
    {
        try
        {
            await ask();
            return "";
        }
        catch (KubernetesException refused)
        {
            return refused.Message;
        }
    }
}
