using System.Text.Json.Nodes;
using Fabrik.CronJobs;
using Fabrik.Kubernetes;
using Fabrik.Runs;
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

        public async Task<Process> ObserveAsync()
        {
            var builder = WebApplication.CreateSlimBuilder();
            builder.Logging.ClearProviders();
            builder.Services.AddFabrikCronJobs(new CronJobsOptions { Cluster = server.Config, DataDirectory = Database.Path, MetricsPort = 0, LoopbackOnly = true });
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
