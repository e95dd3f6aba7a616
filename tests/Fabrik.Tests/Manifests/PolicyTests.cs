using System.Text.Json.Nodes;
using Fabrik.Experiments;
using Fabrik.Kubernetes;
using Fabrik.Sandbox.Admission;
using static Fabrik.Tests.Manifests.InstalledFixture;

namespace Fabrik.Tests.Manifests;

/// <summary>What Kubernetes enforces for Fabrik: the same tests by CEL on a real API server and by its twins in the sandbox.</summary>
[Collection(InstalledFixture.Collection)]
public sealed class PolicyTests(InstalledFixture cluster)
{
    private static readonly JsonObject Approved = new() { ["spec"] = new JsonObject { ["approval"] = new JsonObject { ["approved"] = true } } };

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Checklist_72_nobody_but_the_scheduler_writes_the_status_of_a_change()
    {
        var change = await ChangeAsync("status");
        var queued = new JsonObject { ["status"] = new JsonObject { ["phase"] = "queued" } };

        var refused = await UntilRefusedAsync(() => PatchAsync(cluster.Client, change, queued, "status"));
        (refused.Code, refused.StatusMessage).ShouldBe((403, $"optimizationchanges.fabrik.dev \"{change}\" is forbidden: ValidatingAdmissionPolicy 'fabrik-status' with binding 'fabrik-status' denied request: the status is what Fabrik's scheduler found, and it alone writes it. Next: to decide on a change write spec.approval (fabrik optimizer changes approve NAME, or reject)"));
        using var scheduler = cluster.As(Scheduler);
        await PatchAsync(scheduler, change, queued, "status");
    }

    [Fact]
    public async Task Nobody_but_the_scheduler_says_that_a_budget_is_spent()
    {
        await PolicyAsync();
        var spent = new JsonObject { ["status"] = new JsonObject { ["exhaustedBudgets"] = new JsonArray("all") } };

        (await UntilRefusedAsync(() => WritePolicyAsync(cluster.Client, spent, "status"))).Message.ShouldContain("'fabrik-status'");
        using var scheduler = cluster.As(Scheduler);
        await WritePolicyAsync(scheduler, spent, "status");
    }

    [Fact]
    public async Task A_decision_is_for_whoever_has_the_verb_approve_and_for_nobody_else()
    {
        var change = await ChangeAsync("approval");
        using var olga = cluster.As("olga");
        using var anna = cluster.As("anna");

        var refused = await UntilRefusedAsync(() => PatchAsync(olga, change, Approved));
        (refused.Code, refused.StatusMessage).ShouldBe((403, $"optimizationchanges.fabrik.dev \"{change}\" is forbidden: ValidatingAdmissionPolicy 'fabrik-approval' with binding 'fabrik-approval' denied request: spec.approval is a decision, and you lack the verb approve on optimizationchanges.fabrik.dev. Next: ask somebody with the role fabrik-approver to decide"));
        await PatchAsync(anna, change, Approved);

        // Neither is it hers to take back or to turn round; all else is.
        (await RefusedAsync(() => PatchAsync(olga, change, new JsonObject { ["spec"] = new JsonObject { ["approval"] = null } }))).ShouldNotBeNull();
        (await RefusedAsync(() => PatchAsync(olga, change, new JsonObject { ["spec"] = new JsonObject { ["approval"] = new JsonObject { ["approved"] = false } } }))).ShouldNotBeNull();
        await PatchAsync(olga, change, new JsonObject { ["spec"] = new JsonObject { ["rationale"] = "as measured" } });
        await PatchAsync(olga, change, Approved); // it says so already
    }

