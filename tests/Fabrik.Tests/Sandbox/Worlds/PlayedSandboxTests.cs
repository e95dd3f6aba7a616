using System.Text.Json.Nodes;
using Fabrik.Kubernetes;
using Fabrik.Sandbox.Controllers;
using Fabrik.Sandbox.Worlds;

namespace Fabrik.Tests.Sandbox.Worlds;

public class PlayedSandboxTests
{
    [Fact]
    public async Task Jobs_end_as_their_pods_do()
    {
        await using var sandbox = await PlayedSandbox.StartAsync(120);
        await sandbox.CreateJobAsync("ok", """{"backoffLimit":2}""", """{"sandbox.fabrik.dev/duration":"20s","sandbox.fabrik.dev/log":"hello\nworld"}""");
        await sandbox.CreateJobAsync("exit3", """{"backoffLimit":0}""", command: """["sh","-c","exit 3"]""");
        await sandbox.CreateJobAsync("oom", """{"backoffLimit":1}""", """{"sandbox.fabrik.dev/memory":"100Mi"}""", """{"limits":{"memory":"64Mi"}}""");
        await sandbox.CreateJobAsync("onfailure", """{"backoffLimit":2}""", """{"sandbox.fabrik.dev/exit-code":"1"}""", restart: "OnFailure");
        await sandbox.CreateJobAsync("deadline", """{"activeDeadlineSeconds":30}""", """{"sandbox.fabrik.dev/duration":"1h"}""");
        await sandbox.CreateJobAsync("nopull", """{"activeDeadlineSeconds":60}""", image: "nopull");
        await sandbox.CreateJobAsync("toobig", """{"activeDeadlineSeconds":60}""", resourcesJson: """{"requests":{"memory":"900Gi"}}""");
        await sandbox.CreateJobAsync("parallel", """{"parallelism":3,"completions":7}""", """{"sandbox.fabrik.dev/duration":"5s"}""");
        await sandbox.CreateJobAsync("indexed", """{"parallelism":2,"completions":3,"completionMode":"Indexed"}""");
        await sandbox.CreateJobAsync("evicted", """{"backoffLimit":0}""", """{"sandbox.fabrik.dev/duration":"10s","sandbox.fabrik.dev/evict":"true"}""");

        await EndsAsync(sandbox, "ok", "Complete", "CompletionsReached", succeeded: 1, failed: 0);
        await EndsAsync(sandbox, "exit3", "Failed", "BackoffLimitExceeded", succeeded: 0, failed: 1);
        await EndsAsync(sandbox, "oom", "Failed", "BackoffLimitExceeded", succeeded: 0, failed: 2);
        await EndsAsync(sandbox, "onfailure", "Failed", "BackoffLimitExceeded", succeeded: 0, failed: 1);
        await EndsAsync(sandbox, "deadline", "Failed", "DeadlineExceeded", succeeded: 0, failed: 1);
        await EndsAsync(sandbox, "nopull", "Failed", "DeadlineExceeded", succeeded: 0, failed: 1);
        await EndsAsync(sandbox, "toobig", "Failed", "DeadlineExceeded", succeeded: 0, failed: 1);
        await EndsAsync(sandbox, "parallel", "Complete", "CompletionsReached", succeeded: 7, failed: 0);
        var indexed = await EndsAsync(sandbox, "indexed", "Complete", "CompletionsReached", succeeded: 3, failed: 0);
        indexed.Json.Text("status", "completedIndexes").ShouldBe("0-2");
        await EndsAsync(sandbox, "evicted", "Failed", "BackoffLimitExceeded", succeeded: 0, failed: 1);

        Pods(sandbox, "oom").Select(pod => pod.Json.List("status", "containerStatuses").First().Text("state", "terminated", "reason")).ShouldBe(["OOMKilled", "OOMKilled"]);
        Pods(sandbox, "evicted").Single().Json.Text("status", "reason").ShouldBe("Evicted");
        Pods(sandbox, "onfailure").ShouldBeEmpty();
        var log = await sandbox.Client.LogsAsync("default", Pods(sandbox, "ok").Single().Name, CancellationToken.None);
        log.ShouldBe("hello\nworld\n");
        foreach (var (reason, kind) in new[] { ("SuccessfulCreate", "Job"), ("Completed", "Job"), ("BackoffLimitExceeded", "Job"), ("DeadlineExceeded", "Job"), ("SuccessfulDelete", "Job"), ("Scheduled", "Pod"), ("Started", "Pod"), ("FailedScheduling", "Pod"), ("BackOff", "Pod"), ("Evicted", "Pod") })
            await sandbox.UntilAsync(Kinds.Event, one => one.Json.Text("reason") == reason && one.Json.Text("involvedObject", "kind") == kind);
    }

