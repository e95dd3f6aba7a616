using System.Text.Json.Nodes;
using Fabrik.Analysis;
using Fabrik.CronJobs;
using Fabrik.CronJobs.Decisions;
using Fabrik.CronJobs.Hosting;
using Fabrik.Decisions;
using Fabrik.Experiments;
using Fabrik.Gateway;
using Fabrik.Kubernetes;
using Fabrik.Reports;
using Fabrik.Runs;
using Fabrik.Storage;
using Fabrik.Tests.Cli;
using Fabrik.Tests.Kubernetes;
using Fabrik.Tests.Storage;
using Fabrik.Tests.Support;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fabrik.Tests.CronJobs.Lifecycle;

/// <summary>One scheduler with its database, an API server behind a path that can be cut, and people who write to that server directly.</summary>
internal sealed class OptimizerBench : IAsyncDisposable
{
    private readonly ClusterOfObjects cluster = new();
    private readonly TemporaryDatabase database = new();
    private readonly CancellationToken cancel = TestContext.Current.CancellationToken;
    private KubernetesClient client = null!;
    private CancellationTokenSource alive = new();

    public Relay Path { get; private set; } = null!;
    public TestClock Clock { get; } = new(new DateTimeOffset(2026, 11, 20, 12, 0, 0, TimeSpan.Zero));
    public ClusterOfObjects Cluster => cluster;
    public bool Leads { get; set; } = true;
    public TransitionStore Record => new(database.Database);

    public static async Task<OptimizerBench> StartAsync()
    {
        var bench = new OptimizerBench();
        await bench.cluster.InitializeAsync();
        bench.Path = await Relay.StartAsync(ClusterConfig.FromKubeconfig(bench.cluster.Kubeconfig));
        bench.client = new KubernetesClient(bench.Path.Config, TimeProvider.System);
        return bench;
    }

    /// <summary>From now on as if the process had been killed: what waits for an answer gets none, and nothing more is written.</summary>
    public void Kill() => alive.Cancel();

    public void Restart()
    {
        alive.Dispose();
        alive = new CancellationTokenSource();
        database.Reopen();
    }

    public Task<bool> StartExperimentsAsync() => TurnAsync(Starting.Plan);

    public Task<bool> DecideAsync() => TurnAsync(Deciding.Plan);

    public Task<bool> ApplyAsync() => TurnAsync(Applying.Plan);

    public Task<bool> GuardAsync() => TurnAsync(Guarding.Plan);

    public async Task<bool> TurnAsync(Func<OptimizerView, IReadOnlyList<Step>> plan)
    {
        var taken = false;
        await InTurnAsync(async (turn, _, _) => taken = await turn.TakeAsync(plan, alive.Token));
        return taken;
    }

    /// <summary>A look at the runs and calls in the database.</summary>
    public Task AnalyseAsync() => InTurnAsync((turn, metrics, told) => new AnalyseExperiments(
        turn, database.Members, new ModelCallStore(database.Database), new AnalysisStore(database.Database), told, new CronJobsOptions { Cluster = Path.Config }, metrics, NullLogger<AnalyseExperiments>.Instance).RunAsync(alive.Token));

    public void Ran(IEnumerable<Fabrik.Runs.Run> runs, IReadOnlyList<UsageEvent> calls)
    {
        database.Store.Write([.. runs.Select(run => new RunChange(run, new Fabrik.Runs.Evidence { Id = run.Id, Job = null }, [], null))]);
        new ModelCallStore(database.Database).Insert(calls);
    }

    private async Task InTurnAsync(Func<OptimizerTurn, SchedulerMetrics, OptimizerMetrics, Task> act)
    {
        using var metrics = new SchedulerMetrics(Clock);
        using var told = new OptimizerMetrics();
        metrics.Leads(Leads);
        var objects = new OptimizerObjects(client, NullLogger<OptimizerObjects>.Instance);
        using var turn = new OptimizerTurn(client, objects, Record, new AnalysisStore(database.Database), metrics, told, Clock, NullLogger<OptimizerTurn>.Instance);
        await act(turn, metrics, told);
    }

    /// <summary>What a look found, as stored.</summary>
    public async Task FoundAsync(string change, Decision decision, string reason)
    {
        var read = await ReadAsync(change);
        new AnalysisStore(database.Database).Save(new StoredAnalysis(
            read.Metadata.Uid!, read.Status.StartedAt!.Value, change, read.Status.ExperimentId, 1, Clock.GetUtcNow(), Goal.Win, new Verdict(decision, [reason], 0.97), 20, new ExperimentState()));
    }

    public async Task<OptimizationChange> ReadAsync(string name) => ObjectJson.Change(await cluster.ReadAsync(name));

    public Task PatchSpecAsync(string name, JsonObject spec) =>
        cluster.Client.PatchAsync(Kinds.OptimizationChange, Names.SystemNamespace, name, PatchType.Merge, new JsonObject { ["spec"] = spec }, cancel);

    public Task SayAsync(string name, bool approved, string reason) => PatchSpecAsync(name, new JsonObject
    {
        ["approval"] = new JsonObject { ["approved"] = approved, ["by"] = "alice", ["reason"] = reason, ["at"] = Clock.GetUtcNow().ToString("yyyy-MM-dd'T'HH:mm:ss'Z'") },
    });

    public Task PolicyAsync(JsonObject spec) => cluster.Client.PatchAsync(
        Kinds.OptimizerPolicy, null, Names.PolicyName, PatchType.Apply,
        new JsonObject { ["apiVersion"] = Names.ApiVersion, ["kind"] = Kinds.OptimizerPolicy.Kind, ["metadata"] = new JsonObject { ["name"] = Names.PolicyName }, ["spec"] = spec },
        cancel, new WriteOptions { FieldManager = "test", Force = true });

    /// <summary>As another process that is in the middle of a long write.</summary>
    public IDisposable LockDatabase()
    {
        var connection = new SqliteConnection($"Data Source={database.File};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = "BEGIN IMMEDIATE";
        command.ExecuteNonQuery();
        return connection;
    }

    /// <summary>"proposed > experiment_running by fabrik", oldest first.</summary>
    public string[] History(string? change = null) =>
        [.. Record.History(null, change, null, 1000).Reverse().Select(one => $"{one.Value.From ?? "-"} > {one.Value.To}{(one.Value.Actor is { } actor ? $" by {actor}" : "")}")];

    public IReadOnlyList<IncidentReport> Incidents(bool open = false) => [.. Record.Incidents(open, null, 100).Select(one => one.Value)];

    public async ValueTask DisposeAsync()
    {
        client.Dispose();
        await Path.DisposeAsync();
        await cluster.DisposeAsync();
        database.Dispose();
        alive.Dispose();
    }
}
