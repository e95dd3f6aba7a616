using System.Text.Json.Nodes;
using Fabrik.Analysis;
using Fabrik.CronJobs;
using Fabrik.Kubernetes;
using Fabrik.Runs;
using Fabrik.Storage;
using Fabrik.Tests.Admission;
using Fabrik.Tests.Kubernetes;
using Fabrik.Tests.Runs;
using Fabrik.Tests.Storage;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Fabrik.Tests.CronJobs;

/// <summary>The whole process over HTTP: from an API server's watches to the database.</summary>
public class ObserveRunsTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task What_happens_in_the_cluster_is_in_the_database_and_in_the_metrics()
    {
        await using var world = await World.StartAsync();
        await using var process = await world.ObserveAsync();
        await world.PlayAsync(Recording.All);

        // When the deleted Job went is the observer's own clock to say.
        var expected = RunJsonText.Of(Expected().Where(run => run.Name != "applied"));
        await world.UntilAsync(() => RunJsonText.Of(world.Database.All().Where(run => run.Name != "applied")) == expected && Ended(world).Count == 11);

        (await process.TextAsync(Names.Paths.Ready)).ShouldBe("ok\n");
        var metrics = await process.TextAsync(Names.Paths.Metrics);
        metrics.ShouldContain("fabrik_runs_finished_total{outcome=\"succeeded\",arm=\"unassigned\"} 8\n");
        metrics.ShouldContain("fabrik_scheduler_leading 1\n");
        metrics.ShouldContain("fabrik_observe_last_success_timestamp_seconds");
    }

    [Fact]
    public async Task What_happened_while_nobody_watched_is_found_out_at_the_next_start()
    {
        await using var world = await World.StartAsync();
        var half = Recording.All.TakeWhile(change => change.Version < 390).ToArray();
        await using (await world.ObserveAsync())
        {
            await world.PlayAsync(half);
            await world.UntilAsync(() => world.Database.All().Count(run => run.Outcome == Outcome.Succeeded) == 3 && world.Database.All().Count == 10);
        }

        // Meanwhile: all that was recorded, and Job deadline is deleted with everything about it; Job oom leaves its Events.
        await world.PlayAsync(Recording.All.Skip(half.Length).Where(change => !About(change, "deadline")));
        world.Delete(Kinds.Job, "ci", "deadline");
        world.Delete(Kinds.Job, "ci", "oom");
        await using var process = await world.ObserveAsync();
        await world.UntilAsync(() => Ended(world).Count == 11);
        var runs = Ended(world).ToDictionary(run => run.Name, StringComparer.Ordinal);
        runs["deadline"].Outcome.ShouldBe(Outcome.Lost);
        (runs["oom"].Outcome, runs["oom"].OomKilled).ShouldBe((Outcome.Failed, true));
        runs["minutely-29920153"].Outcome.ShouldBe(Outcome.Succeeded);
        world.Database.All().Select(run => run.Id).ShouldBeUnique();
    }

    /// <summary>What happens meanwhile is in no watch: ends, deletions, a name that is taken again, and after a restore the past of what had ended.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task After_a_restart_of_the_API_server_that_has_forgotten_the_watches_every_run_is_recorded_once(bool isRestored)
    {
        await using var world = await World.StartAsync();
        await using var process = await world.ObserveAsync();
        foreach (var (name, uid) in ((string, string)[])[("ended", "1"), ("ends", "2"), ("gone", "3"), ("taken", "4"), ("runs", "5")]) await world.CreateAsync(Named(name), uid, "2026-11-20T12:00:00Z");
        await world.SucceedAsync("ended");
        await world.UntilAsync(() => world.Database.All().Count == 5 && world.Database.All().Count(run => run.Outcome == Outcome.Succeeded) == 1);

        await world.WithoutWatchesAsync(isRestored, async () =>
        {
            await world.SucceedAsync("ends");
            world.Delete(Kinds.Job, "ci", "gone");
            world.Delete(Kinds.Job, "ci", "taken");
            await world.CreateAsync(Named("taken"), "6", "2026-11-20T12:10:00Z");
            await world.CreateAsync(Named("new"), "7", "2026-11-20T12:10:00Z");
            if (isRestored) await world.UnfinishAsync("ended");
        });
        await world.UntilAsync(() => Outcomes() == "1 succeeded, 2 succeeded, 3 lost, 4 lost, 5 running, 6 running, 7 running");

        foreach (var name in (string[])["runs", "taken", "new"]) await world.SucceedAsync(name);
        if (isRestored) await world.SucceedAsync("ended");
        await world.UntilAsync(() => Outcomes() == "1 succeeded, 2 succeeded, 3 lost, 4 lost, 5 succeeded, 6 succeeded, 7 succeeded");
        (await process.TextAsync(Names.Paths.Metrics)).ShouldContain("fabrik_runs_finished_total{outcome=\"succeeded\",arm=\"unassigned\"} 5\n");

        string Outcomes() => string.Join(", ", world.Database.All().OrderBy(run => run.Id, StringComparer.Ordinal).Select(run => $"{run.Id} {WireNames.Of(run.Outcome)}"));
    }

    private static JsonObject Named(string name) => JsonNode.Parse($$"""{"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"{{name}}","namespace":"ci"},"spec":{"template":{"spec":{"containers":[{"name":"main","image":"busybox"}] } } } }""")!.AsObject();

    /// <summary>As the webhook signed it; the process ends between the Job and its copy, and once more after both.</summary>
    [Fact]
    public async Task A_control_counts_in_every_experiment_it_was_signed_for_and_its_copy_in_none_through_restarts()
    {
        await using var world = await World.StartAsync();
        var keys = Path.Combine(world.Database.Path, "keys");
        await File.WriteAllTextAsync(keys, Reviewed.KeyText);
        var job = Signed("""
            { "namespaces": { "ci": { "fabrik.dev/enabled": "true" } }, "changes": [
              { "name": "more-memory", "slot": 0, "share": 0.1, "change": { "memoryLimit": "4Gi" } },
              { "name": "more-cpu", "slot": 2, "share": 0.1, "change": { "cpuRequest": "1" } },
              { "name": "disk", "phase": "applied", "lastAppliedAt": "2026-01-01T00:00:00Z", "change": { "ephemeralStorageLimit": "2Gi" } } ] }
            """);
        await using (await world.ObserveAsync(keys))
        {
            await world.CreateAsync(job, "1", "2026-11-20T12:00:00Z");
            await world.UntilAsync(() => world.Database.All().Count == 1);
            world.Database.All().Single().Experiments.ToString().ShouldBe("more-memory, more-cpu");
        }

        await using (await world.ObserveAsync(keys))
        {
            world.Delete(Kinds.Job, "ci", "job");
            await world.UntilAsync(() => world.Database.All().All(run => run.Outcome == Outcome.Lost));
            await world.CreateAsync(job, "2", "2026-11-20T12:05:00Z");
            await world.UntilAsync(() => world.Database.All().Count == 2);
        }

        await using var process = await world.ObserveAsync(keys);
        await process.TextAsync(Names.Paths.Live);
        foreach (var change in (string[])["more-memory", "more-cpu", "disk"])
            world.Database.Members.InOrder(change).Select(member => (member.Id, member.Role)).ShouldBe([("1", change == "disk" ? MemberRole.Applied : MemberRole.Control)]);
        (world.Database.Reader.Get("1")!.Experiments.ToString(), world.Database.Reader.Get("1")!.AppliedChanges.ToString()).ShouldBe(("more-memory, more-cpu", "disk"));
        world.Database.Reader.Get("2")!.Arm.ShouldBe(Fabrik.Experiments.Arm.Unassigned);
    }

    /// <summary>
    /// From what the webhook signed to the verdict: Jobs of one arm are deleted before anybody sees their end. Controls that vanish would make a win;
    /// a change with which Jobs vanish is taken back, and the alert says what that rests on.
    /// </summary>
    [Theory]
    [InlineData(Fabrik.Experiments.Arm.Control, Decision.Continue)]
    [InlineData(Fabrik.Experiments.Arm.Treatment, Decision.Rollback)]
    public async Task Jobs_of_one_arm_that_vanish_are_observed_as_lost_and_the_experiment_says_that_its_arms_cannot_be_compared(Fabrik.Experiments.Arm vanishing, Decision decision)
    {
        const string Changes = """{ "namespaces": { "ci": { "fabrik.dev/enabled": "true" } }, "changes": [ { "name": "more-memory", "slot": 0, "share": 0.1, "change": { "memoryLimit": "4Gi" } } ] }""";
        const int Count = 80;
        await using var world = await World.StartAsync();
        var keys = Path.Combine(world.Database.Path, "keys");
        await File.WriteAllTextAsync(keys, Reviewed.KeyText);
        await world.ChangeAsync("more-memory", "2026-11-20T12:00:00Z");
        await using var process = await world.ObserveAsync(keys, interval => interval < TimeSpan.FromMinutes(1) ? interval / 10 : interval);
        foreach (var i in Enumerable.Range(0, Count))
            await world.CreateAsync(Signed(Changes, i % 10 == 0 ? "slot0" : "control", i, $"job-{i}"), $"{i}", new DateTimeOffset(2026, 11, 20, 13, 0, 0, TimeSpan.Zero).AddMinutes(i).ToString("yyyy-MM-dd'T'HH:mm:ss'Z'"));
        await world.UntilAsync(() => world.Database.All().Count == Count);
        foreach (var run in world.Database.All())
        {
            if (run.Arm == vanishing) world.Delete(Kinds.Job, "ci", run.Name);
            else await world.SucceedAsync(run.Name);
        }

        await world.UntilAsync(() => world.Database.All().All(run => run.Outcome == (run.Arm == vanishing ? Outcome.Lost : Outcome.Succeeded)));
        var (treated, control) = vanishing == Fabrik.Experiments.Arm.Treatment ? (8, 0) : (0, 72);
        await world.UntilAsync(() => new AnalysisStore(world.Database.Database).Newest("more-memory")?.State.Phases is [var phase] && (phase.TreatedLost, phase.ControlLost) == (treated, control));

        var verdict = new AnalysisStore(world.Database.Database).Newest("more-memory")!.Verdict;
        verdict.Decision.ShouldBe(decision, string.Join("; ", verdict.Reasons));
        verdict.Alerts.ShouldHaveSingleItem().ShouldSatisfyAllConditions(
            alert => alert.Kind.ShouldBe(AlertKind.Arms), alert => alert.Text.ShouldContain($"({treated} of 8 treated, {control} of 72 control)"));
        if (decision == Decision.Continue) verdict.Reasons.ShouldBe([verdict.Alerts[0].Text]);
    }

    private static JsonObject Signed(string snapshot, string where = "rest", int which = 0, string name = "job")
    {
        var review = JsonNode.Parse(TestData.Bytes("admission/reviews/jobs-create-generate-name-indexed.json"))!;
        review["request"]!["uid"] = Units.In(where, which);
        var metadata = review["request"]!["object"]!["metadata"]!.AsObject();
        metadata.Remove("generateName");
        metadata["name"] = name;
        return Reviewed.Of(review, Snapshots.Of(snapshot)).After;
    }

    private static bool About(Change change, string job) => change.Object.GetProperty("metadata").GetProperty("name").GetString()!.StartsWith(job, StringComparison.Ordinal);

    private static List<Run> Ended(World world) => [.. world.Database.All().Where(run => run.Outcome != Outcome.Running)];

    private static IEnumerable<Run> Expected()
    {
        var ledger = Recording.Ledger();
        foreach (var change in Recording.All) ledger.Tell(change);
        return ledger.Take(int.MaxValue).Select(change => change.Run);
    }

    private sealed class World : IAsyncDisposable
    {
        private readonly FakeCluster cluster = new();
        private FakeApiServer server = null!;
        private KubernetesClient client = null!;

        public TemporaryDatabase Database { get; } = new();

        public static async Task<World> StartAsync()
        {
            var world = new World();
            world.server = await FakeApiServer.StartAsync(world.cluster.Answer);
            world.client = new KubernetesClient(world.server.Config, TimeProvider.System);
            foreach (var name in (string[])["ci", "default"])
            {
                await world.client.CreateAsync(Kinds.Namespace, null, JsonNode.Parse(Some.Namespace(name).GetRawText())!, default);
            }

            return world;
        }

        public async Task PlayAsync(IEnumerable<Change> changes)
        {
            foreach (var change in changes)
            {
                var kind = change.Kind switch { "jobs" => Kinds.Job, "pods" => Kinds.Pod, _ => Kinds.Event };
                var body = JsonNode.Parse(change.Object.GetRawText())!;
                var metadata = body["metadata"]!.AsObject();
                var (ns, name) = ((string)metadata["namespace"]!, (string)metadata["name"]!);
                metadata.Remove("resourceVersion");
                if (change.Type == "ADDED") await client.CreateAsync(kind, ns, body, default);
                else if (change.Type == "MODIFIED") await client.ReplaceAsync(kind, ns, name, body, default);
                else cluster.Delete(kind, ns, name);
            }
        }

        public void Delete(ResourceKind kind, string ns, string name) => cluster.Delete(kind, ns, name);

        public Task CreateAsync(JsonObject job, string uid, string createdAt)
        {
            var body = job.DeepClone();
            (body["metadata"]!["uid"], body["metadata"]!["creationTimestamp"]) = (uid, createdAt);
            return client.CreateAsync(Kinds.Job, "ci", body, default);
        }

        /// <summary>Nobody can read; what is written meanwhile is stored. The server then knows no version of before.</summary>
        public async Task WithoutWatchesAsync(bool isRestored, Func<Task> meanwhile)
        {
            server.Answer = context => context.Request.Method == "GET" ? FakeCluster.Fail(context, 503, "ServiceUnavailable", "starting") : cluster.Answer(context);
            cluster.CloseWatches();
            await meanwhile();
            if (isRestored) cluster.Restore();
            else cluster.Compact();
            server.Answer = cluster.Answer;
        }

        public Task UnfinishAsync(string job) => client.PatchAsync(Kinds.Job, "ci", job, PatchType.Merge, new JsonObject { ["status"] = null }, default);

        /// <summary>A change of the trial that Jobs are signed for.</summary>
        public Task ChangeAsync(string name, string startedAt) => client.CreateAsync(Kinds.OptimizationChange, Names.SystemNamespace, new JsonObject
        {
            ["metadata"] = new JsonObject { ["name"] = name, ["namespace"] = Names.SystemNamespace },
            ["spec"] = new JsonObject { ["type"] = "resource", ["change"] = new JsonObject { ["memoryLimit"] = "4Gi" }, ["goal"] = "win" },
            ["status"] = new JsonObject { ["phase"] = "experiment_running", ["slot"] = 0, ["share"] = 0.1, ["experimentId"] = "exp-1", ["startedAt"] = startedAt },
        }, default);

        public Task SucceedAsync(string job) => client.PatchAsync(Kinds.Job, "ci", job, PatchType.Merge, new JsonObject
        {
            ["status"] = new JsonObject { ["succeeded"] = 1, ["completionTime"] = "2026-11-20T14:00:00Z", ["conditions"] = new JsonArray(new JsonObject { ["type"] = "Complete", ["status"] = "True", ["lastTransitionTime"] = "2026-11-20T14:00:00Z" }) },
        }, default);

        public async Task<Process> ObserveAsync(string? keys = null, Func<TimeSpan, TimeSpan>? pace = null)
        {
            var builder = WebApplication.CreateSlimBuilder();
            builder.Logging.ClearProviders();
            builder.Services.AddFabrikCronJobs(new CronJobsOptions { Cluster = server.Config, DataDirectory = Database.Path, MetricsPort = 0, LoopbackOnly = true, AssignmentKeyFile = keys, Pace = pace ?? (interval => interval) });
            var app = builder.Build();
            app.MapFabrikCronJobs();
            await app.StartAsync();
            return new Process(app);
        }

        public async Task UntilAsync(Func<bool> done)
        {
            using var patience = new CancellationTokenSource(Patience, TimeProvider.System);
            while (!done())
            {
                try
                {
                    await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, patience.Token);
                }
                catch (OperationCanceledException)
                {
                    Assert.Fail($"not within {Patience.TotalSeconds} s; the database has\n{RunJsonText.Of(Database.All())}");
                }
            }
        }

        public async ValueTask DisposeAsync()
        {
            client.Dispose();
            await server.DisposeAsync();
            Database.Dispose();
        }
    }

    private sealed class Process(WebApplication app) : IAsyncDisposable
    {
        public async Task<string> TextAsync(string path)
        {
            using var http = new HttpClient { BaseAddress = new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single()) };
            return await http.GetStringAsync(path);
        }

        public async ValueTask DisposeAsync()
        {
            await app.StopAsync();
            await app.DisposeAsync();
        }
    }
}