    [Fact]
    public async Task A_pod_waits_until_its_claim_is_there_and_goes_on_from_what_the_one_before_it_kept_in_it()
    {
        await using var sandbox = await PlayedSandbox.StartAsync(60);
        var job = new JsonObject
        {
            ["apiVersion"] = "batch/v1",
            ["kind"] = "Job",
            ["metadata"] = new JsonObject { ["name"] = "train" },
            ["spec"] = JsonNode.Parse("""
                {"backoffLimit":3,"template":{
                  "metadata":{"annotations":{"sandbox.fabrik.dev/duration":"200s","sandbox.fabrik.dev/evict":"0.5,false","sandbox.fabrik.dev/exit-code":"0,1,0","sandbox.fabrik.dev/checkpoint":"/kept/step","sandbox.fabrik.dev/log":"busy"}},
                  "spec":{"restartPolicy":"Never","containers":[{"name":"main","image":"busybox","volumeMounts":[{"name":"kept","mountPath":"/kept"}]}],"volumes":[{"name":"kept","persistentVolumeClaim":{"claimName":"kept"}}]}}}
                """),
        };
        await sandbox.Client.CreateAsync(Kinds.Job, "default", job, CancellationToken.None);
        await sandbox.UntilAsync(Kinds.Event, one => one.Json.Text("reason") == "FailedScheduling" && one.Json.Text("message")!.StartsWith("0/1 nodes are available: persistentvolumeclaim \"kept\" not found.", StringComparison.Ordinal));
        sandbox.MostAtOnce(pod => pod.Json.Text("status", "phase") == "Running").ShouldBe(0);

        var claim = new JsonObject { ["apiVersion"] = "v1", ["kind"] = "PersistentVolumeClaim", ["metadata"] = new JsonObject { ["name"] = "kept" }, ["spec"] = JsonNode.Parse("""{"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"1Gi"}}}""") };
        await sandbox.Client.CreateAsync(Kinds.PersistentVolumeClaim, "default", claim, CancellationToken.None);
        await EndsAsync(sandbox, "train", "Complete", "CompletionsReached", succeeded: 1, failed: 2);
        var logs = new List<string>();
        foreach (var pod in Pods(sandbox, "train").OrderBy(pod => pod.CreationTimestamp)) logs.Add(await sandbox.Client.LogsAsync("default", pod.Name, CancellationToken.None));
        logs.ShouldBe(["nothing at /kept/step: begins\nbusy\n", "read from /kept/step: 100s are done\nbusy\n", "read from /kept/step: 200s are done\nbusy\n"]);
    }

