using System.Text.Json.Nodes;
using Fabrik.Cli.Installing;
using Fabrik.Gateway;
using Fabrik.Kubernetes;
using Fabrik.Sandbox.Composition;
using Fabrik.Sandbox.Models;
using Fabrik.Sandbox.Nodes;
using Fabrik.Sandbox.Worlds;
using Fabrik.Tests.Cli;

namespace Fabrik.Tests.EndToEnd;

/// <summary>
/// Fabrik on an API server: the one that FABRIK_E2E_KUBECONFIG names, where the webhook is registered by this machine's address, else the sandbox.
/// </summary>
[CollectionDefinition(Collection)]
public sealed class ClusterFixture : IAsyncLifetime, ICollectionFixture<ClusterFixture>
{
    /// <summary>One after another and on one set of processes: a cluster has one webhook configuration and three slots.</summary>
    public const string Collection = "cluster";

    private readonly string directory = Directory.CreateTempSubdirectory("fabrik-e2e-").FullName;
    private readonly List<(string Name, string? Test)> namespaces = [];
    private SandboxRun? sandbox;
    private readonly CancellationTokenSource stopping = new();
    private FabrikProcesses? processes;
    private Task? node;
    private FakeProvider? provider;

    /// <summary>Only written into containers: nothing here calls it.</summary>
    public Uri Gateway => (processes ?? sandbox!.Processes).Gateway!;

    public string Kubeconfig { get; private set; } = null!;
    public KubernetesClient Client { get; private set; } = null!;
    public bool Real { get; private set; }

    /// <summary>There is a node that runs containers, and no simulated one.</summary>
    public bool Containers { get; private set; }

    /// <summary>One per run of the tests, so that runs on one cluster do not meet.</summary>
    public string Id { get; } = Guid.NewGuid().ToString("N")[..6];

    public async ValueTask InitializeAsync()
    {
        var cancel = TestContext.Current.CancellationToken;
        if (RealCluster.Kubeconfig is { } named)
        {
            (Real, Kubeconfig) = (true, named);
            var config = ClusterConfig.FromKubeconfig(Kubeconfig);
            await WithoutFabrikAsync(config, cancel);
            provider = await FakeProvider.StartAsync(cancel);
            await NodeAsync(config, cancel);
            processes = await FabrikProcesses.StartAsync(config, directory, TimeProvider.System, _ => { }, cancel, pace: _ => TimeSpan.FromSeconds(2), provider: provider.Address, address: await RealCluster.AddressAsync(config, cancel));
        }
        else
        {
            // A simulated minute a second: a CronJob's next minute comes at once.
            sandbox = await SandboxRun.StartAsync(new SandboxRunOptions { Directory = directory, Speed = 60, Models = true }, cancel);
            Kubeconfig = sandbox.KubeconfigPath;
        }

        Client = new KubernetesClient(ClusterConfig.FromKubeconfig(Kubeconfig), TimeProvider.System);
    }

    /// <summary>What is installed in a cluster is somebody's, and would be taken away at the end.</summary>
    private static async Task WithoutFabrikAsync(ClusterConfig config, CancellationToken cancel)
    {
        using var client = new KubernetesClient(config, TimeProvider.System);
        if (await client.FindAsync(Kinds.StatefulSet, Names.SystemNamespace, Names.Objects.Control, cancel) is not null)
            throw new InvalidOperationException($"Fabrik is installed in the cluster that {Names.Variables.EndToEndKubeconfig} names, and these tests put their own in its place. Next: fabrik uninstall, or name another cluster");
        foreach (var name in (string[])[Names.SystemNamespace, Names.GatewayNamespace])
        {
            // What fabrik uninstall --keep-data has left is somebody's too.
            await foreach (var claim in client.ListAsync(Kinds.PersistentVolumeClaim, name, cancel))
            {
                if (claim.DeletionTimestamp is null)
                    throw new InvalidOperationException($"volume claim {claim.Key} of an earlier installation is in the cluster that {Names.Variables.EndToEndKubeconfig} names, and these tests would delete it. Next: fabrik uninstall without --keep-data, or name another cluster");
            }

            await Wait.UntilAsync($"namespace {name} to go", async () => (await client.FindAsync(Kinds.Namespace, null, name, cancel))?.Json.Text("status", "phase") != "Terminating", TimeSpan.FromMinutes(3));
        }
    }

