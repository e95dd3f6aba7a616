using System.Text.Json.Nodes;
using Fabrik.Experiments;
using Fabrik.Kubernetes;

namespace Fabrik.Tests.EndToEnd;

/// <summary>The whole loop on whatever cluster there is: nobody tells Fabrik anything but, once, a bad idea.</summary>
[Collection(ClusterFixture.Collection)]
public sealed class LoopTests(ClusterFixture cluster)
{
    private const int MostJobs = 3_000;

    /// <summary>A real Job controller starts a few Jobs a second, and a backlog would only make the test wait.</summary>
    private const int AtOnce = 16;
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Checklist_15_22_63_75_and_76_kills_become_a_proposal_a_trial_a_decision_and_a_rollout_and_a_bad_idea_is_taken_back()
    {
        var ns = await cluster.NamespaceAsync("loop");
        var kind = $"loop-{cluster.Id}";
        var before = await PolicyAsync(new JsonObject { ["initialShare"] = 0.19, ["maxShare"] = 0.19 });
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var submitting = SubmitAsync(ns, kind, enough.Token);
        try
        {
            var proposed = await Wait.ForAsync("a proposal", () => FindAsync(change => change.Spec.Target.Namespaces.Contains(ns)), Patience);
            proposed.Spec.Evidence!.Runs.ShouldNotBeEmpty();
            var applied = await Wait.ForAsync("the rollout", () => FindAsync(change => change.Name == proposed.Name && change.Phase == Phase.Applied), Patience);
            (applied.Status.Holdback, applied.Status.RolloutProgress).ShouldBe((0, "95%"));
            await Wait.UntilAsync("Jobs under it", async () => await AnyAsync(ns, job => job.Arm() == "applied" && job.MemoryLimit() == applied.Spec.Change.MemoryLimit), Patience);

            await cluster.Client.CreateAsync(Kinds.OptimizationChange, Names.SystemNamespace, new JsonObject
            {
                ["apiVersion"] = Names.ApiVersion,
                ["kind"] = Kinds.OptimizationChange.Kind,
                ["metadata"] = new JsonObject { ["name"] = $"bad-{kind}" },
                ["spec"] = new JsonObject { ["type"] = "resource", ["target"] = new JsonObject { ["namespaces"] = new JsonArray(ns) }, ["change"] = new JsonObject { ["memoryLimit"] = "6Mi", ["memoryRequest"] = "6Mi" }, ["goal"] = "save" },
            }, Cancel);
            var back = await Wait.ForAsync("the rollback", () => FindAsync(change => change.Name == $"bad-{kind}" && change.Phase == Phase.RolledBack), Patience);
            back.Status.RolloutProgress.ShouldBe("0%");
            await Wait.UntilAsync("Jobs that say so", async () => await AnyAsync(ns, job => job.Label(Names.Labels.RolledBack) == "true"), Patience);

            var history = JsonNode.Parse((await cluster.FabrikAsync("optimizer", "history", "--change", proposed.Name, "-o", "json")).Out)!["items"]!.AsArray();
            history.Select(step => (string)step!["to"]!).Reverse().Distinct().ShouldBe(["proposed", "experiment_running", "approved", "applied"]);
            var status = (await cluster.FabrikAsync("optimizer", "status")).Out;
            status.ShouldContain($"bad-{kind}");
            (await cluster.FabrikAsync("experiments", "show", proposed.Name)).Out.ShouldContain(proposed.Name);
        }
        catch (Exception error) when (error is not OperationCanceledException)
        {
            var said = await cluster.FabrikAsync("optimizer", "history");
            var shown = await cluster.FabrikAsync("experiments", "list");
            throw new InvalidOperationException($"{error.Message}\n{said.Out}{said.Error}\n{shown.Out}{shown.Error}\n{string.Join("\n", (await AllAsync()).Select(change => $"{change.Name} {change.Phase} {change.Status.Reason}"))}", error);
        }
        finally
        {
            await enough.CancelAsync();
            await submitting;
            await PolicyAsync(before);
            await LeaveAsync(ns);
        }
    }

