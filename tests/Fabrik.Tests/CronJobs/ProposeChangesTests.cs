using System.Text.Json.Nodes;
using Fabrik.CronJobs;
using Fabrik.CronJobs.Decisions;
using Fabrik.CronJobs.Hosting;
using Fabrik.Experiments;
using Fabrik.Kubernetes;
using Fabrik.Runs;
using Fabrik.Storage;
using Fabrik.Tests.Cli;
using Fabrik.Tests.Kubernetes;
using Fabrik.Tests.Storage;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fabrik.Tests.CronJobs;

/// <summary>From runs whose usage is settled to changes on an API server.</summary>
public sealed class ProposeChangesTests : IAsyncLifetime
{
    private static readonly DateTimeOffset Start = new(2026, 11, 20, 12, 0, 0, TimeSpan.Zero);
    private readonly TestClock clock = new(Start.AddDays(5));
    private readonly ClusterOfObjects cluster = new();
    private readonly TemporaryDatabase database = new();
    private Relay path = null!;
    private KubernetesClient client = null!;

    [Fact]
    public async Task Checklist_13_and_38_runs_that_run_out_of_memory_become_a_change_that_nobody_asked_for()
    {
        Write(1, 100);
        (await ProposeAsync()).ShouldBeTrue();
        var change = (await ChangesAsync()).ShouldHaveSingleItem();
        (change.Phase, change.Status.Phase, change.Spec.Change.MemoryLimit).ShouldBe((Phase.Proposed, null, "3Gi"));
        change.Spec.Evidence!.Runs.ShouldAllBe(id => database.Reader.Get(id)!.OomKilled);
    }

    [Fact]
    public async Task Every_run_is_taken_in_once_and_nothing_is_proposed_twice()
    {
        for (var from = 1; from <= 100; from += 20)
        {
            Write(from, from + 19);
            await ProposeAsync();
            await ProposeAsync();
            database.Reopen();
        }

        (await ChangesAsync()).ShouldHaveSingleItem();
        var profile = new ProfileStore(database.Database).Load(["agents/type/impl"]).Values.Single();
        profile.Tally(profile.Now!).Runs.ShouldBe(100);
    }

    [Theory]
    [InlineData(Cut.BeforeTheRequest)]
    [InlineData(Cut.BeforeTheAnswer)]
    public async Task A_proposal_that_was_cut_off_is_made_by_the_next_run_and_once(Cut cut)
    {
        Write(1, 100);
        using var alive = new CancellationTokenSource();
        path.Where = request => request.Method == "POST" ? cut : Cut.Nowhere;
        path.WhenCut = alive.Cancel;
        await Should.ThrowAsync<OperationCanceledException>(ProposeAsync(alive.Token));
        path.Where = _ => Cut.Nowhere;
        database.Reopen();
        await ProposeAsync();
        (await ChangesAsync()).ShouldHaveSingleItem();
    }

    [Fact]
    public async Task What_came_while_it_was_paused_is_proposed_once_it_is_resumed()
    {
        Write(1, 100);
        await PausedAsync(true);
        await ProposeAsync();
        (await ChangesAsync()).ShouldBeEmpty();
        await PausedAsync(false);
        await ProposeAsync();
        (await ChangesAsync()).ShouldHaveSingleItem();
    }

    [Fact]
    public async Task A_namespace_that_is_gone_gets_no_proposal_until_it_is_there_again_and_has_new_runs()
    {
        Write(1, 100, ns: "gone");
        await ProposeAsync();
        (await ChangesAsync()).ShouldBeEmpty();
        await NamespaceAsync("gone");
        Write(101, 120, ns: "gone");
        await ProposeAsync();
        (await ChangesAsync()).ShouldHaveSingleItem().Spec.Target.Namespaces.ShouldBe(["gone"]);
    }

    [Theory]
    [InlineData("rejected", "other")]
    [InlineData("proposed", "other")]
    [InlineData("rejected", "agents")]
    public async Task A_name_that_a_person_took_a_moment_ago_is_no_proposal_and_the_next_run_sees_what_it_is(string phase, string ns)
    {
        Write(1, 100);
        string? taken = null;
        path.Where = request =>
        {
            if (request.Method != "POST" || taken is not null) return Cut.Nowhere;
            var body = JsonNode.Parse((string)request.HttpContext.Items["body"]!)!;
            var spec = body["spec"]!.DeepClone().AsObject();
            spec["target"]!["namespaces"] = new JsonArray(ns);
            cluster.ChangeAsync(taken = (string)body["metadata"]!["name"]!, phase, spec: spec).GetAwaiter().GetResult();
            return Cut.Nowhere;
        };
        await ProposeAsync();
        (await ChangesAsync()).ShouldHaveSingleItem().Name.ShouldBe(taken);

        await ProposeAsync();
        var names = (await ChangesAsync()).Select(change => change.Name).Order(StringComparer.Ordinal);

        // What was refused for the same Jobs counts as refused; what is for others only has the name.
        if (ns == "agents") names.ShouldBe([taken]);
        else names.ShouldBe([taken, taken + "-2"]);
    }