    /// <summary>A control plane alone gets a node that plays Pods; where there are nodes, the scheduler may ask their kubelets what Pods use.</summary>
    private async Task NodeAsync(ClusterConfig config, CancellationToken cancel)
    {
        using var client = new KubernetesClient(config, TimeProvider.System);
        await foreach (var _ in client.ListAsync(Kinds.Node, null, cancel))
        {
            Containers = true;
            foreach (var (kind, item) in KubeletAccess()) await client.PatchAsync(kind, null, (string)item["metadata"]!["name"]!, PatchType.Apply, item, cancel, new WriteOptions { FieldManager = "fabrik-tests", Force = true });
            return;
        }

        node = SimulatedNode.RunAsync(new KubernetesClient(config, TimeProvider.System), TimeProvider.System, World.Empty, stopping.Token);
    }

    /// <summary>As docs/running-by-hand.md gives it where there is neither Prometheus nor metrics-server.</summary>
    private static IEnumerable<(ResourceKind Kind, JsonObject Item)> KubeletAccess()
    {
        const string Name = "fabrik-usage-kubelets";
        const string Group = "rbac.authorization.k8s.io";
        yield return (new ResourceKind(Group, "v1", "clusterroles", "ClusterRole", false), new JsonObject
        {
            ["apiVersion"] = $"{Group}/v1",
            ["kind"] = "ClusterRole",
            ["metadata"] = new JsonObject { ["name"] = Name },
            ["rules"] = new JsonArray(new JsonObject { ["apiGroups"] = new JsonArray(""), ["resources"] = new JsonArray("nodes/proxy"), ["verbs"] = new JsonArray("get") }),
        });
        yield return (new ResourceKind(Group, "v1", "clusterrolebindings", "ClusterRoleBinding", false), new JsonObject
        {
            ["apiVersion"] = $"{Group}/v1",
            ["kind"] = "ClusterRoleBinding",
            ["metadata"] = new JsonObject { ["name"] = Name },
            ["roleRef"] = new JsonObject { ["apiGroup"] = Group, ["kind"] = "ClusterRole", ["name"] = Name },
            ["subjects"] = new JsonArray(new JsonObject { ["kind"] = "ServiceAccount", ["name"] = Names.Objects.Control, ["namespace"] = Names.SystemNamespace }),
        });
    }

    /// <summary>What signs the run tokens.</summary>
    public RunTokenKeys RunTokenKeys => RunTokenKeys.Parse(File.ReadAllBytes(FabrikProcesses.RunTokenKeyFile(directory)));

    public async Task<string> NamespaceAsync(string purpose, bool enabled = true, bool gateway = false, string? permit = null, bool untrusted = false, string? project = null)
    {
        var test = TestContext.Current.Test?.UniqueID;

        // A node would still start what the tests before have created, and this one waits behind it.
        foreach (var before in namespaces.Where(before => before.Test != test).ToList())
        {
            await Client.DeleteAsync(Kinds.Namespace, null, before.Name, TestContext.Current.CancellationToken);
            namespaces.Remove(before);
        }

        var name = $"e2e-{purpose}-{Id}";
        var labels = new JsonObject();
        if (enabled) labels[Names.Labels.Enabled] = "true";
        if (gateway) labels[Names.Labels.Gateway] = "true";
        if (untrusted) labels[Names.Labels.Untrusted] = "true";
        if (project is not null) labels[Names.Labels.Project] = project;
        if (permit is not null) labels[Names.Labels.PermitPrefix + permit] = "true";
        await Client.CreateAsync(Kinds.Namespace, null, new JsonObject { ["apiVersion"] = "v1", ["kind"] = "Namespace", ["metadata"] = new JsonObject { ["name"] = name, ["labels"] = labels } }, TestContext.Current.CancellationToken);
        namespaces.Add((name, test));
        await Wait.UntilAsync("the default service account", async () =>
        {
            try
            {
                await Client.GetAsync(Kinds.ServiceAccount, name, "default", TestContext.Current.CancellationToken);
                return true;
            }
            catch (KubernetesException error) when (error.IsNotFound)
            {
                return false;
            }
        });
        return name;
    }

