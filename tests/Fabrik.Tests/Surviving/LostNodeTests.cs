using System.Text.Json.Nodes;
using Fabrik.Experiments;
using Fabrik.Kubernetes;
using Fabrik.Runs;
using Fabrik.Storage;
using Fabrik.Tests.Cli;
using Fabrik.Tests.Storage;

namespace Fabrik.Tests.Surviving;

/// <summary>
/// What Kubernetes does to the Pods of Jobs when nodes are lost or emptied, played as its controllers write it, and what the shipped scheduler makes of it;
/// it is killed in between.
/// </summary>
public sealed class LostNodeTests : IAsyncLifetime
{
    private static readonly ResourceKind[] Gone = [Kinds.Pod, Kinds.Job];

    private readonly ClusterOfObjects cluster = new();
    private readonly DirectoryInfo home = Directory.CreateTempSubdirectory("fabrik-home-");

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private string Data => Path.Combine(home.FullName, "data");

    [Fact]
    public async Task A_job_goes_on_after_its_node_is_lost_and_its_run_counts_both_attempts_whether_its_policy_ignores_the_disruption_or_counts_it()
    {
        await using var scheduler = await ControlProcess.SchedulerAsync(home.FullName, Data, cluster.Kubeconfig);
        foreach (var ignores in (bool[])[true, false])
        {
            var name = ignores ? "ignores" : "counts";
            var uid = await JobAsync(name, backoff: 6, ignores);
            await PodAsync(name, uid, "one", "Running");
            await RunAsync(name, one => one.Attempts == 1); // what comes and goes before anybody watches, nobody can know
            await DisruptAsync($"{name}-one", "DeletionByTaintManager", "Failed");
            await cluster.Client.DeleteAsync(Kinds.Pod, "ci", $"{name}-one", Cancel);
            await PodAsync(name, uid, "two", "Succeeded");
            await EndAsync(name, "Complete", succeeded: 1, failed: ignores ? 0 : 1);
        }

        foreach (var name in (string[])["ignores", "counts"])
        {
            // The Job's end may be known before its last Pod is.
            var run = await RunAsync(name, one => one.Outcome != Outcome.Running && one.Attempts == 2);
            (run.Outcome, run.Attempts, run.Arm).ShouldBe((Outcome.Succeeded, 2, Arm.Unassigned), name);
        }
    }

    [Theory]
    [InlineData("EvictionByEvictionAPI")]
    [InlineData("DeletionByPodGC")]
    [InlineData("PreemptionByScheduler")]
    [InlineData("TerminationByKubelet")]
    public async Task A_job_that_has_no_attempt_left_when_its_pod_is_taken_away_was_evicted_and_did_not_fail(string reason)
    {
        await using var scheduler = await ControlProcess.SchedulerAsync(home.FullName, Data, cluster.Kubeconfig);
        var uid = await JobAsync("taken", backoff: 0, ignores: false);
        await PodAsync("taken", uid, "one", "Running");
        await DisruptAsync("taken-one", reason, "Failed");
        await EndAsync("taken", "Failed", succeeded: 0, failed: 1, "BackoffLimitExceeded");

        // The Job's end may be known before its Pod's.
        var run = await RunAsync("taken", one => one.Outcome is not (Outcome.Running or Outcome.Failed));
        (run.Outcome, run.Reason).ShouldBe((Outcome.Evicted, reason));
    }

    [Fact]
    public async Task Jobs_that_ended_while_the_scheduler_was_dead_are_known_by_their_end_and_those_that_are_gone_are_lost_and_not_failed()
    {
        string there, deleted;
        await using (var scheduler = await ControlProcess.SchedulerAsync(home.FullName, Data, cluster.Kubeconfig))
        {
            (there, deleted) = (await JobAsync("there", backoff: 6, ignores: false), await JobAsync("deleted", backoff: 6, ignores: false));
            await PodAsync("there", there, "one", "Running");
            await PodAsync("deleted", deleted, "one", "Running");
            await RunAsync("there", one => one.Attempts == 1);
            await RunAsync("deleted", one => one.Attempts == 1);
            scheduler.Kill();
            await scheduler.EndAsync();
        }

        await PodAsync("there", there, "two", "Succeeded");
        await EndAsync("there", "Complete", succeeded: 1, failed: 0);
        await JobAsync("never-seen", backoff: 6, ignores: false);
        foreach (var kind in Gone)
        {
            await cluster.Client.DeleteAsync(kind, "ci", kind == Kinds.Pod ? "deleted-one" : "deleted", Cancel);
        }

        await cluster.Client.DeleteAsync(Kinds.Job, "ci", "never-seen", Cancel);
        await cluster.Client.DeleteAsync(Kinds.Lease, Names.SystemNamespace, Names.Objects.Leader, Cancel);
        await using var next = await ControlProcess.SchedulerAsync(home.FullName, Data, cluster.Kubeconfig);
        (await RunAsync("there", one => one.Outcome != Outcome.Running)).Outcome.ShouldBe(Outcome.Succeeded);
        var lost = await RunAsync("deleted", one => one.Outcome != Outcome.Running);
        (lost.Outcome, lost.FinishedAt).ShouldBe((Outcome.Lost, null));
    }

