using System.Text.Json.Nodes;
using Fabrik.Experiments;
using Fabrik.Kubernetes;
using Fabrik.Runs;
using Fabrik.Storage;
using Fabrik.Tests.Cli;
using Fabrik.Tests.Kubernetes;
using Fabrik.Tests.Support;

namespace Fabrik.Tests.CronJobs.Lifecycle;

/// <summary>The shipped scheduler, killed by the system while it takes three harmful changes back, and started again on the same database and cluster.</summary>
public sealed class KilledProcessTests
{
    private static readonly string[] Changes = ["a", "b", "c"];
    private static readonly DateTimeOffset Start = TimeProvider.System.GetUtcNow().AddHours(-3);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Checklist_36_a_process_that_is_killed_before_or_after_its_write_leaves_the_end_and_the_record_of_one_that_is_not_and_nothing_on_disk_but_its_database()
    {
        // At once: a restarted scheduler waits for the dead one's Lease, and none of them needs the processor meanwhile.
        var ends = await Task.WhenAll(LiveAsync(Cut.Nowhere), LiveAsync(Cut.BeforeTheRequest), LiveAsync(Cut.BeforeTheAnswer));

        var undisturbed = ends[0];
        undisturbed.Killed.ShouldBeFalse();
        undisturbed.Changes.ShouldAllBe(change => change.Contains(" RolledBack 0% ", StringComparison.Ordinal));
        undisturbed.History.ShouldBe(Changes.SelectMany(change => new[] { $"{change}: - > experiment_running", $"{change}: experiment_running > rolled_back by fabrik" }), ignoreOrder: true);
        undisturbed.Incidents.ShouldBe(Changes.Select(change => $"{change} harm"), ignoreOrder: true);
        foreach (var killed in ends[1..])
        {
            killed.Killed.ShouldBeTrue();
            killed.Changes.ShouldBe(undisturbed.Changes);
            killed.History.ShouldBe(undisturbed.History, ignoreOrder: true);
            killed.Incidents.ShouldBe(undisturbed.Incidents, ignoreOrder: true);
        }

        foreach (var end in ends)
        {
            end.Open.ShouldBe(0);
            end.Files.Order(StringComparer.Ordinal).ShouldBe(["data/fabrik.db", "data/fabrik.db.scheduler.lock"]);
        }
    }