    [Fact]
    public async Task A_change_is_not_born_approved_nor_as_one_that_needs_nobody()
    {
        using var olga = cluster.As("olga");
        using var anna = cluster.As("anna");
        using var scheduler = cluster.As(Scheduler);
        var born = Approved["spec"]!.AsObject();
        var alone = new JsonObject { ["autoApply"] = true };

        (await UntilRefusedAsync(() => CreateAsync(olga, "born-1", born))).Message.ShouldContain("spec.approval is a decision");
        (await RefusedAsync(() => CreateAsync(olga, "born-2", alone)))!.Message.ShouldContain("Next: leave autoApply out, or ask somebody with the role fabrik-approver");
        await CreateAsync(olga, "born-3");
        (await RefusedAsync(() => PatchAsync(olga, Name("born-3"), new JsonObject { ["spec"] = alone.DeepClone() }))).ShouldNotBeNull();
        await CreateAsync(cluster.Client, "born-4", born);
        await CreateAsync(scheduler, "born-5", alone);
        (await RefusedAsync(() => CreateAsync(scheduler, "born-6", born))).ShouldNotBeNull();
        await PatchAsync(anna, Name("born-3"), new JsonObject { ["spec"] = alone.DeepClone() });
    }

    [Fact]
    public async Task Which_changes_need_a_person_is_decided_by_who_may_approve_and_the_rest_of_the_policy_by_operators()
    {
        await PolicyAsync();
        using var olga = cluster.As("olga");
        using var anna = cluster.As("anna");

        (await UntilRefusedAsync(() => WritePolicyAsync(olga, Spec("autoApplyRisk", "high")))).Message.ShouldContain("'fabrik-guardrails'");
        (await RefusedAsync(() => WritePolicyAsync(olga, Spec("protectedEnvironments", new JsonArray())))).ShouldNotBeNull();
        await WritePolicyAsync(olga, Spec("paused", true));
        await WritePolicyAsync(anna, Spec("autoApplyRisk", "medium"));
        await WritePolicyAsync(olga, Spec("paused", false));

        static JsonObject Spec(string field, JsonNode value) => new() { ["spec"] = new JsonObject { [field] = value } };
    }

    [Fact]
    public async Task What_untrusted_runs_are_given_is_decided_by_who_may_approve()
    {
        (string Field, JsonNode Value)[] looser =
        [
            ("runAsUser", 2000), ("runAsGroup", 2000), ("readOnlyRootFilesystem", false), ("activeDeadlineSeconds", 86_400), ("ttlSecondsAfterFinished", 0), ("runtimeClassName", "runc"),
            ("nodeSelector", new JsonObject { ["pool"] = "other" }), ("tolerations", new JsonArray(new JsonObject { ["key"] = "other", ["operator"] = "Exists" })), ("gate", true), ("gateImage", "elsewhere.example/gate:1"), ("registries", new JsonArray("elsewhere.example")),
        ];
        looser.Select(one => one.Field).ShouldBe(typeof(RunDefaults).GetProperties().Select(one => char.ToLowerInvariant(one.Name[0]) + one.Name[1..]), ignoreOrder: true);
        await PolicyAsync();
        using var olga = cluster.As("olga");
        using var anna = cluster.As("anna");

        (await UntilRefusedAsync(() => WritePolicyAsync(olga, Runs("readOnlyRootFilesystem", false)))).Message.ShouldContain("runs says what untrusted runs are given");
        foreach (var (field, value) in looser) (await RefusedAsync(() => WritePolicyAsync(olga, Runs(field, value)))).ShouldNotBeNull(field);
        await WritePolicyAsync(anna, Runs("registries", new JsonArray("ghcr.io/example")));
        (await RefusedAsync(() => WritePolicyAsync(olga, Runs("registries", new JsonArray())))).ShouldNotBeNull("registries taken away");
        await WritePolicyAsync(olga, new JsonObject { ["spec"] = new JsonObject { ["paused"] = true } });

        // Nor by taking the policy's place.
        await cluster.Client.DeleteAsync(Kinds.OptimizerPolicy, null, Names.PolicyName, Cancel);
        foreach (var (field, value) in looser) (await RefusedAsync(() => CreatePolicyAsync(olga, Runs(field, value)))).ShouldNotBeNull($"created with {field}");
        await CreatePolicyAsync(olga, new JsonObject { ["spec"] = new JsonObject { ["paused"] = true } });

        static JsonObject Runs(string field, JsonNode value) => new() { ["spec"] = new JsonObject { ["runs"] = new JsonObject { [field] = value.DeepClone() } } };

        static Task CreatePolicyAsync(KubernetesClient client, JsonObject policy)
        {
            (policy["apiVersion"], policy["kind"], policy["metadata"]) = (Names.ApiVersion, "OptimizerPolicy", new JsonObject { ["name"] = Names.PolicyName });
            return client.CreateAsync(Kinds.OptimizerPolicy, null, policy, Cancel);
        }
    }