    [Fact]
    public async Task The_same_proposal_that_another_replica_made_a_moment_ago_is_enough()
    {
        Write(1, 100);
        var seen = 0;
        path.Where = request =>
        {
            if (request.Method != "POST" || ++seen > 1) return Cut.Nowhere;
            var body = JsonNode.Parse((string)request.HttpContext.Items["body"]!)!;
            cluster.Client.CreateAsync(Kinds.OptimizationChange, Names.SystemNamespace, body, TestContext.Current.CancellationToken).GetAwaiter().GetResult();
            return Cut.Nowhere;
        };
        await ProposeAsync();
        (await ChangesAsync()).ShouldHaveSingleItem();
        new ProfileStore(database.Database).Changed().Item1.ShouldBeEmpty();
    }

    [Fact]
    public async Task Runs_that_are_not_settled_wait()
    {
        Write(1, 100, settled: false);
        await ProposeAsync();
        (await ChangesAsync()).ShouldBeEmpty();
    }

    public async ValueTask InitializeAsync()
    {
        await cluster.InitializeAsync();
        await NamespaceAsync("agents");
        path = await Relay.StartAsync(ClusterConfig.FromKubeconfig(cluster.Kubeconfig));
        client = new KubernetesClient(path.Config, TimeProvider.System);
    }

    public async ValueTask DisposeAsync()
    {
        client.Dispose();
        await path.DisposeAsync();
        await cluster.DisposeAsync();
        database.Dispose();
    }

    private Task NamespaceAsync(string name) =>
        cluster.Client.CreateAsync(Kinds.Namespace, null, new JsonObject { ["apiVersion"] = "v1", ["kind"] = Kinds.Namespace.Kind, ["metadata"] = new JsonObject { ["name"] = name } }, TestContext.Current.CancellationToken);

    private Task PausedAsync(bool paused) => cluster.Client.PatchAsync(
        Kinds.OptimizerPolicy, null, Names.PolicyName, PatchType.Apply,
        new JsonObject { ["apiVersion"] = Names.ApiVersion, ["kind"] = Kinds.OptimizerPolicy.Kind, ["metadata"] = new JsonObject { ["name"] = Names.PolicyName }, ["spec"] = new JsonObject { ["paused"] = paused } },
        TestContext.Current.CancellationToken, new WriteOptions { FieldManager = "test", Force = true });

    private async Task<bool> ProposeAsync(CancellationToken ct = default)
    {
        using var metrics = new SchedulerMetrics(clock);
        using var told = new OptimizerMetrics();
        metrics.Leads(true);
        var options = new CronJobsOptions { Cluster = path.Config, ClusterClock = clock };
        return await new ProposeChanges(client, new OptimizerObjects(client, NullLogger<OptimizerObjects>.Instance), new ProfileStore(database.Database), told, options, metrics, NullLogger<ProposeChanges>.Instance).RunAsync(ct);
    }

    private async Task<IReadOnlyList<OptimizationChange>> ChangesAsync() => (await new OptimizerObjects(cluster.Client, NullLogger<OptimizerObjects>.Instance).ChangesAsync(TestContext.Current.CancellationToken)).Changes;

    /// <summary>Every fourth is killed at 2Gi, the others need 1.2Gi.</summary>
    private void Write(int from, int to, bool settled = true, string ns = "agents")
    {
        var runs = Enumerable.Range(from, to - from + 1).Select(seq => new Run
        {
            Id = $"uid-{seq}",
            Namespace = ns,
            Name = $"impl-{seq}",
            Arm = Arm.None,
            SpecType = "impl",
            Stratum = "s",
            Containers = 1,
            Applied = new RunResources { MemoryLimitBytes = 2L << 30, MemoryRequestBytes = 1L << 30 },
            CreatedAt = Start.AddMinutes(seq),
            StartedAt = Start.AddMinutes(seq),
            FinishedAt = Start.AddMinutes(seq + 5),
            Outcome = seq % 4 == 0 ? Outcome.Failed : Outcome.Succeeded,
            OomKilled = seq % 4 == 0,
        }).ToList();
        database.Store.Write(runs.Select(run => new RunChange(run, new Evidence { Id = run.Id, Job = null }, [], null)));
        var usages = runs.Select(run => (run.Id, new RunUsage { Source = UsageSource.Prometheus, PeakMemoryBytes = (long)(1.2 * (1L << 30)), Settled = settled })).ToList();
        if (settled) new UsageStore(database.Database).Settle(usages);
        else new UsageStore(database.Database).Sample([], usages);
    }
}