    [Fact]
    public async Task A_suspended_job_waits_and_a_finished_one_goes_when_its_time_is_over()
    {
        await using var sandbox = await PlayedSandbox.StartAsync(60);
        await sandbox.CreateJobAsync("later", """{"suspend":true,"ttlSecondsAfterFinished":30}""");
        await sandbox.UntilAsync(Kinds.Job, job => job.Name == "later" && new JobView(job).Condition("Suspended") is not null);
        Pods(sandbox, "later").ShouldBeEmpty();
        await sandbox.Client.PatchAsync(Kinds.Job, "default", "later", PatchType.Merge, JsonNode.Parse("""{"spec":{"suspend":false}}""")!, CancellationToken.None);
        await EndsAsync(sandbox, "later", "Complete", "CompletionsReached", succeeded: 1, failed: 0);
        var pod = Pods(sandbox, "later").Single().Name;
        await sandbox.UntilGoneAsync(Kinds.Job, "later");
        await sandbox.UntilGoneAsync(Kinds.Pod, pod);
    }

    [Fact]
    public async Task A_cronjob_starts_each_slot_once_and_keeps_its_history_short()
    {
        await using var sandbox = await PlayedSandbox.StartAsync(120, start: new DateTimeOffset(2026, 11, 20, 11, 59, 30, TimeSpan.Zero));
        var cronJob = JsonNode.Parse("""
            {"apiVersion":"batch/v1","kind":"CronJob","metadata":{"name":"tick"},
             "spec":{"schedule":"* * * * *","successfulJobsHistoryLimit":2,"jobTemplate":{"spec":{"template":{"spec":{"restartPolicy":"Never","containers":[{"name":"main","image":"busybox","command":["sleep","5"]}]}}}}}}
            """)!;
        var created = await sandbox.Client.CreateAsync(Kinds.CronJob, "default", cronJob, CancellationToken.None);

        // Which slots are met depends on how fast this machine is; what stands in each Job does not.
        HashSet<string> names = [];
        List<KubeObject> jobs = [];
        while (jobs.Count < 4)
        {
            var job = await sandbox.UntilAsync(Kinds.Job, found => !names.Contains(found.Name) && new JobView(found).Finished is not null);
            names.Add(job.Name);
            jobs.Add(job);
            var slot = DateTimeOffset.Parse(job.Annotation("batch.kubernetes.io/cronjob-scheduled-timestamp")!);
            slot.ShouldBeGreaterThan(created.CreationTimestamp!.Value);
            job.CreationTimestamp!.Value.ShouldBeGreaterThanOrEqualTo(slot);
            job.Name.ShouldBe($"tick-{slot.ToUnixTimeSeconds() / 60}");
            job.Json.Controller("CronJob")!.Value.Name.ShouldBe("tick");
        }

        await sandbox.UntilGoneAsync(Kinds.Job, jobs[0].Name);
        await sandbox.UntilAsync(Kinds.CronJob, one => one.Json.Time("status", "lastSuccessfulTime") is not null && !one.Json.List("status", "active").Any());
        sandbox.Created(Kinds.Job).GroupBy(name => name).ShouldAllBe(group => group.Count() == 1);
        await sandbox.UntilAsync(Kinds.Event, one => one.Json.Text("reason") == "SawCompletedJob");
    }