    [Fact]
    public async Task A_hard_budget_that_is_spent_stops_new_jobs_that_call_models_and_no_others()
    {
        await PolicyAsync(
            new JsonObject { ["name"] = "soft", ["limit"] = "1" },
            new JsonObject { ["name"] = "daily", ["scope"] = "project", ["period"] = "day", ["limit"] = "1", ["hard"] = true },
            new JsonObject { ["name"] = "ours", ["scope"] = $"namespace/{Name("in")}", ["limit"] = "1", ["hard"] = true },
            new JsonObject { ["name"] = "search", ["scope"] = "project/search", ["limit"] = "1", ["hard"] = true },
            new JsonObject { ["name"] = "each", ["scope"] = "namespace", ["limit"] = "1", ["hard"] = true },
            new JsonObject { ["name"] = "all", ["scope"] = "cluster", ["limit"] = "1", ["hard"] = true });
        var (inside, outside) = (Name("in"), Name("out"));
        await NamespaceAsync(inside, new JsonObject { [Names.Labels.Gateway] = "true", [Names.Labels.Project] = "web" }, "search, maps");
        await NamespaceAsync(outside, [], null);

        // What is spent; namespace, annotation and project of the Job; the budgets that refuse it.
        (string[] Spent, string Namespace, string? Gateway, string? Project, string Refusing)[] cases =
        [
            ([], inside, null, null, ""),
            (["soft"], inside, null, null, ""),
            (["ours"], inside, null, null, "ours"),
            (["ours"], inside, "false", null, ""),
            (["ours"], outside, "true", null, ""),
            (["all"], outside, null, null, ""),
            (["all"], outside, "true", null, "all"),
            (["all", "ours"], inside, "true", null, "ours, all"),
            (["daily/web"], inside, null, null, "daily"),
            (["daily/web"], inside, null, "maps", ""),
            (["daily/maps"], inside, null, "maps", "daily"),
            (["daily/maps"], inside, null, "not-listed", ""),
            (["daily/web"], inside, null, "not-listed", "daily"),
            (["search"], inside, null, "search", "search"),
            (["search"], inside, null, null, ""),
            ([$"each/{inside}"], inside, null, null, "each"),
            ([$"each/{inside}"], outside, "true", null, ""),
            (["daily", "each"], inside, null, null, ""),
        ];
        using var scheduler = cluster.As(Scheduler);
        using var olga = cluster.As("olga");
        foreach (var one in cases)
        {
            await WritePolicyAsync(scheduler, new JsonObject { ["status"] = new JsonObject { ["exhaustedBudgets"] = new JsonArray([.. one.Spent.Select(name => (JsonNode)name)]) } }, "status");
            var said = "";
            await Wait.UntilAsync($"{string.Join(", ", one.Spent)} spent, a Job in {one.Namespace} with {one.Gateway} and {one.Project}: \"{one.Refusing}\"", async () =>
            {
                var refused = await RefusedAsync(() => olga.CreateAsync(Kinds.Job, one.Namespace, Job(one.Gateway, one.Project), Cancel, new WriteOptions { DryRun = true }));
                said = refused?.StatusMessage ?? "";
                return one.Refusing.Length == 0 ? refused is null : said.Contains($"the hard budget {one.Refusing} is spent", StringComparison.Ordinal);
            }, TimeSpan.FromSeconds(20));
            if (one.Refusing.Length == 0) continue;
            said.ShouldContain($"is forbidden: ValidatingAdmissionPolicy 'fabrik-budgets' with binding 'fabrik-budgets' denied request: the hard budget {one.Refusing} is spent, and it is for the calls of models of namespace {one.Namespace}");
            said.ShouldEndWith("or create the Job with annotation fabrik.dev/gateway: \"false\", without models");
        }
    }

    [Fact]
    public async Task Where_there_is_no_policy_no_budget_stops_anything()
    {
        var ns = Name("none");
        await NamespaceAsync(ns, new JsonObject { [Names.Labels.Gateway] = "true" }, null);
        await RefusedAsync(() => cluster.Client.DeleteAsync(Kinds.OptimizerPolicy, null, Names.PolicyName, Cancel));

        await cluster.Client.CreateAsync(Kinds.Job, ns, Job(null, null), Cancel, new WriteOptions { DryRun = true });
    }

