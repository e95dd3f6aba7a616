using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Fabrik.Kubernetes;
using Fabrik.Sandbox.Server;

namespace Fabrik.Tests.Kubernetes;

/// <summary>The client against a whole API server: the one named by FABRIK_E2E_KUBECONFIG, else the sandbox. Works in a namespace of its own.</summary>
public sealed class ClusterTests : IAsyncLifetime
{
    private static readonly TimeSpan Generous = TimeSpan.FromMinutes(2);
    private readonly string ns = $"fabrik-test-{Guid.NewGuid().ToString("n")[..8]}";
    private readonly CancellationTokenSource stop = new(Generous, TimeProvider.System);
    private SandboxServer? sandbox;
    private KubernetesClient client = null!;

    private CancellationToken Ct => stop.Token;

    public async ValueTask InitializeAsync()
    {
        ClusterConfig config;
        if (RealCluster.Kubeconfig is { } path)
        {
            config = ClusterConfig.FromKubeconfig(path);
        }
        else
        {
            sandbox = await SandboxServer.StartAsync(new SandboxServerOptions(), default);
            var file = Path.GetTempFileName();
            await File.WriteAllTextAsync(file, sandbox.Kubeconfig);
            config = ClusterConfig.FromKubeconfig(file);
            File.Delete(file);
        }

        client = new KubernetesClient(config, TimeProvider.System);
        await client.CreateAsync(Kinds.Namespace, null, new JsonObject { ["apiVersion"] = "v1", ["kind"] = "Namespace", ["metadata"] = new JsonObject { ["name"] = ns } }, default);
    }

    public async ValueTask DisposeAsync()
    {
        await client.DeleteAsync(Kinds.Namespace, null, ns, default);
        client.Dispose();
        stop.Dispose();
        if (sandbox is not null) await sandbox.DisposeAsync();
    }

    [Fact]
    public async Task Objects_are_written_in_every_way_and_read_back()
    {
        var created = await client.CreateAsync(Kinds.ConfigMap, ns, Map("m", "a", "1"), Ct);
        (created.Kind, created.Key).ShouldBe(("ConfigMap", $"{ns}/m"));
        (await client.CreateAsync(Kinds.ConfigMap, ns, Map("dry", "a", "1"), Ct, new WriteOptions { DryRun = true })).Uid.ShouldNotBeNull();
        (await FailAsync(client.GetAsync(Kinds.ConfigMap, ns, "dry", Ct))).IsNotFound.ShouldBeTrue();
        (await FailAsync(client.CreateAsync(Kinds.ConfigMap, ns, Map("m", "a", "1"), Ct))).IsAlreadyExists.ShouldBeTrue();

        var merged = await client.PatchAsync(Kinds.ConfigMap, ns, "m", PatchType.Merge, JsonNode.Parse("""{"data":{"b":"2"}}""")!, Ct);
        Data(merged).ShouldBe("a=1 b=2");
        Data(await client.PatchAsync(Kinds.ConfigMap, ns, "m", PatchType.Json, JsonNode.Parse("""[{"op":"test","path":"/data/a","value":"1"},{"op":"remove","path":"/data/a"}]""")!, Ct)).ShouldBe("b=2");
        Data(await client.PatchAsync(Kinds.ConfigMap, ns, "m", PatchType.Strategic, JsonNode.Parse("""{"data":{"c":"3"}}""")!, Ct)).ShouldBe("b=2 c=3");

        (await FailAsync(client.ReplaceAsync(Kinds.ConfigMap, ns, "m", merged.ToNode(), Ct))).IsConflict.ShouldBeTrue();
        var now = (await client.GetAsync(Kinds.ConfigMap, ns, "m", Ct)).ToNode();
        now["data"] = new JsonObject { ["d"] = "4" };
        Data(await client.ReplaceAsync(Kinds.ConfigMap, ns, "m", now, Ct)).ShouldBe("d=4");

        (await FailAsync(client.DeleteAsync(Kinds.ConfigMap, ns, "m", Ct, new DeleteOptions { Preconditions = new Preconditions("another") }))).IsConflict.ShouldBeTrue();
        await client.DeleteAsync(Kinds.ConfigMap, ns, "m", Ct, new DeleteOptions { Preconditions = new Preconditions(created.Uid) });
        (await FailAsync(client.DeleteAsync(Kinds.ConfigMap, ns, "m", Ct))).IsNotFound.ShouldBeTrue();
    }