    [Fact]
    public async Task Pods_wait_until_the_node_has_room_for_them()
    {
        var world = World.Empty with { Node = new() { Cpu = "2", Memory = "4Gi", Pods = 110 } };
        await using var sandbox = await PlayedSandbox.StartAsync(240, world);
        for (var number = 0; number < 6; number++)
            await sandbox.CreateJobAsync($"wide-{number}", "{}", """{"sandbox.fabrik.dev/duration":"30s"}""", """{"requests":{"cpu":"1"}}""");
        for (var number = 0; number < 6; number++) await EndsAsync(sandbox, $"wide-{number}", "Complete", "CompletionsReached", 1, 0);
        sandbox.MostAtOnce(pod => pod.Json.Text("status", "phase") == "Running").ShouldBeLessThanOrEqualTo(2);
        await sandbox.UntilAsync(Kinds.Event, one => one.Json.Text("reason") == "FailedScheduling" && one.Json.Text("message")!.Contains("1 Insufficient cpu", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_job_whose_pods_a_quota_refuses_says_so_and_goes_on_when_there_is_room()
    {
        await using var sandbox = await PlayedSandbox.StartAsync(120);
        var quota = JsonNode.Parse("""{"apiVersion":"v1","kind":"ResourceQuota","metadata":{"name":"tight"},"spec":{"hard":{"pods":"0"}}}""")!;
        await sandbox.Client.CreateAsync(Kinds.ResourceQuota, "default", quota, CancellationToken.None);
        await sandbox.CreateJobAsync("refused", "{}");
        var told = await sandbox.UntilAsync(Kinds.Event, one => one.Json.Text("reason") == "FailedCreate");
        told.Json.Text("message")!.ShouldContain("exceeded quota");
        Pods(sandbox, "refused").ShouldBeEmpty();
        await sandbox.Client.DeleteAsync(Kinds.ResourceQuota, "default", "tight", CancellationToken.None);
        await EndsAsync(sandbox, "refused", "Complete", "CompletionsReached", 1, 0);
    }

    [Fact]
    public async Task Controllers_and_a_node_that_are_stopped_anywhere_lose_and_double_nothing()
    {
        await using var sandbox = await PlayedSandbox.StartAsync(60);
        const int Jobs = 40;
        for (var number = 0; number < Jobs; number++)
            await sandbox.CreateJobAsync($"work-{number}", """{"parallelism":2,"completions":3}""", """{"sandbox.fabrik.dev/duration":"20s"}""");
        for (var restart = 0; restart < 4; restart++)
        {
            var seen = sandbox.Seen.Count;
            await sandbox.UntilAsync(Kinds.Pod, _ => sandbox.Seen.Count > seen + 60);
            await sandbox.RestartAsync();
        }

        for (var number = 0; number < Jobs; number++) await EndsAsync(sandbox, $"work-{number}", "Complete", "CompletionsReached", succeeded: 3, failed: 0);

        // A request cut off in flight may still arrive behind the back of the next controller, which then takes the surplus Pod away.
        sandbox.Now(Kinds.Pod).Count(pod => pod.Json.Text("status", "phase") == "Succeeded").ShouldBe(3 * Jobs);
    }

    [Fact]
    public async Task The_built_in_world_is_played_to_its_end_at_speed()
    {
        var world = World.Load("demo") with { Later = [] };
        world = world with { Objects = [] };
        await using var sandbox = await PlayedSandbox.StartAsync(3000, world);
        var jobs = await WorldPlayer.PlayAsync(sandbox.Client, sandbox.Clock, world, CancellationToken.None);
        jobs.Count.ShouldBe(WorldPlayer.Arrivals(world).Count);
        foreach (var job in jobs) await sandbox.UntilEndedAsync(job.Name);
        sandbox.Created(Kinds.Job).Count.ShouldBe(jobs.Count);
        var impl = sandbox.Now(Kinds.Pod).Where(pod => pod.Label(Names.Labels.SpecType) == "impl").ToList();
        var killed = impl.Where(pod => pod.Json.List("status", "containerStatuses").Any(one => one.Text("state", "terminated", "reason") == "OOMKilled"))
            .Select(pod => pod.Json.Controller("Job")!.Value.Name).Distinct().Count();
        killed.ShouldBeInRange(295, 405);
    }

    private static async Task<KubeObject> EndsAsync(PlayedSandbox sandbox, string name, string type, string reason, int succeeded, int failed)
    {
        var job = await sandbox.UntilEndedAsync(name);
        var end = new JobView(job).Finished!.Value;
        (name, end.Text("type"), end.Text("reason")).ShouldBe((name, type, reason));
        (name, job.Json.Int("status", "succeeded") ?? 0, job.Json.Int("status", "failed") ?? 0).ShouldBe((name, succeeded, failed));
        return job;
    }

    private static List<KubeObject> Pods(PlayedSandbox sandbox, string job) => sandbox.Now(Kinds.Pod).Where(pod => pod.Label("job-name") == job).ToList();
}