    [Fact]
    public async Task The_sandbox_refuses_a_policy_that_it_has_no_twin_of()
    {
        await using var api = await Sandbox.Server.ApiServer.StartAsync();
        var policy = ManifestFiles.Find("ValidatingAdmissionPolicy", "fabrik-status").DeepClone().AsObject();
        policy["spec"]!["validations"]![0]!["expression"] = "request.userInfo.username == 'anna'";

        var answer = await api.PostAsync("/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies", policy);

        answer.Code.ShouldBe(422);
        answer.Message.ShouldContain("the sandbox evaluates only the policies that Fabrik ships");
        answer.Message.ShouldContain(PolicyTwin.FingerprintOf(policy));
    }

    private string Name(string purpose) => $"policy-{purpose}-{cluster.Id}";

    private async Task<string> ChangeAsync(string purpose)
    {
        await CreateAsync(cluster.Client, purpose);
        return Name(purpose);
    }

    private Task CreateAsync(KubernetesClient client, string purpose, JsonObject? more = null)
    {
        var spec = new JsonObject { ["type"] = "resource", ["change"] = new JsonObject { ["memoryLimit"] = "4Gi" } };
        foreach (var (field, value) in more ?? []) spec[field] = value?.DeepClone();
        return client.CreateAsync(Kinds.OptimizationChange, Names.SystemNamespace, new JsonObject { ["apiVersion"] = Names.ApiVersion, ["kind"] = "OptimizationChange", ["metadata"] = new JsonObject { ["name"] = Name(purpose) }, ["spec"] = spec }, Cancel);
    }

    private static Task PatchAsync(KubernetesClient client, string change, JsonObject patch, string? subresource = null) =>
        client.PatchAsync(Kinds.OptimizationChange, Names.SystemNamespace, change, PatchType.Merge, patch, Cancel, new WriteOptions { Subresource = subresource });

    private static Task WritePolicyAsync(KubernetesClient client, JsonObject patch, string? subresource = null) =>
        client.PatchAsync(Kinds.OptimizerPolicy, null, Names.PolicyName, PatchType.Merge, patch, Cancel, new WriteOptions { Subresource = subresource });

    private async Task PolicyAsync(params JsonObject[] budgets)
    {
        await RefusedAsync(() => cluster.Client.DeleteAsync(Kinds.OptimizerPolicy, null, Names.PolicyName, Cancel));
        await cluster.ApplyAsync(new JsonObject { ["apiVersion"] = Names.ApiVersion, ["kind"] = "OptimizerPolicy", ["metadata"] = new JsonObject { ["name"] = Names.PolicyName }, ["spec"] = new JsonObject { ["budgets"] = new JsonArray([.. budgets]) } });
    }

    private Task NamespaceAsync(string name, JsonObject labels, string? projects)
    {
        var metadata = new JsonObject { ["name"] = name, ["labels"] = labels };
        if (projects is not null) metadata["annotations"] = new JsonObject { [Names.Annotations.Projects] = projects };
        return cluster.ApplyAsync(new JsonObject { ["apiVersion"] = "v1", ["kind"] = "Namespace", ["metadata"] = metadata });
    }

    private static JsonObject Job(string? gateway, string? project)
    {
        var job = Sandbox.Server.ApiServer.Job("trial");
        if (gateway is not null) job["metadata"]!["annotations"] = new JsonObject { [Names.Annotations.Gateway] = gateway };
        if (project is not null) job["metadata"]!["labels"] = new JsonObject { [Names.Labels.Project] = project };
        return job;
    }

    /// <summary>A policy binds a moment after it was made.</summary>
    private static Task<KubernetesException> UntilRefusedAsync(Func<Task> write) =>
        Wait.ForAsync("the policy to bind", async () => await RefusedAsync(write) is { Reason: "Forbidden" or "Invalid" } refused && refused.Message.Contains("denied request", StringComparison.Ordinal) ? refused : null, TimeSpan.FromSeconds(20));
}