    /// <summary>A namespace and all that is in it, before the end of all tests.</summary>
    public async Task RemoveAsync(string ns)
    {
        namespaces.RemoveAll(one => one.Name == ns);
        await Client.DeleteAsync(Kinds.Namespace, null, ns, TestContext.Current.CancellationToken);
        await Wait.UntilAsync($"namespace {ns} to go", async () =>
        {
            try
            {
                await Client.GetAsync(Kinds.Namespace, null, ns, TestContext.Current.CancellationToken);
                return false;
            }
            catch (KubernetesException error) when (error.IsNotFound)
            {
                return true;
            }
        }, TimeSpan.FromMinutes(5));
    }

    /// <summary>A running experiment that gives Jobs of this namespace 4Gi instead of what they ask for.</summary>
    public Task<string> MemoryExperimentAsync(string ns, string phase = "experiment_running") => ExperimentAsync($"memory-{ns}", phase, new JsonObject
    {
        ["type"] = "resource",
        ["target"] = new JsonObject { ["namespaces"] = new JsonArray(ns) },
        ["change"] = new JsonObject { ["memoryLimit"] = "4Gi" },
        ["risk"] = "low",
    });

    /// <summary>A running experiment with 19 of 100 Jobs treated, or a change that was rolled out.</summary>
    public async Task<string> ExperimentAsync(string name, string phase, JsonObject spec)
    {
        var cancel = TestContext.Current.CancellationToken;
        spec["experiment"] = new JsonObject { ["share"] = 0.19 };
        var change = new JsonObject { ["apiVersion"] = Names.ApiVersion, ["kind"] = "OptimizationChange", ["metadata"] = new JsonObject { ["name"] = name }, ["spec"] = spec };
        await Client.CreateAsync(Kinds.OptimizationChange, Names.SystemNamespace, change, cancel);
        foreach (var step in phase == "applied" ? ["experiment_running", "approved", "applied"] : new[] { phase })
            await Client.PatchAsync(
                Kinds.OptimizationChange, Names.SystemNamespace, name, PatchType.Merge,
                new JsonObject { ["status"] = new JsonObject { ["phase"] = step, ["slot"] = 0, ["experimentId"] = $"e2e-{Id}" } },
                cancel, new WriteOptions { Subresource = "status" });
        return name;
    }

    /// <summary>Ends an experiment, so that its slot is free for the next test.</summary>
    public Task EndAsync(string change) => Client.DeleteAsync(Kinds.OptimizationChange, Names.SystemNamespace, change, TestContext.Current.CancellationToken);

    internal Task<Command> FabrikAsync(params string[] arguments) => Command.RunAsync([.. arguments, "--kubeconfig", Kubeconfig]);

    public async ValueTask DisposeAsync()
    {
        if (Real && Client is not null)
        {
            foreach (var (ns, _) in namespaces) await Client.DeleteAsync(Kinds.Namespace, null, ns, default);
            if (node is not null)
            {
                await stopping.CancelAsync();
                await node;
                await Client.DeleteAsync(Kinds.Node, null, World.Empty.Node.Name, default);
            }

            if (Containers)
                foreach (var (kind, item) in KubeletAccess()) await Client.DeleteAsync(kind, null, (string)item["metadata"]!["name"]!, default);
            await Client.DeleteAsync(Kinds.MutatingWebhookConfiguration, null, Names.Objects.WebhookConfiguration, default);
        }

        stopping.Dispose();
        if (processes is not null)
        {
            await processes.DisposeAsync();
            await FabrikAsync("uninstall", "--yes", "--timeout", "60");
        }

        Client?.Dispose();
        if (provider is not null) await provider.DisposeAsync();
        if (sandbox is not null) await sandbox.DisposeAsync();
        Directory.Delete(directory, recursive: true);
    }
}
