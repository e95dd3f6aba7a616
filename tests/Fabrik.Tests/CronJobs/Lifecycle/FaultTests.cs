using System.Text.Json.Nodes;
using Fabrik.Analysis;
using Fabrik.Experiments;
using Fabrik.Kubernetes;
using Fabrik.Tests.Kubernetes;
using Microsoft.Data.Sqlite;

namespace Fabrik.Tests.CronJobs.Lifecycle;

/// <summary>What people, networks and disks do to a change on its way.</summary>
public sealed class FaultTests
{
    [Fact]
    public async Task A_replica_without_the_lease_writes_nothing()
    {
        await using var bench = await OptimizerBench.StartAsync();
        await bench.Cluster.ChangeAsync("a");
        bench.Leads = false;
        (await bench.StartExperimentsAsync()).ShouldBeFalse();
        (await bench.ReadAsync("a")).Status.Phase.ShouldBeNull();
        bench.History().ShouldBeEmpty();
    }

    [Fact]
    public async Task Two_schedulers_that_both_believe_to_lead_take_a_step_once()
    {
        await using var bench = await OptimizerBench.StartAsync();
        await bench.Cluster.ChangeAsync("a");
        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => bench.StartExperimentsAsync()));
        await bench.StartExperimentsAsync();
        var written = bench.History();
        written.Count(step => step == "proposed > experiment_running by fabrik").ShouldBe(1);
        (await bench.ReadAsync("a")).Phase.ShouldBe(Phase.ExperimentRunning);
    }

    [Fact]
    public async Task An_api_server_that_is_gone_for_an_hour_costs_an_hour_and_nothing_else()
    {
        await using var bench = await OptimizerBench.StartAsync();
        await bench.Cluster.ChangeAsync("a");
        bench.Path.Where = _ => Cut.BeforeTheRequest;
        await Should.ThrowAsync<KubernetesException>(bench.StartExperimentsAsync());
        bench.Clock.Advance(TimeSpan.FromHours(1));
        bench.Path.Where = _ => Cut.Nowhere;
        await bench.StartExperimentsAsync();
        bench.History().ShouldBe(["- > proposed", "proposed > experiment_running by fabrik"]);
        (await bench.ReadAsync("a")).Status.StartedAt.ShouldBe(bench.Clock.GetUtcNow());
    }

    [Fact]
    public async Task While_the_database_is_locked_no_step_is_taken_that_it_does_not_know()
    {
        await using var bench = await OptimizerBench.StartAsync();
        await bench.Cluster.ChangeAsync("a");
        using (bench.LockDatabase())
        {
            await Should.ThrowAsync<SqliteException>(bench.StartExperimentsAsync());
            (await bench.ReadAsync("a")).Status.Phase.ShouldBeNull();
        }

        await bench.StartExperimentsAsync();
        (await bench.ReadAsync("a")).Phase.ShouldBe(Phase.ExperimentRunning);
    }

    [Fact]
    public async Task A_change_that_was_deleted_on_trial_is_recorded_as_deleted_and_one_of_the_same_name_begins_anew()
    {
        await using var bench = await OptimizerBench.StartAsync();
        await bench.Cluster.ChangeAsync("a");
        await bench.StartExperimentsAsync();
        await bench.FoundAsync("a", Decision.Rollout, "better");
        await bench.Cluster.Client.DeleteAsync(Kinds.OptimizationChange, Names.SystemNamespace, "a", TestContext.Current.CancellationToken);
        await bench.Cluster.ChangeAsync("a");
        await bench.StartExperimentsAsync();
        await bench.DecideAsync();
        bench.History().ShouldBe(["- > proposed", "proposed > experiment_running by fabrik", "- > proposed", "experiment_running > deleted", "proposed > experiment_running by fabrik"]);
        (await bench.ReadAsync("a")).Phase.ShouldBe(Phase.ExperimentRunning);
    }

    [Fact]
    public async Task A_change_edited_by_hand_between_reading_and_writing_is_decided_anew()
    {
        await using var bench = await OptimizerBench.StartAsync();
        await bench.Cluster.ChangeAsync("a");
        var edited = false;
        bench.Path.Where = request =>
        {
            if (request.Method != "PATCH" || edited) return Cut.Nowhere;
            edited = true;
            bench.PatchSpecAsync("a", new JsonObject { ["risk"] = "high" }).GetAwaiter().GetResult();
            return Cut.Nowhere;
        };
        await bench.StartExperimentsAsync();
        (await bench.ReadAsync("a")).Status.Phase.ShouldBeNull();
        bench.Clock.Advance(TimeSpan.FromHours(8)); // after hours: what is risky now waits
        await bench.StartExperimentsAsync();
        (await bench.ReadAsync("a")).Phase.ShouldBe(Phase.Queued);
        bench.History().ShouldBe(["- > proposed", "proposed > queued by fabrik"]);
    }

    [Fact]
    public async Task A_phase_written_by_hand_is_recorded_as_not_the_schedulers()
    {
        await using var bench = await OptimizerBench.StartAsync();
        await bench.Cluster.ChangeAsync("a");
        await bench.StartExperimentsAsync();
        await bench.Cluster.StatusAsync("a", new JsonObject { ["phase"] = "approved" });
        await bench.GuardAsync();
        bench.History()[^1].ShouldBe("experiment_running > approved");
    }

    [Fact]
    public async Task A_step_that_the_server_refuses_is_not_tried_each_minute()
    {
        await using var bench = await OptimizerBench.StartAsync();
        await bench.Cluster.ChangeAsync("a");
        var tries = 0;
        bench.Path.Refuse = request => request.Method == "PATCH" && ++tries > 0;
        for (var minute = 0; minute < 9; minute++)
        {
            await bench.StartExperimentsAsync();
            bench.Clock.Advance(TimeSpan.FromMinutes(1));
        }

        tries.ShouldBe(1);
        bench.Path.Refuse = _ => false;
        bench.Clock.Advance(TimeSpan.FromMinutes(2));
        await bench.StartExperimentsAsync();
        (await bench.ReadAsync("a")).Phase.ShouldBe(Phase.ExperimentRunning);
    }

    [Fact]
    public async Task A_clock_that_jumps_back_and_forth_loses_no_step_and_takes_none_twice()
    {
        await using var bench = await OptimizerBench.StartAsync();
        await bench.Cluster.ChangeAsync("a", spec: new JsonObject { ["autoApply"] = true });
        await bench.StartExperimentsAsync();
        await bench.FoundAsync("a", Decision.Rollout, "better");
        bench.Clock.Jump(TimeSpan.FromDays(-2));
        await bench.DecideAsync();
        await bench.ApplyAsync();
        bench.Clock.Jump(TimeSpan.FromDays(5));
        await bench.ApplyAsync();
        bench.History().ShouldBe(["- > proposed", "proposed > experiment_running by fabrik", "experiment_running > approved by fabrik", "approved > applied by fabrik"]);
    }

    [Fact]
    public async Task A_change_in_a_namespace_of_its_author_counts_for_nothing()
    {
        await using var bench = await OptimizerBench.StartAsync();
        var cancel = TestContext.Current.CancellationToken;
        await bench.Cluster.Client.CreateAsync(Kinds.Namespace, null, JsonNode.Parse("""{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"mine"}}""")!, cancel);
        await bench.Cluster.Client.CreateAsync(Kinds.OptimizationChange, "mine", JsonNode.Parse("""{"apiVersion":"fabrik.dev/v1","kind":"OptimizationChange","metadata":{"name":"grab"},"spec":{"type":"resource","target":{"namespaces":["theirs"]},"change":{"memoryLimit":"1Mi"}}}""")!, cancel);
        await bench.StartExperimentsAsync();
        (await bench.Cluster.Client.GetAsync(Kinds.OptimizationChange, "mine", "grab", cancel)).Json.TryGetProperty("status", out _).ShouldBeFalse();
        bench.History().ShouldBeEmpty();
    }

    [Fact]
    public async Task Pause_and_resume_take_effect_with_the_next_turn()
    {
        await using var bench = await OptimizerBench.StartAsync();
        await bench.Cluster.ChangeAsync("a");
        await bench.PolicyAsync(new JsonObject { ["paused"] = true });
        await bench.StartExperimentsAsync();
        (await bench.ReadAsync("a")).Status.Phase.ShouldBeNull();
        await bench.PolicyAsync(new JsonObject { ["paused"] = false });
        await bench.StartExperimentsAsync();
        (await bench.ReadAsync("a")).Phase.ShouldBe(Phase.ExperimentRunning);
    }

    [Fact]
    public async Task Every_step_leaves_an_event_that_kubectl_describe_shows()
    {
        await using var bench = await OptimizerBench.StartAsync();
        await bench.Cluster.ChangeAsync("a");
        await bench.StartExperimentsAsync();
        var events = new List<KubeObject>();
        await foreach (var one in bench.Cluster.Client.ListAsync(Kinds.Event, Names.SystemNamespace, TestContext.Current.CancellationToken)) events.Add(one);
        var told = events.ShouldHaveSingleItem().Json;
        told.GetProperty("involvedObject").GetProperty("name").GetString().ShouldBe("a");
        told.GetProperty("reason").GetString().ShouldBe("ExperimentRunning");
    }
}
