using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Fabrik.Certificates;
using Fabrik.Kubernetes;
using Fabrik.Sandbox.Composition;
using Fabrik.Sandbox.Server;

namespace Fabrik.Tests.EndToEnd;

/// <summary>Certificates come to be, are renewed and change their authority while Jobs are created; leaders go and die, replicas are replaced. No Job is created past the webhook.</summary>
[Collection(ClusterFixture.Collection)]
public class CertificateTests(ClusterFixture cluster)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task From_empty_Secrets_through_renewal_rotation_restarts_and_a_killed_leader_every_Job_is_admitted()
    {
        await using var webhook = await WebhookDeployment.StartAsync(cluster.Real ? cluster.Client : null, Cancel);
        var began = TimeProvider.System.GetTimestamp();
        var (one, two) = (await webhook.ReplicaAsync(Cancel), await webhook.ReplicaAsync(Cancel));
        await webhook.ReadyAsync(one);
        await webhook.ReadyAsync(two);
        var ns = $"e2e-certificates-{cluster.Id}";
        await webhook.Client.CreateAsync(Kinds.Namespace, null, new JsonObject { ["apiVersion"] = "v1", ["kind"] = "Namespace", ["metadata"] = new JsonObject { ["name"] = ns, ["labels"] = new JsonObject { [Names.Labels.Enabled] = "true" } } }, Cancel);
        await using var load = new Load(webhook.Client, ns);
        await Wait.UntilAsync("the first mutated Job", async () => await load.OneAsync());
        var first = TimeProvider.System.GetElapsedTime(began);

        load.Start();
        await load.PhaseAsync("quiet", () => Task.Delay(TimeSpan.FromSeconds(2), TimeProvider.System, Cancel));
        await load.PhaseAsync("leaf renewed", async () =>
        {
            var before = await webhook.SecretAsync(Names.Objects.WebhookTlsSecret, "tls.crt");
            await webhook.AskAsync(Names.Objects.WebhookTlsSecret);
            await Wait.UntilAsync("a new leaf", async () => await webhook.SecretAsync(Names.Objects.WebhookTlsSecret, "tls.crt") != before);
            await Task.Delay(TimeSpan.FromSeconds(1), TimeProvider.System, Cancel);
        });
        await load.PhaseAsync("authority rotated", () => RotatedAsync(webhook));
        await load.PhaseAsync("replicas replaced one by one", async () =>
        {
            foreach (var old in new[] { one, two })
            {
                await webhook.ReadyAsync(await webhook.ReplicaAsync(Cancel));
                await old.StopAsync();
                webhook.Forget(old);
            }
        });
        await load.PhaseAsync("leader stopped in the midst of a rotation", async () =>
        {
            var leader = await webhook.LeaderAsync(Cancel);
            await webhook.AskAsync(Names.Objects.AuthoritySecret);
            await Wait.UntilAsync("two authorities", async () => await webhook.TrustedAsync() == 2);
            await webhook.ReadyAsync(await webhook.ReplicaAsync(Cancel));
            await leader.StopAsync();
            webhook.Forget(leader);
            await Wait.UntilAsync("one authority", async () => await webhook.TrustedAsync() == 1);
        });
        load.Unmutated.ShouldBe(0, load.ToString());

        await load.PhaseAsync("leader killed in the midst of a rotation", async () =>
        {
            await webhook.ReadyAsync(await webhook.ReplicaAsync(Cancel));
            var leader = await webhook.LeaderAsync(Cancel);
            await webhook.AskAsync(Names.Objects.AuthoritySecret);
            await Wait.UntilAsync("two authorities", async () => await webhook.TrustedAsync() == 2);
            await leader.KillAsync();
            await Wait.UntilAsync("one authority", async () => await webhook.TrustedAsync() == 1);
        });
        await load.StopAsync();
        var metrics = await (await webhook.LeaderAsync(Cancel)).MetricsAsync();
        metrics.ShouldContain("fabrik_certificate_expiry_timestamp_seconds{certificate=\"authority\"}");
        TestContext.Current.TestOutputHelper?.WriteLine($"first mutated Job {first.TotalSeconds:0.0} s after start; {load}");

        // A process that is killed takes its open reviews with it, and calls still come until it is known to be gone; those Jobs are created, and carry no arm.
        load.Failed.ShouldBe(0, load.ToString());
        load.Created.ShouldBeGreaterThan(200);
        load.Unmutated.ShouldBeLessThan(100, load.ToString());
        (await webhook.Client.GetAsync(Kinds.ConfigMap, Names.GatewayNamespace, Names.Objects.GatewayTrust, Cancel)).Json.GetProperty("data").GetProperty("ca.crt").GetString()
            .ShouldBe(await webhook.SecretAsync(Names.Objects.AuthoritySecret, "ca.crt"));
        CertificateText.IsUnder(await webhook.SecretAsync(Names.Objects.ApiTlsSecret, "tls.crt"), await webhook.SecretAsync(Names.Objects.AuthoritySecret, "ca.crt")).ShouldBeTrue();
    }

    [Fact]
    public async Task A_keeper_that_dies_after_each_of_its_writes_leaves_what_the_next_one_goes_on_from()
    {
        await using var webhook = await WebhookDeployment.StartAsync(cluster.Real ? cluster.Client : null, Cancel);
        var writes = new ConcurrentDictionary<string, int>(StringComparer.Ordinal);
        for (var life = 0; life < 12; life++)
        {
            // Each dies with its first write to something that none before it has written; the Lease is cleared, as it would run out.
            var replica = await webhook.ReplicaAsync(Cancel, path => !path.Contains("/leases/", StringComparison.Ordinal) && writes.TryAdd(path, 0));
            await Wait.UntilAsync("death or order", async () => replica.IsCut || (await replica.ReadyAsync()).Ready);
            if (!replica.IsCut) break;
            webhook.Forget(replica);
            await replica.KillAsync();
            await webhook.Client.DeleteAsync(Kinds.Lease, Names.SystemNamespace, Names.Objects.CertificateKeeper, Cancel);
        }

        // In a cluster that others use, ConfigMaps and keys may be filled already.
        writes.Count.ShouldBeGreaterThanOrEqualTo(cluster.Real ? 4 : 9);
        var last = await webhook.LeaderAsync(Cancel);
        await webhook.ReadyAsync(last);
        (await webhook.TrustedAsync()).ShouldBe(1);
        (await webhook.SecretAsync(Names.Objects.RunTokenKeySecret, "key")).ShouldNotBeEmpty();
    }

    /// <summary>A sandbox stands for a cluster that others use.</summary>
    [Fact]
    public async Task A_cluster_that_others_use_is_left_as_it_was()
    {
        await using var others = await SandboxServer.StartAsync(new SandboxServerOptions(), Cancel);
        var file = Path.GetTempFileName();
        await File.WriteAllTextAsync(file, others.Kubeconfig, Cancel);
        using var client = new KubernetesClient(ClusterConfig.FromKubeconfig(file), TimeProvider.System);
        File.Delete(file);
        await ClusterSetup.InstallAsync(client, TimeProvider.System, Cancel);
        await client.CreateAsync(Kinds.ConfigMap, Names.SystemNamespace, new JsonObject { ["metadata"] = new JsonObject { ["name"] = Names.Objects.ApiDiscovery }, ["data"] = new JsonObject { ["server"] = "https://theirs" } }, Cancel);
        await client.CreateAsync(Kinds.Secret, Names.SystemNamespace, new JsonObject { ["metadata"] = new JsonObject { ["name"] = Names.Objects.AssignmentKeySecret }, ["stringData"] = new JsonObject { ["key"] = "theirs, and long enough to be a key of theirs" } }, Cancel);
        var before = await ContentsAsync(client);

        await using (var webhook = await WebhookDeployment.StartAsync(client, Cancel))
        {
            await webhook.ReplicaAsync(Cancel);
            await Wait.UntilAsync("certificates and what trusts them", async () => (await client.GetAsync(Kinds.ConfigMap, Names.GatewayNamespace, Names.Objects.GatewayTrust, Cancel)).Json.TryGetProperty("data", out _));
            (await ContentsAsync(client)).Count.ShouldBeGreaterThan(before.Count + 5);
        }

        (await ContentsAsync(client)).ShouldBe(before);
    }

    private static async Task<List<string>> ContentsAsync(KubernetesClient client)
    {
        var found = new List<string>();
        foreach (var kind in (ResourceKind[])[Kinds.Secret, Kinds.ConfigMap, Kinds.Lease, Kinds.MutatingWebhookConfiguration, Kinds.EndpointSlice, Kinds.Service])
            await foreach (var item in client.ListAsync(kind, null, Cancel))
                found.Add($"{kind} {item.Key} {(item.Json.TryGetProperty("data", out var data) ? data.GetRawText() : "")}");
        found.Sort(StringComparer.Ordinal);
        return found;
    }

    /// <summary>From asking to the end: old and new trusted, a new leaf, the old one forgotten.</summary>
    private static async Task RotatedAsync(WebhookDeployment webhook)
    {
        var (authority, leaf) = (await webhook.SecretAsync(Names.Objects.AuthoritySecret, "ca.crt"), await webhook.SecretAsync(Names.Objects.WebhookTlsSecret, "tls.crt"));
        await webhook.AskAsync(Names.Objects.AuthoritySecret);
        await Wait.UntilAsync("two authorities", async () => await webhook.TrustedAsync() == 2);
        (await webhook.SecretAsync(Names.Objects.WebhookTlsSecret, "tls.crt")).ShouldBe(leaf);
        await Wait.UntilAsync("a leaf of the new one", async () => await webhook.SecretAsync(Names.Objects.WebhookTlsSecret, "tls.crt") != leaf);
        await Wait.UntilAsync("one authority", async () => await webhook.TrustedAsync() == 1);
        (await webhook.SecretAsync(Names.Objects.AuthoritySecret, "ca.crt")).ShouldNotBe(authority);
    }

    /// <summary>Jobs, one after another from four sides, and what became of them in each phase.</summary>
    private sealed class Load(KubernetesClient client, string ns) : IAsyncDisposable
    {
        private readonly CancellationTokenSource stop = new();
        private readonly ConcurrentQueue<string> phases = [];
        private readonly List<double> times = [];
        private Task running = Task.CompletedTask;
        private int created;
        private int unmutated;
        private int failed;

        public int Created => created;
        public int Unmutated => unmutated;
        public int Failed => failed;

        public void Start() => running = Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(async () =>
        {
            while (!stop.IsCancellationRequested)
            {
                var began = TimeProvider.System.GetTimestamp();
                try
                {
                    if (!await OneAsync()) Interlocked.Increment(ref unmutated);
                    Interlocked.Increment(ref created);
                }
                catch (KubernetesException)
                {
                    Interlocked.Increment(ref failed);
                }

                lock (times) times.Add(TimeProvider.System.GetElapsedTime(began).TotalMilliseconds);
                await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System);
            }
        })));

        public async Task<bool> OneAsync()
        {
            var job = Jobs.Generated("load-");
            job["spec"]!["suspend"] = true;
            return (await client.CreateAsync(Kinds.Job, ns, job, default)).Annotation(Names.Annotations.Assignment) is not null;
        }

        public async Task PhaseAsync(string name, Func<Task> work)
        {
            var (before, missed) = (created, unmutated);
            var began = TimeProvider.System.GetTimestamp();
            await work();
            phases.Enqueue($"{name}: {created - before} Jobs in {TimeProvider.System.GetElapsedTime(began).TotalSeconds:0.0} s, {unmutated - missed} unmutated");
        }

        public async Task StopAsync()
        {
            await stop.CancelAsync();
            await running;
        }

        public override string ToString()
        {
            double[] sorted;
            lock (times) sorted = [.. times.Order()];
            return $"{created} Jobs, {failed} failed, {unmutated} unmutated, slowest {sorted[^1]:0} ms, p99 {sorted[(int)(sorted.Length * 0.99)]:0} ms, median {sorted[sorted.Length / 2]:0} ms; {string.Join("; ", phases)}";
        }

        public async ValueTask DisposeAsync()
        {
            await StopAsync();
            stop.Dispose();
            await client.DeleteAsync(Kinds.Namespace, null, ns, default);
        }
    }
}