    /// <param name="cut">Where the second step's write to the object is when the process is killed.</param>
    private static async Task<End> LiveAsync(Cut cut)
    {
        await using var cluster = new ClusterOfObjects();
        await cluster.InitializeAsync();
        await using var path = await Relay.StartAsync(ClusterConfig.FromKubeconfig(cluster.Kubeconfig));
        var home = Directory.CreateTempSubdirectory("fabrik-killed-");
        var (data, kubeconfig) = (Path.Combine(home.FullName, "data"), Path.Combine(home.FullName, "kubeconfig"));
        await File.WriteAllTextAsync(kubeconfig, Kubeconfig(path.Config), Cancel);
        Seed(data);
        foreach (var (name, slot) in Changes.Select((name, slot) => (name, slot)))
            await cluster.ChangeAsync(name, "experiment_running", new JsonObject { ["slot"] = slot, ["share"] = 0.1, ["experimentId"] = $"exp-{name}", ["startedAt"] = Start.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'") });

        SchedulerProcess Scheduler() => SchedulerProcess.Start(home.FullName, (Names.Variables.Kubeconfig, kubeconfig), (Names.Variables.DataDirectory, data));
        var (writes, killed) = (0, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        path.Where = request => request.Method == "PATCH" && request.Path.Value!.EndsWith("/status", StringComparison.Ordinal) && Interlocked.Increment(ref writes) == 2 ? cut : Cut.Nowhere;
        await using (var first = Scheduler())
        {
            path.WhenCut = () =>
            {
                first.Kill();
                killed.SetResult();
            };
            if (cut == Cut.Nowhere) await DoneAsync(cluster);
            else await killed.Task.WaitAsync(TimeSpan.FromSeconds(60), TimeProvider.System, Cancel);
        }

        if (cut != Cut.Nowhere)
        {
            await using var second = Scheduler();
            await DoneAsync(cluster);
        }

        // The two beside the database are its log, and are one with it.
        var files = home.EnumerateFiles("*", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(home.FullName, file.FullName)).Where(file => !file.EndsWith("-wal", StringComparison.Ordinal) && !file.EndsWith("-shm", StringComparison.Ordinal));
        var end = (await EndAsync(cluster, data)) with { Killed = killed.Task.IsCompleted, Files = [.. files.Where(file => file != "kubeconfig")] };
        home.Delete(recursive: true);
        return end;
    }

    /// <summary>An Event is the last that is written of a step, and the last change the last one that a look takes back.</summary>
    private static Task DoneAsync(ClusterOfObjects cluster) => Wait.UntilAsync("the last change to be taken back", async () =>
    {
        await foreach (var one in cluster.Client.ListAsync(Kinds.Event, Names.SystemNamespace, Cancel))
            if (one.Json.GetProperty("involvedObject").GetProperty("name").GetString() == Changes[^1]) return true;
        return false;
    });

    private static async Task<End> EndAsync(ClusterOfObjects cluster, string data)
    {
        var changes = new List<OptimizationChange>();
        foreach (var name in Changes) changes.Add(ObjectJson.Change(await cluster.ReadAsync(name)));
        IReadOnlyList<string> history, incidents;
        int open;
        using (var database = Database.Open(data, TimeProvider.System))
        {
            var record = new TransitionStore(database);
            history = [.. record.History(null, null, null, 1000).Select(one => $"{one.Value.Change}: {one.Value.From ?? "-"} > {one.Value.To}{(one.Value.Actor is { } actor ? $" by {actor}" : "")}")];
            incidents = [.. record.Incidents(false, null, 1000).Select(one => $"{one.Value.Change} {one.Value.Trigger}")];
            open = record.State([.. changes.Select(change => change.Status.Transition).OfType<string>()]).Open.Count;
        }

        return new End(
            [.. changes.Select(change => $"{change.Name} {change.Phase} {change.Status.RolloutProgress} {change.Status.Slot}{change.Status.Share} {change.Status.Reason}")],
            history, incidents, open);
    }

    /// <summary>Every tenth run is treated in each of the three trials, and fails.</summary>
    private static void Seed(string data)
    {
        using var database = Database.Open(data, TimeProvider.System);
        var runs = Enumerable.Range(1, 100).Select(seq => new Run
        {
            Id = $"{seq}",
            Namespace = "ci",
            Name = $"job-{seq}",
            Arm = seq % 10 == 0 ? Arm.Treatment : Arm.Control,
            Experiments = [.. Changes],
            Stratum = "s",
            CreatedAt = Start.AddMinutes(seq),
            StartedAt = Start.AddMinutes(seq),
            FinishedAt = Start.AddMinutes(seq).AddSeconds(10),
            Outcome = seq % 10 == 0 ? Outcome.Failed : Outcome.Succeeded,
        }).ToList();
        var store = new RunStore(database);
        store.Write(runs.Select(run => new RunChange(run, new Fabrik.Runs.Evidence { Id = run.Id, Job = null }, [], null)));
        store.Forget(runs.Select(run => run.Id));
    }

    private static string Kubeconfig(ClusterConfig config) => new JsonObject
    {
        ["apiVersion"] = "v1",
        ["kind"] = "Config",
        ["current-context"] = "test",
        ["contexts"] = new JsonArray(new JsonObject { ["name"] = "test", ["context"] = new JsonObject { ["cluster"] = "test", ["user"] = "test" } }),
        ["clusters"] = new JsonArray(new JsonObject { ["name"] = "test", ["cluster"] = new JsonObject { ["server"] = config.Server.ToString() } }),
        ["users"] = new JsonArray(new JsonObject { ["name"] = "test", ["user"] = new JsonObject { ["token"] = "any" } }),
    }.ToJsonString();

    /// <param name="Changes">Name, phase, progress, slot and share, reason.</param>
    /// <param name="Open">Steps whose result the record does not have.</param>
    private sealed record End(IReadOnlyList<string> Changes, IReadOnlyList<string> History, IReadOnlyList<string> Incidents, int Open)
    {
        public bool Killed { get; init; }

        /// <summary>In its home, but for what the test put there.</summary>
        public IReadOnlyList<string> Files { get; init; } = [];
    }
}