    [Fact]
    public async Task An_apply_owns_its_fields_and_a_forced_one_takes_those_of_others()
    {
        var first = new WriteOptions { FieldManager = "first" };
        Data(await client.PatchAsync(Kinds.ConfigMap, ns, "m", PatchType.Apply, Map("m", "a", "1"), Ct, first)).ShouldBe("a=1");
        var second = new WriteOptions { FieldManager = "second" };
        var refused = await FailAsync(client.PatchAsync(Kinds.ConfigMap, ns, "m", PatchType.Apply, Map("m", "a", "2"), Ct, second));
        refused.IsConflict.ShouldBeTrue();
        refused.Causes.ShouldContain(cause => cause.Field == ".data.a");
        Data(await client.PatchAsync(Kinds.ConfigMap, ns, "m", PatchType.Apply, Map("m", "a", "2"), Ct, second with { Force = true })).ShouldBe("a=2");
        Data(await client.PatchAsync(Kinds.ConfigMap, ns, "m", PatchType.Apply, Map("m", "b", "3"), Ct, second)).ShouldBe("b=3");
    }

    [Fact]
    public async Task A_wrong_object_is_refused_with_every_cause()
    {
        var job = JsonNode.Parse("""{"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"bad"},"spec":{"template":{"spec":{"containers":[{"name":"c","image":"i","resources":{"limits":{"memory":"2Gi"},"requests":{"memory":"4Gi"}}}]}}}}""")!;
        var error = await FailAsync(client.CreateAsync(Kinds.Job, ns, job, Ct));
        error.IsInvalid.ShouldBeTrue();
        error.Causes.Select(cause => cause.Field).ShouldContain("spec.template.spec.restartPolicy");
        error.Message.ShouldStartWith($"create jobs.batch {ns}/bad: ");
    }

    [Fact]
    public async Task Lists_come_in_pages_and_by_selector()
    {
        for (var i = 0; i < 23; i++) await client.CreateAsync(Kinds.ConfigMap, ns, Map($"m{i:00}", "a", "1", i % 2 == 0 ? "even" : "odd"), Ct);
        var all = await client.ListAsync(Kinds.ConfigMap, ns, Ct, new ListOptions { PageSize = 5 }).Select(map => map.Name).Where(name => name.StartsWith('m')).ToListAsync(Ct);
        all.ShouldBe(Enumerable.Range(0, 23).Select(i => $"m{i:00}"));
        var odd = await client.ListAsync(Kinds.ConfigMap, ns, Ct, new ListOptions { LabelSelector = "parity in (odd)", PageSize = 4 }).ToListAsync(Ct);
        odd.Count.ShouldBe(11);
        odd.ShouldAllBe(map => map.Kind == "ConfigMap" && map.Label("parity") == "odd");
        (await client.ListAsync(Kinds.ConfigMap, ns, Ct, new ListOptions { FieldSelector = "metadata.name=m07" }).ToListAsync(Ct)).ShouldHaveSingleItem().Name.ShouldBe("m07");
    }

