using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Fabrik.Kubernetes;
using Fabrik.Sandbox.Access;
using Fabrik.Sandbox.Composition;
using Fabrik.Tests.Cli;
using Fabrik.Tests.EndToEnd;

namespace Fabrik.Tests.Manifests;

/// <summary>The roles of the manifests against what the processes ask for, as the sandbox hears it: nothing that is refused, and nothing given that nobody uses.</summary>
public sealed class PermissionTests : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    /// <summary>What no run of the sandbox comes to. In the order of the lines: only where another replica proposed the same in the same moment (ProposeChanges.IsOpenAsync); only
    /// where the webhook's certificate is in a Secret, which the tests of certificates go through with this account.</summary>
    private static bool IsElsewhere(Right right) =>
        right == new Right(Names.Objects.Control, "get", Names.Group, "optimizationchanges")
        || (right.Account == Names.Objects.Webhook && right.Resource is "secrets" or "configmaps" or "leases" or "mutatingwebhookconfigurations");

    private readonly ConcurrentDictionary<(string User, AccessQuestion Question, bool Allowed), bool> heard = new();
    private readonly string directory = Directory.CreateTempSubdirectory("fabrik-permissions-").FullName;
    private SandboxRun run = null!;
    private KubernetesClient client = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_loop_from_kills_to_a_trial_with_a_spent_budget_needs_every_right_that_processes_have_and_none_more()
    {
        await client.CreateAsync(Kinds.Namespace, null, new JsonObject
        {
            ["apiVersion"] = "v1",
            ["kind"] = "Namespace",
            ["metadata"] = new JsonObject { ["name"] = "ci", ["labels"] = new JsonObject { [Names.Labels.Enabled] = "true", [Names.Labels.Gateway] = "true" } },
        }, Cancel);
        await client.CreateAsync(Kinds.OptimizerPolicy, null, new JsonObject
        {
            ["apiVersion"] = Names.ApiVersion,
            ["kind"] = "OptimizerPolicy",
            ["metadata"] = new JsonObject { ["name"] = Names.PolicyName },
            ["spec"] = new JsonObject { ["budgets"] = new JsonArray(new JsonObject { ["name"] = "all", ["limit"] = "0.000001" }) },
        }, Cancel);
        await client.CreateAsync(Kinds.Namespace, null, new JsonObject
        {
            ["apiVersion"] = "v1",
            ["kind"] = "Namespace",
            ["metadata"] = new JsonObject { ["name"] = "fenced", ["labels"] = new JsonObject { [Names.Labels.Enabled] = "true", [Names.Labels.Untrusted] = "true" } },
        }, Cancel);
        var talking = Jobs.Named("talking");
        talking["metadata"]!["annotations"] = new JsonObject { [Names.Annotations.Peers] = "a" };
        talking["spec"]!["template"]!["metadata"]!["annotations"]![Names.Annotations.SandboxDuration] = "24h";
        await client.CreateAsync(Kinds.Job, "fenced", talking, Cancel);
        await client.CreateAsync(Kinds.ResourceQuota, "fenced", new JsonObject
        {
            ["apiVersion"] = "v1",
            ["kind"] = "ResourceQuota",
            ["metadata"] = new JsonObject { ["name"] = "volumes" },
            ["spec"] = new JsonObject { ["hard"] = new JsonObject { ["persistentvolumeclaims"] = "1" } },
        }, Cancel);
        foreach (var name in (string[])["resumes", "has-no-room"])
        {
            var resumes = Jobs.Named(name);
            resumes["metadata"]!["annotations"] = new JsonObject { [Names.Annotations.Resume] = "1Gi" };
            resumes["spec"]!["template"]!["metadata"]!["annotations"]![Names.Annotations.SandboxDuration] = "24h";
            await Wait.UntilAsync("the webhook to know the namespace", async () =>
                (await client.CreateAsync(Kinds.Job, "fenced", resumes.DeepClone(), Cancel, new WriteOptions { DryRun = true })).Label(Names.Labels.RunId) is not null, Patience);
            await client.CreateAsync(Kinds.Job, "fenced", resumes, Cancel);
            await Wait.UntilAsync("a volume to resume from", async () => await AnyAsync(Kinds.PersistentVolumeClaim, "fenced", _ => true), Patience);
        }

        await Wait.UntilAsync("an Event about one that is too much", async () => await AnyAsync(Kinds.Event, "fenced", one => Text(one, "involvedObject", "name") == "has-no-room" && one.Json.GetProperty("reason").GetString() == "ResumeVolumeRefused"), Patience);
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var submitting = SubmitAsync(enough.Token);
        await Wait.UntilAsync("a trial", async () => await AnyAsync(Kinds.OptimizationChange, Names.SystemNamespace, one => Text(one, "status", "phase") == "experiment_running"), Patience);
        await Wait.UntilAsync("an Event about it", async () => await AnyAsync(Kinds.Event, Names.SystemNamespace, one => Text(one, "involvedObject", "kind") == "OptimizationChange"), Patience);
        await Wait.UntilAsync("a budget that is spent", async () => await AnyAsync(Kinds.OptimizerPolicy, null, one => one.Json.TryGetProperty("status", out var status) && status.TryGetProperty("exhaustedBudgets", out _)), Patience);
        await Wait.UntilAsync("an Event about that", async () => await AnyAsync(Kinds.Event, "default", one => Text(one, "involvedObject", "kind") == "OptimizerPolicy"), Patience);
        await Wait.UntilAsync("a way between peers", async () => await AnyAsync(Kinds.NetworkPolicy, "fenced", _ => true), Patience);
        (await Command.RunAsync(["runs", "list", "-A", "--kubeconfig", run.KubeconfigPath])).Code.ShouldBe(0);
        await enough.CancelAsync();
        await submitting;

        var used = Used().ToHashSet();
        Granted().Where(right => !IsElsewhere(right) && !used.Contains(right) && !used.Contains(right with { Verb = Instead(right.Verb) })).ShouldBeEmpty("given and not used");
        heard.Keys.Where(one => one.User.StartsWith("system:serviceaccount:fabrik-", StringComparison.Ordinal) && !one.Allowed).Select(one => $"{one.User}: {one.Question}").ShouldBeEmpty("asked and not given");
    }

    [Fact]
    public void No_role_of_a_process_has_a_wildcard_or_reads_all_secrets()
    {
        foreach (var role in Roles())
        {
            foreach (var rule in role["rules"]!.AsArray())
            {
                foreach (var field in (string[])["apiGroups", "resources", "verbs"]) rule![field]!.AsArray().Select(one => (string)one!).ShouldNotContain(one => one.Contains('*'), ManifestFiles.Said(role));
                if (rule!["resources"]!.AsArray().Any(one => (string)one! == "secrets")) rule["resourceNames"].ShouldNotBeNull(ManifestFiles.Said(role)).AsArray().ShouldNotBeEmpty();
            }
        }
    }

    [Fact]
    public void Every_binding_is_of_a_role_and_an_account_that_the_manifests_have()
    {
        foreach (var binding in ManifestFiles.Base.Where(item => ManifestFiles.Kind(item) is "RoleBinding" or "ClusterRoleBinding"))
        {
            var role = binding["roleRef"]!;
            ManifestFiles.Find((string)role["kind"]!, (string)role["name"]!, (string)role["kind"]! == "Role" ? ManifestFiles.Namespace(binding) : null);
            foreach (var subject in binding["subjects"]!.AsArray()) ManifestFiles.Find((string)subject!["kind"]!, (string)subject["name"]!, (string)subject["namespace"]!);
        }
    }

    public async ValueTask InitializeAsync()
    {
        run = await SandboxRun.StartAsync(new SandboxRunOptions { Directory = directory, Speed = 60, Models = true, Asked = (user, question, allowed) => heard.TryAdd((user, question with { Name = "" }, allowed), true) }, Cancel);
        client = new KubernetesClient(ClusterConfig.FromKubeconfig(run.KubeconfigPath), TimeProvider.System);
    }

    public async ValueTask DisposeAsync()
    {
        client.Dispose();
        await run.DisposeAsync();
        Directory.Delete(directory, recursive: true);
    }

    /// <summary>What is watched is listed by the watch itself where the server can do that, as the sandbox can, and else by a list before.</summary>
    private static string Instead(string verb) => verb == "list" ? "watch" : verb;

    /// <summary>Rights on Kubernetes' and our own objects, as accounts of processes have them by their bindings; those on what Fabrik's own API has are asked about there.</summary>
    private static IEnumerable<Right> Granted()
    {
        string[] accounts = [Names.Objects.Webhook, Names.Objects.Control];
        foreach (var role in Roles().Where(role => accounts.Contains(ManifestFiles.Name(role))))
            foreach (var rule in role["rules"]!.AsArray())
                foreach (var group in rule!["apiGroups"]!.AsArray())
                    foreach (var resource in rule["resources"]!.AsArray())
                        foreach (var verb in rule["verbs"]!.AsArray())
                            yield return new Right(ManifestFiles.Name(role), (string)verb!, (string)group!, (string)resource!);
    }

    private IEnumerable<Right> Used() => heard.Keys.Where(one => one.Allowed).Select(one =>
        new Right(one.User.Split(':')[^1], one.Question.Verb, one.Question.Group, one.Question.Subresource.Length > 0 ? $"{one.Question.Resource}/{one.Question.Subresource}" : one.Question.Resource));

    private static IEnumerable<JsonObject> Roles() => ManifestFiles.Base.Where(item => ManifestFiles.Kind(item) is "Role" or "ClusterRole");

    private async Task SubmitAsync(CancellationToken ct)
    {
        try
        {
            for (var number = 0; number < 2_000; number++)
            {
                var job = Jobs.Named($"kill-{number:D4}", "32Mi");
                job["metadata"]!["labels"] = new JsonObject { [Names.Labels.SpecType] = "impl" };
                job["spec"]!["ttlSecondsAfterFinished"] = 60;
                var annotations = job["spec"]!["template"]!["metadata"]!["annotations"]!;
                annotations[Names.Annotations.SandboxMemory] = number % 2 == 0 ? "48Mi" : "8Mi";
                annotations[Names.Annotations.SandboxModelCalls] = "1 gpt-5-mini";
                await client.CreateAsync(Kinds.Job, "ci", job, ct);
                await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, ct);
            }
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            // Enough.
        }
    }

    private async Task<bool> AnyAsync(ResourceKind kind, string? ns, Predicate<KubeObject> which)
    {
        await foreach (var one in client.ListAsync(kind, ns, Cancel))
            if (which(one)) return true;
        return false;
    }

    private static string? Text(KubeObject item, string part, string field) => item.Json.TryGetProperty(part, out var inner) && inner.TryGetProperty(field, out var value) ? value.GetString() : null;

    /// <summary>Whose, to do what, with what.</summary>
    private sealed record Right(string Account, string Verb, string Group, string Resource);
}
