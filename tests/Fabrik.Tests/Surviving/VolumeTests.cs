using System.Net;
using System.Text.Json.Nodes;
using Fabrik.Experiments;
using Fabrik.Kubernetes;
using Fabrik.Storage;
using Fabrik.Tests.Cli;
using Fabrik.Tests.Storage;

namespace Fabrik.Tests.Surviving;

/// <summary>The shipped scheduler on a volume that fills up, fails, or is not writable from the start.</summary>
public sealed class VolumeTests : IAsyncLifetime
{
    private readonly ClusterOfObjects cluster = new();
    private readonly DirectoryInfo home = Directory.CreateTempSubdirectory("fabrik-home-");
    private readonly HttpClient http = new() { Timeout = TimeSpan.FromSeconds(30) };

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task While_the_disk_is_full_the_scheduler_stands_still_and_says_so_and_goes_on_by_itself_once_there_is_room()
    {
        Assert.SkipUnless(Volume.CanBeMounted, "mounting takes root");
        using var volume = Volume.InMemory(160);
        await cluster.ChangeAsync("before");
        await using var scheduler = await ControlProcess.SchedulerAsync(home.FullName, volume.Path, cluster.Kubeconfig);
        await PhaseAsync("before", Phase.ExperimentRunning);
        await ReadyAsync(scheduler, null);
        (await TextAsync(scheduler, Names.Paths.Metrics)).ShouldContain("fabrik_storage_writable 1\n");

        volume.Fill();
        await JobAsync("first");
        await cluster.ChangeAsync("meanwhile");
        await ReadyAsync(scheduler, "full");
        (await TextAsync(scheduler, Names.Paths.Live)).ShouldBe("ok\n");
        (await TextAsync(scheduler, Names.Paths.Metrics)).ShouldContain("fabrik_storage_writable 0\n");
        await ConditionAsync("False", StorageTrouble.DiskFull);
        await Wait.UntilAsync("its log to say so", () => Task.FromResult(scheduler.Output.Contains("All tasks stand still: the disk of the control database is full", StringComparison.Ordinal)));
        (await cluster.FabrikAsync("optimizer", "status")).Out.ShouldContain("STANDS STILL");
        ObjectJson.Change(await cluster.ReadAsync("meanwhile")).Phase.ShouldBe(Phase.Proposed);

        volume.MakeRoom();
        await ReadyAsync(scheduler, null);
        await ConditionAsync("True", "Written");
        (await cluster.FabrikAsync("optimizer", "status")).Out.ShouldNotContain("STANDS STILL");
        scheduler.Output.ShouldContain("all tasks go on");
        await StoredAsync(volume.Path, "first");
    }

    [Fact]
    public async Task A_volume_that_becomes_read_only_stops_all_tasks_and_a_restart_on_the_repaired_one_finds_everything()
    {
        Assert.SkipUnless(Volume.CanBeMounted, "mounting takes root");
        using var volume = Volume.OnDisk(256);
        var data = Path.Combine(volume.Path, "data");
        await cluster.ChangeAsync("before");
        await using (var scheduler = await ControlProcess.SchedulerAsync(home.FullName, data, cluster.Kubeconfig))
        {
            await PhaseAsync("before", Phase.ExperimentRunning);
            await JobAsync("early");
            await StoredAsync(data, "early");
            volume.Fail();
            await JobAsync("late");
            await ReadyAsync(scheduler, "disk");
            await ConditionAsync("False", null);
            scheduler.Kill();
            await scheduler.EndAsync();
        }

        volume.Unmount();
        volume.Mount();
        await cluster.Client.DeleteAsync(Kinds.Lease, Names.SystemNamespace, Names.Objects.Leader, Cancel);
        await using var next = await ControlProcess.SchedulerAsync(home.FullName, data, cluster.Kubeconfig);
        await StoredAsync(data, "late");
        await StoredAsync(data, "early");
        await ConditionAsync("True", "Written");
    }

    [Fact]
    public async Task A_scheduler_does_not_start_on_a_volume_that_is_read_only_or_too_full_and_says_what_to_do()
    {
        Assert.SkipUnless(Volume.CanBeMounted, "mounting takes root");
        using var volume = Volume.InMemory(160);
        volume.Remount("ro");
        (await RefusedAsync(volume.Path)).ShouldContain("Read-only file system");
        volume.Remount("rw");
        volume.Fill();
        (await RefusedAsync(volume.Path)).ShouldContain("Make room or use a larger volume");
        volume.MakeRoom();
        await using var scheduler = await ControlProcess.SchedulerAsync(home.FullName, volume.Path, cluster.Kubeconfig);
    }