    [Fact]
    public async Task An_informer_follows_what_others_write_each_change_once()
    {
        await client.CreateAsync(Kinds.ConfigMap, ns, Map("before", "a", "0"), Ct);
        var told = new ConcurrentQueue<WatchEvent>();
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(Ct);
        var informer = new Informer(client, Kinds.ConfigMap, TimeProvider.System, new InformerOptions { Namespace = ns, OnEvent = told.Enqueue });
        var running = informer.RunAsync(ended.Token);
        await informer.WaitForSyncAsync(Ct);
        informer.Items.Keys.ShouldContain($"{ns}/before");

        var versions = new List<string>();
        for (var i = 0; i < 20; i++)
        {
            versions.Add((await client.PatchAsync(Kinds.ConfigMap, ns, "m", PatchType.Apply, Map("m", "a", $"{i}"), Ct)).ResourceVersion!);
            if (i % 5 == 4) await client.DeleteAsync(Kinds.ConfigMap, ns, "m", Ct);
        }

        var last = await client.CreateAsync(Kinds.ConfigMap, ns, Map("last", "a", "0"), Ct);
        while (!told.Any(change => change.Object.Uid == last.Uid)) await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, Ct);
        var mine = told.Where(change => change.Object.Name == "m").ToList();
        mine.Where(change => change.Type != WatchEventType.Deleted).Select(change => change.Object.ResourceVersion).ShouldBe(versions);
        mine.Select(change => change.Type.ToString()[0]).ShouldBe("AMMMMDAMMMMDAMMMMDAMMMMD");
        informer.Items.ContainsKey($"{ns}/m").ShouldBeFalse();
        informer.Staleness.ShouldBeLessThan(Generous);
        await ended.CancelAsync();
        await running;
    }

    [Fact]
    public async Task Of_two_candidates_one_leads_and_then_the_other()
    {
        using var first = CancellationTokenSource.CreateLinkedTokenSource(Ct);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(Ct);
        var (leads, follows) = (new TaskCompletionSource(), new TaskCompletionSource());
        var a = Run("a", leads, first.Token);
        await leads.Task.WaitAsync(Ct);
        var b = Run("b", follows, both.Token);
        await Task.Delay(TimeSpan.FromSeconds(1), TimeProvider.System, Ct);
        follows.Task.IsCompleted.ShouldBeFalse();
        await first.CancelAsync();
        await a;
        await follows.Task.WaitAsync(Ct);
        await both.CancelAsync();
        await b;

        Task Run(string name, TaskCompletionSource leading, CancellationToken ct) =>
            new LeaderElector(client, TimeProvider.System, new LeaderElectorOptions { Namespace = ns, Name = "leader", Identity = name, Retry = TimeSpan.FromMilliseconds(200) }).RunAsync(
                stopped =>
                {
                    leading.TrySetResult();
                    return Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, stopped);
                }, ct);
    }

    [Fact]
    public async Task A_token_for_a_ServiceAccount_is_made_and_recognised()
    {
        await client.CreateAsync(Kinds.ServiceAccount, ns, new JsonObject { ["metadata"] = new JsonObject { ["name"] = "reader" } }, Ct);
        var token = await client.TokenAsync(ns, "reader", Ct, "fabrik", TimeSpan.FromMinutes(10));
        var review = new JsonObject { ["apiVersion"] = "authentication.k8s.io/v1", ["kind"] = "TokenReview", ["spec"] = new JsonObject { ["token"] = token, ["audiences"] = new JsonArray("fabrik") } };
        var status = (await client.CreateAsync(Kinds.TokenReview, null, review, Ct)).Json.GetProperty("status");
        status.GetProperty("authenticated").GetBoolean().ShouldBeTrue();
        status.GetProperty("user").GetProperty("username").GetString().ShouldBe($"system:serviceaccount:{ns}:reader");
    }

    private static Task<KubernetesException> FailAsync(Task task) => Should.ThrowAsync<KubernetesException>(task);

    private static string Data(KubeObject map) => string.Join(' ', map.Json.GetProperty("data").EnumerateObject().Select(entry => $"{entry.Name}={entry.Value}").Order(StringComparer.Ordinal));

    private static JsonObject Map(string name, string key, string value, string? parity = null) => new()
    {
        ["apiVersion"] = "v1",
        ["kind"] = "ConfigMap",
        ["metadata"] = new JsonObject { ["name"] = name, ["labels"] = parity is null ? null : new JsonObject { ["parity"] = parity } },
        ["data"] = new JsonObject { [key] = value },
    };
}