    public async ValueTask InitializeAsync()
    {
        await cluster.InitializeAsync();
        await cluster.Client.CreateAsync(Kinds.Namespace, null, new JsonObject { ["apiVersion"] = "v1", ["kind"] = "Namespace", ["metadata"] = new JsonObject { ["name"] = "ci", ["labels"] = new JsonObject { [Names.Labels.Enabled] = "true" } } }, Cancel);
    }

    public async ValueTask DisposeAsync()
    {
        await cluster.DisposeAsync();
        home.Delete(recursive: true);
    }

    private static string Now => TimeProvider.System.GetUtcNow().ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", System.Globalization.CultureInfo.InvariantCulture);

    private static JsonObject Template(JsonObject? labels = null)
    {
        var template = new JsonObject { ["spec"] = new JsonObject { ["restartPolicy"] = "Never", ["containers"] = new JsonArray(new JsonObject { ["name"] = "main", ["image"] = "busybox" }) } };
        if (labels is not null) template["metadata"] = new JsonObject { ["labels"] = labels };
        return template;
    }

    private async Task<string> JobAsync(string name, int backoff, bool ignores)
    {
        var spec = new JsonObject { ["backoffLimit"] = backoff, ["template"] = Template() };
        if (ignores)
            spec["podFailurePolicy"] = new JsonObject { ["rules"] = new JsonArray(new JsonObject { ["action"] = "Ignore", ["onPodConditions"] = new JsonArray(new JsonObject { ["type"] = "DisruptionTarget", ["status"] = "True" }) }) };
        var made = await cluster.Client.CreateAsync(Kinds.Job, "ci", new JsonObject { ["apiVersion"] = "batch/v1", ["kind"] = "Job", ["metadata"] = new JsonObject { ["name"] = name }, ["spec"] = spec }, Cancel);
        await StatusAsync(Kinds.Job, name, new JsonObject { ["startTime"] = Now, ["active"] = 1 });
        return made.Uid!;
    }

    private async Task PodAsync(string job, string uid, string suffix, string phase)
    {
        var pod = Template(new JsonObject { [Names.Labels.JobName] = job, [Names.Labels.ControllerUid] = uid });
        (pod["apiVersion"], pod["kind"]) = ("v1", "Pod");
        pod["metadata"]!["name"] = $"{job}-{suffix}";
        pod["metadata"]!["ownerReferences"] = new JsonArray(new JsonObject { ["apiVersion"] = "batch/v1", ["kind"] = "Job", ["name"] = job, ["uid"] = uid, ["controller"] = true });
        pod["spec"]!["nodeName"] = "node-a";
        await cluster.Client.CreateAsync(Kinds.Pod, "ci", pod, Cancel);
        await StatusAsync(Kinds.Pod, $"{job}-{suffix}", new JsonObject
        {
            ["phase"] = phase,
            ["startTime"] = Now,
            ["containerStatuses"] = new JsonArray(new JsonObject
            {
                ["name"] = "main",
                ["image"] = "busybox",
                ["imageID"] = "",
                ["ready"] = false,
                ["restartCount"] = 0,
                ["state"] = phase == "Running" ? new JsonObject { ["running"] = new JsonObject { ["startedAt"] = Now } } : new JsonObject { ["terminated"] = new JsonObject { ["exitCode"] = 0, ["reason"] = "Completed", ["startedAt"] = Now, ["finishedAt"] = Now } },
            }),
        });
    }

    private Task DisruptAsync(string pod, string reason, string phase) => StatusAsync(Kinds.Pod, pod, new JsonObject
    {
        ["phase"] = phase,
        ["conditions"] = new JsonArray(new JsonObject { ["type"] = "DisruptionTarget", ["status"] = "True", ["reason"] = reason, ["lastTransitionTime"] = Now }),
    });

    private Task EndAsync(string job, string type, int succeeded, int failed, string? reason = null)
    {
        var before = type == "Complete" ? "SuccessCriteriaMet" : "FailureTarget";
        JsonObject Condition(string one) => new() { ["type"] = one, ["status"] = "True", ["reason"] = reason ?? "CompletionsReached", ["lastProbeTime"] = Now, ["lastTransitionTime"] = Now };
        var status = new JsonObject { ["active"] = 0, ["succeeded"] = succeeded, ["failed"] = failed, ["conditions"] = new JsonArray(Condition(before), Condition(type)) };
        if (type == "Complete") status["completionTime"] = Now;
        return StatusAsync(Kinds.Job, job, status);
    }

    private Task StatusAsync(ResourceKind kind, string name, JsonObject status) => cluster.Client.PatchAsync(kind, "ci", name, PatchType.Merge, new JsonObject { ["status"] = status }, Cancel, new WriteOptions { Subresource = "status" });

    private async Task<Run> RunAsync(string job, Func<Run, bool> wanted)
    {
        Run? found = null;
        await Wait.UntilAsync($"the run of {job}", () =>
        {
            if (!File.Exists(Path.Combine(Data, Database.FileName))) return Task.FromResult(false);
            try
            {
                using var database = Database.Open(Data, TimeProvider.System);
                found = new RunReader(database).List(new RunQuery { NamePrefix = job }).Items.SingleOrDefault();
            }
            catch (StorageException e) when (e.InnerException is Microsoft.Data.Sqlite.SqliteException { SqliteErrorCode: 5 })
            {
                // The scheduler is in a write.
            }

            return Task.FromResult(found is not null && wanted(found));
        }, TimeSpan.FromMinutes(2));
        return found!;
    }
}
