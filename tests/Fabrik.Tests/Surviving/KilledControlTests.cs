using System.Collections.Concurrent;
using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Dapper;
using Fabrik.Audit;
using Fabrik.Experiments;
using Fabrik.Gateway;
using Fabrik.Kubernetes;
using Fabrik.Storage;
using Fabrik.Tests.Cli;
using Fabrik.Tests.Gateway;
using Microsoft.Data.Sqlite;

namespace Fabrik.Tests.Surviving;

/// <summary>
/// The shipped API and the shipped scheduler on one database, killed by the system again and again while usage is delivered, Jobs are created and
/// people decide on changes. What was acknowledged: usage that was answered with success, a step that an object's status names, and what became of it.
/// </summary>
public sealed class KilledControlTests : IAsyncLifetime
{
    /// <summary>Of both together; FABRIK_KILLS asks for more.</summary>
    private static readonly int Kills = int.TryParse(Environment.GetEnvironmentVariable(Names.Variables.Kills), NumberStyles.None, CultureInfo.InvariantCulture, out var kills) ? kills : 20;

    private const int Clients = 3;
    private const int Batch = 20;

    private readonly ClusterOfObjects cluster = new();
    private readonly DirectoryInfo home = Directory.CreateTempSubdirectory("fabrik-killed-");
    private readonly HttpClient http = new(new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromSeconds(5) }) { Timeout = TimeSpan.FromSeconds(10) };
    private readonly ConcurrentDictionary<string, bool> delivered = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, string> steps = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, bool> jobs = new(StringComparer.Ordinal);
    private Uri? api;
    private int events;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private string Data => Path.Combine(home.FullName, "data");

    [Fact]
    public async Task A_control_database_whose_processes_are_killed_under_load_is_never_damaged_and_loses_nothing_that_was_acknowledged()
    {
        var token = await cluster.Client.TokenAsync(Names.GatewayNamespace, Names.Objects.Gateway, Cancel, Names.Audience, TimeSpan.FromHours(10));
        using (var over = CancellationTokenSource.CreateLinkedTokenSource(Cancel))
        {
            Task[] load = [.. Enumerable.Range(0, Clients).Select(client => DeliverAsync(client, token, over.Token)), CreateJobsAsync(over.Token), SeeStepsAsync(over.Token)];
            await Task.WhenAll(KillApiAsync(), KillSchedulerAsync());
            await over.CancelAsync();
            await Task.WhenAll(load);
        }

        // One that is left alone settles what the last kill left open.
        await using (await ControlProcess.SchedulerAsync(home.FullName, Data, cluster.Kubeconfig))
        {
            await Wait.UntilAsync("every step to have an end", async () => (await OpenAsync()) == 0, TimeSpan.FromMinutes(3));
            await Wait.UntilAsync("every Job to be known", () => Task.FromResult(jobs.Keys.Except(Texts("SELECT id FROM runs")).FirstOrDefault() is null), TimeSpan.FromMinutes(3));
        }

        using var database = Open();
        database.ExecuteScalar<string>("PRAGMA integrity_check").ShouldBe("ok");
        database.Query("PRAGMA foreign_key_check").ShouldBeEmpty();
        var kept = database.Query<string>("SELECT id FROM model_calls").ToHashSet(StringComparer.Ordinal);
        var (calls, transitions, runs) = (kept.Count, database.Query<string>("SELECT id FROM transitions").ToHashSet(StringComparer.Ordinal), database.ExecuteScalar<long>("SELECT COUNT(*) FROM runs"));
        var audited = database.ExecuteScalar<long>("SELECT COUNT(*) FROM audit");
        TestContext.Current.TestOutputHelper?.WriteLine($"{Kills} kills; {delivered.Count} usage events acknowledged of {events} sent, {calls} kept; {steps.Count} steps named by objects, {transitions.Count} recorded; {runs} runs of {jobs.Count} Jobs; {audited} audit rows");

        delivered.Count.ShouldBeGreaterThan(Kills / 2 * Batch / 2);
        delivered.Keys.Except(kept).ShouldBeEmpty();
        database.ExecuteScalar<long>("SELECT SUM(cost_micros) FROM run_model_calls").ShouldBe(1500L * calls);
        database.ExecuteScalar<long>("SELECT SUM(cost_micros) FROM account_days WHERE kind = 'cluster'").ShouldBe(1500L * calls);

        steps.Count.ShouldBeGreaterThan(Kills / 8);
        steps.Keys.Except(transitions).ShouldBeEmpty();
        foreach (var step in steps.Keys) database.ExecuteScalar<long>("SELECT COUNT(*) FROM transition_results WHERE transition = @step AND result = 'written'", new { step }).ShouldBe(1, step);
        database.Query<string>("SELECT run_id FROM runs WHERE run_id IS NOT NULL GROUP BY run_id HAVING COUNT(*) > 1").ShouldBeEmpty();

        using (var whole = Database.Open(Data, TimeProvider.System)) new AuditStore(whole).Verify().ShouldBeNull();
        database.Query<string>("SELECT request FROM audit WHERE action IN ('step.intended', 'step.seen') GROUP BY request HAVING COUNT(*) > 1").ShouldBeEmpty();
        database.Query<string>("SELECT request FROM audit WHERE action IN ('step.intended', 'step.seen')").ShouldBe(transitions, ignoreOrder: true);
        database.Query<string>("SELECT uid FROM audit WHERE action = 'change.created' GROUP BY uid HAVING COUNT(*) > 1").ShouldBeEmpty();
        database.Query<string>("SELECT uid FROM audit WHERE action = 'change.created'").ToHashSet(StringComparer.Ordinal).ShouldBe(await ChangesAsync(), ignoreOrder: true);
    }

    public async ValueTask InitializeAsync()
    {
        await cluster.InitializeAsync();
        await cluster.Client.CreateAsync(Kinds.Namespace, null, new JsonObject { ["apiVersion"] = "v1", ["kind"] = "Namespace", ["metadata"] = new JsonObject { ["name"] = "ci", ["labels"] = new JsonObject { [Names.Labels.Enabled] = "true" } } }, Cancel);
    }

    public async ValueTask DisposeAsync()
    {
        http.Dispose();
        await cluster.DisposeAsync();
        home.Delete(recursive: true);
    }

    private async Task KillApiAsync()
    {
        for (var kill = 0; kill < Kills / 2; kill++)
        {
            await using var process = await ControlProcess.ApiAsync(home.FullName, Data, cluster.Kubeconfig);
            var before = delivered.Count;
            Volatile.Write(ref api, process.Address);
            await WhileAsync(() => delivered.Count == before);
            await Task.Delay(TimeSpan.FromMilliseconds(Random.Shared.Next(0, 1000)), TimeProvider.System, Cancel);
            process.Kill();
            Volatile.Write(ref api, null);
        }
    }

    /// <summary>Each life finds two new changes, and a person's word on two of before.</summary>
    private async Task KillSchedulerAsync()
    {
        for (var kill = 0; kill < Kills - (Kills / 2); kill++)
        {
            for (var number = 0; number < 2; number++)
            {
                await cluster.ChangeAsync($"c-{kill}-{number}");
                if (kill > 0) await SayAsync($"c-{kill - 1}-{number}");
            }

            await using var process = await ControlProcess.SchedulerAsync(home.FullName, Data, cluster.Kubeconfig);
            await Wait.UntilAsync("it to lead", async () =>
            {
                try
                {
                    return (await http.GetStringAsync(new Uri(process.Address, Names.Paths.Metrics), Cancel)).Contains("fabrik_scheduler_leading 1\n", StringComparison.Ordinal);
                }
                catch (OperationCanceledException) when (!Cancel.IsCancellationRequested)
                {
                    return false;
                }
            }, TimeSpan.FromMinutes(3));
            // Anywhere: often before it has taken any step, else after one that an object names.
            var before = steps.Count;
            if (kill % 3 != 0) await WhileAsync(() => steps.Count == before);
            await Task.Delay(TimeSpan.FromMilliseconds(Random.Shared.Next(0, 1000)), TimeProvider.System, Cancel);
            process.Kill();
            await process.EndAsync();

            // As if the Lease of the dead one had run out.
            await cluster.Client.DeleteAsync(Kinds.Lease, Names.SystemNamespace, Names.Objects.Leader, Cancel);
        }
    }

    /// <summary>A process has to begin before it can be killed at work; how long that takes is the machine's to say.</summary>
    private static async Task WhileAsync(Func<bool> still)
    {
        for (var turn = 0; turn < 3000 && still(); turn++) await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, Cancel);
    }

    private Task SayAsync(string change) => cluster.Client.PatchAsync(Kinds.OptimizationChange, Names.SystemNamespace, change, PatchType.Merge, new JsonObject
    {
        ["spec"] = new JsonObject { ["approval"] = new JsonObject { ["approved"] = false, ["by"] = "alice", ["reason"] = "no", ["at"] = TimeProvider.System.GetUtcNow().ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture) } },
    }, Cancel);

    private async Task DeliverAsync(int client, string token, CancellationToken over)
    {
        IReadOnlyList<UsageEvent>? again = null;
        for (var number = 0; !over.IsCancellationRequested;)
        {
            if (Volatile.Read(ref api) is not { } address)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System, CancellationToken.None);
                continue;
            }

            // As a gateway: what was not answered is delivered again, in the same batch.
            var batch = again ?? [.. Enumerable.Range(0, Batch).Select(_ => Attempts.Of((client * 10_000_000) + ++number, at: TimeProvider.System.GetUtcNow()) with { RunId = $"run-{client}-{number % 7}" })];
            if (again is null) Interlocked.Add(ref events, batch.Count);
            again = batch;
            using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(address, Names.Paths.Usage))
            {
                Content = new StringContent(JsonSerializer.Serialize([.. batch], GatewayJson.Default.ListUsageEvent), Encoding.UTF8, "application/json"),
                Headers = { Authorization = new AuthenticationHeaderValue("Bearer", token) },
            };
            try
            {
                using var answer = await http.SendAsync(request, CancellationToken.None);
                if (answer.IsSuccessStatusCode)
                {
                    foreach (var one in batch) delivered[one.Id] = true;
                    again = null;
                }
                else
                {
                    ((int)answer.StatusCode).ShouldBe(503, await answer.Content.ReadAsStringAsync(CancellationToken.None));
                }
            }
            catch (Exception e) when (e is HttpRequestException or IOException or OperationCanceledException)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System, CancellationToken.None);
            }
        }
    }

    private async Task CreateJobsAsync(CancellationToken over)
    {
        for (var number = 0; !over.IsCancellationRequested; number++)
        {
            var made = await cluster.Client.CreateAsync(Kinds.Job, "ci", new JsonObject
            {
                ["apiVersion"] = "batch/v1",
                ["kind"] = "Job",
                ["metadata"] = new JsonObject { ["name"] = $"job-{number}" },
                ["spec"] = new JsonObject { ["template"] = new JsonObject { ["spec"] = new JsonObject { ["restartPolicy"] = "Never", ["containers"] = new JsonArray(new JsonObject { ["name"] = "main", ["image"] = "busybox" }) } } },
            }, Cancel);
            jobs[made.Uid!] = true;
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, Cancel);
        }
    }

    /// <summary>Every step that any status has ever named while this looked.</summary>
    private async Task SeeStepsAsync(CancellationToken over)
    {
        while (!over.IsCancellationRequested)
        {
            await foreach (var one in cluster.Client.ListAsync(Kinds.OptimizationChange, Names.SystemNamespace, Cancel))
                if (ObjectJson.Change(one.Json).Status.Transition is { } step) steps[step] = one.Name;
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, Cancel);
        }
    }

    private async Task<int> OpenAsync()
    {
        var named = new List<string>();
        await foreach (var one in cluster.Client.ListAsync(Kinds.OptimizationChange, Names.SystemNamespace, Cancel))
            if (ObjectJson.Change(one.Json).Status.Transition is { } step) named.Add(step);
        using var database = Patient();
        if (database is null) return int.MaxValue;
        return new TransitionStore(database).State(named).Open.Count + steps.Keys.Except(Texts("SELECT transition FROM transition_results WHERE result = 'written'")).Count();
    }

    private async Task<IReadOnlySet<string>> ChangesAsync()
    {
        var uids = new HashSet<string>(StringComparer.Ordinal);
        await foreach (var one in cluster.Client.ListAsync(Kinds.OptimizationChange, Names.SystemNamespace, Cancel)) uids.Add(one.Uid!);
        return uids;
    }

    private IReadOnlyList<string> Texts(string sql)
    {
        using var connection = Open();
        return connection.Query<string>(sql).AsList();
    }

    /// <returns>Null while the scheduler is in a long write.</returns>
    private Database? Patient()
    {
        try
        {
            return Database.Open(Data, TimeProvider.System);
        }
        catch (StorageException e) when (e.InnerException is SqliteException { SqliteErrorCode: 5 })
        {
            return null;
        }
    }

    private SqliteConnection Open()
    {
        var connection = new SqliteConnection($"Data Source={Path.Combine(Data, Database.FileName)};Mode=ReadOnly;Pooling=False");
        connection.Open();
        return connection;
    }
}