    /// <summary>Without its namespace nothing more is proposed, so no trial of this test's treats Jobs of the next.</summary>
    private async Task LeaveAsync(string ns)
    {
        await cluster.RemoveAsync(ns);
        await Wait.UntilAsync("its changes to go", async () =>
        {
            var left = (await AllAsync()).FindAll(change => change.Spec.Target.Namespaces.Contains(ns));
            foreach (var change in left) await cluster.EndAsync(change.Name);
            return left.Count == 0;
        });
    }

    /// <summary>Half of the Jobs need more than they have: as a command on a node that runs it, as an annotation on one that plays it.</summary>
    private async Task SubmitAsync(string ns, string kind, CancellationToken ct)
    {
        try
        {
            for (var number = 0; number < MostJobs; number++)
            {
                while (number % AtOnce == 0 && await UnfinishedAsync(ns, ct) > AtOnce) await Task.Delay(TimeSpan.FromMilliseconds(200), TimeProvider.System, ct);
                var large = (number * 7919 % 100) < 50;
                var job = Jobs.Named($"loop-{number:D4}", "32Mi");
                job["metadata"]!["labels"] = new JsonObject { [Names.Labels.SpecType] = kind };
                job["spec"]!["ttlSecondsAfterFinished"] = 60;
                var template = job["spec"]!["template"]!;
                template["metadata"]!["annotations"]![Names.Annotations.SandboxMemory] = large ? "48Mi" : "8Mi";
                template["spec"]!["terminationGracePeriodSeconds"] = 1;
                template["spec"]!["containers"]![0]!["command"] = new JsonArray("sh", "-c", $"head -c {(large ? 48 : 8)}000000 /dev/zero | tail -c 1 > /dev/null; x=$(head -c {(large ? 40 : 4)}000000 /dev/zero | tr '\\0' a); test -n \"$x\"");
                await cluster.Client.CreateAsync(Kinds.Job, ns, job, ct);
                await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, ct);
            }
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            // Enough.
        }
    }

    private async Task<int> UnfinishedAsync(string ns, CancellationToken ct)
    {
        var unfinished = 0;
        await foreach (var job in cluster.Client.ListAsync(Kinds.Job, ns, ct))
            if (!job.Json.TryGetProperty("status", out var status) || !status.TryGetProperty("completionTime", out _) && !(status.TryGetProperty("failed", out var failed) && failed.GetInt32() > 0)) unfinished++;
        return unfinished;
    }

    private async Task<OptimizationChange?> FindAsync(Predicate<OptimizationChange> which) => (await AllAsync()).Find(which);

    private async Task<List<OptimizationChange>> AllAsync()
    {
        var all = new List<OptimizationChange>();
        await foreach (var one in cluster.Client.ListAsync(Kinds.OptimizationChange, Names.SystemNamespace, Cancel)) all.Add(ObjectJson.Change(one.Json));
        return all;
    }

    private async Task<bool> AnyAsync(string ns, Predicate<KubeObject> which)
    {
        await foreach (var job in cluster.Client.ListAsync(Kinds.Job, ns, Cancel))
            if (which(job)) return true;
        return false;
    }

    /// <returns>What undoes it.</returns>
    private async Task<JsonObject> PolicyAsync(JsonObject experiments)
    {
        JsonObject old = [];
        try
        {
            var spec = (await cluster.Client.GetAsync(Kinds.OptimizerPolicy, null, Names.PolicyName, Cancel)).ToNode()["spec"]?["experiments"]?.AsObject();
            foreach (var (name, _) in experiments) old[name] = spec?[name]?.DeepClone();
        }
        catch (KubernetesException error) when (error.IsNotFound)
        {
            await cluster.Client.CreateAsync(Kinds.OptimizerPolicy, null, new JsonObject { ["apiVersion"] = Names.ApiVersion, ["kind"] = Kinds.OptimizerPolicy.Kind, ["metadata"] = new JsonObject { ["name"] = Names.PolicyName }, ["spec"] = new JsonObject() }, Cancel);
            foreach (var (name, _) in experiments) old[name] = null;
        }

        await cluster.Client.PatchAsync(Kinds.OptimizerPolicy, null, Names.PolicyName, PatchType.Merge, new JsonObject { ["spec"] = new JsonObject { ["experiments"] = experiments.DeepClone() } }, Cancel);
        return old;
    }
}