    [Fact]
    public async Task Two_schedulers_never_share_a_database_and_an_api_beside_one_may()
    {
        using var database = new TemporaryDatabase();
        using (Database.Open(database.Path, TimeProvider.System, Names.Components.Scheduler))
        {
            (await RefusedAsync(database.Path)).ShouldContain("in use by another scheduler");
            using var api = Database.Open(database.Path, TimeProvider.System, Names.Components.Api);
        }

        await using var scheduler = await ControlProcess.SchedulerAsync(home.FullName, database.Path, cluster.Kubeconfig);
        Should.Throw<StorageException>(() => Database.Open(database.Path, TimeProvider.System, Names.Components.Scheduler)).Message.ShouldContain("ReadWriteOncePod");
        scheduler.Kill();
        await scheduler.EndAsync();
        Database.Open(database.Path, TimeProvider.System, Names.Components.Scheduler).Dispose();
    }

    public async ValueTask InitializeAsync()
    {
        await cluster.InitializeAsync();
        await cluster.Client.PatchAsync(Kinds.OptimizerPolicy, null, Names.PolicyName, PatchType.Apply, new JsonObject
        {
            ["apiVersion"] = Names.ApiVersion,
            ["kind"] = Kinds.OptimizerPolicy.Kind,
            ["metadata"] = new JsonObject { ["name"] = Names.PolicyName },
            ["spec"] = new JsonObject { ["businessHours"] = new JsonObject { ["only"] = false } },
        }, Cancel, new WriteOptions { FieldManager = "test", Force = true });
        await cluster.Client.CreateAsync(Kinds.Namespace, null, new JsonObject { ["apiVersion"] = "v1", ["kind"] = "Namespace", ["metadata"] = new JsonObject { ["name"] = "ci", ["labels"] = new JsonObject { [Names.Labels.Enabled] = "true" } } }, Cancel);
    }

    public async ValueTask DisposeAsync()
    {
        http.Dispose();
        await cluster.DisposeAsync();
        home.Delete(recursive: true);
    }

    private Task JobAsync(string name) => cluster.Client.CreateAsync(Kinds.Job, "ci", new JsonObject
    {
        ["apiVersion"] = "batch/v1",
        ["kind"] = "Job",
        ["metadata"] = new JsonObject { ["name"] = name },
        ["spec"] = new JsonObject
        {
            ["template"] = new JsonObject { ["spec"] = new JsonObject { ["restartPolicy"] = "Never", ["containers"] = new JsonArray(new JsonObject { ["name"] = "main", ["image"] = "busybox" }) } },
        },
    }, Cancel);

    private static Task StoredAsync(string data, string job) => Wait.UntilAsync($"the run of {job} to be stored", () =>
    {
        using var database = Database.Open(data, TimeProvider.System);
        return Task.FromResult(new RunReader(database).List(new RunQuery { NamePrefix = job }).Items.Count == 1);
    });

    private Task PhaseAsync(string change, Phase phase) => Wait.UntilAsync($"{change} to be {phase}", async () => ObjectJson.Change(await cluster.ReadAsync(change)).Phase == phase);

    /// <param name="reason">Null: any.</param>
    private Task ConditionAsync(string status, string? reason) => Wait.UntilAsync($"the policy to say {status}", async () =>
        ObjectJson.Policy((await cluster.Client.GetAsync(Kinds.OptimizerPolicy, null, Names.PolicyName, Cancel)).Json).Status.Conditions
            .Any(one => one.Type == Names.Conditions.StorageWritable && one.Status == status && (reason is null || one.Reason == reason)));

    /// <summary>Ready, whether the tasks go on or stand still: who shares its Pod is reached all the same.</summary>
    /// <param name="standsStill">A word of why; null: they go on.</param>
    private async Task ReadyAsync(ControlProcess scheduler, string? standsStill)
    {
        var clock = TimeProvider.System;
        var began = clock.GetTimestamp();
        while (true)
        {
            using var answer = await http.GetAsync(new Uri(scheduler.Address, Names.Paths.Ready), Cancel);
            var text = await answer.Content.ReadAsStringAsync(Cancel);
            if (answer.StatusCode == HttpStatusCode.OK && (standsStill is null ? text == "ok\n" : text.StartsWith("ok, and all tasks stand still since ", StringComparison.Ordinal) && text.Contains(standsStill, StringComparison.Ordinal))) return;
            Assert.True(clock.GetElapsedTime(began) < TimeSpan.FromMinutes(2), $"readiness is {answer.StatusCode}: {text}\n{scheduler.Output}");
            await Task.Delay(TimeSpan.FromMilliseconds(100), clock, Cancel);
        }
    }

    private Task<string> TextAsync(ControlProcess scheduler, string path) => http.GetStringAsync(new Uri(scheduler.Address, path), Cancel);

    private async Task<string> RefusedAsync(string data)
    {
        await using var scheduler = ControlProcess.Scheduler(home.FullName, data, cluster.Kubeconfig);
        (await scheduler.EndAsync()).ShouldBe(1);
        return scheduler.Output;
    }
}
