using System.Text.Json.Nodes;
using Fabrik.Cli.Installing;
using Fabrik.Kubernetes;
using Fabrik.Sandbox.Controllers;
using Fabrik.Sandbox.Nodes.Processes;
using Fabrik.Sandbox.Server;
using Fabrik.Tests.Cli;

namespace Fabrik.Tests.Installation;

/// <summary>
/// A cluster without Fabrik: the one that FABRIK_E2E_KUBECONFIG names, else the sandbox; or k3s in a container. Where there is no node, one is played, which runs Fabrik's own Pods as processes
/// of this machine.
/// </summary>
internal sealed class InstalledCluster : IAsyncDisposable
{
    public const string Mirror = "mirror.example.com/fabrik";

    public static readonly IReadOnlyList<(ResourceKind Kind, string Namespace, string Name)> Workloads =
    [
        (Kinds.StatefulSet, Names.SystemNamespace, Names.Objects.Control), (Kinds.StatefulSet, Names.GatewayNamespace, Names.Objects.Gateway), (Kinds.Deployment, Names.SystemNamespace, Names.Objects.Webhook),
    ];

    private readonly CancellationTokenSource stopping = new();
    private readonly List<Task> background = [];
    private SandboxServer? server;
    private K3sContainer? container;

    public string Home { get; } = Directory.CreateTempSubdirectory("fabrik-install-").FullName;

    public string Kubeconfig { get; private set; } = null!;

    public KubernetesClient Client { get; private set; } = null!;

    /// <summary>Pods are played: what only containers can prove is not proven here.</summary>
    public bool Played { get; private set; }

    /// <summary>k3s, which enforces network policies, alone in its container.</summary>
    public bool Contained => container is not null;

    public static async Task<InstalledCluster> StartAsync(bool node = true)
    {
        var cancel = TestContext.Current.CancellationToken;
        var cluster = new InstalledCluster();
        var real = RealCluster.Kubeconfig is not null;
        if (RealCluster.Kubeconfig is { } named)
        {
            cluster.Kubeconfig = named;
        }
        else
        {
            cluster.server = await SandboxServer.StartAsync(new SandboxServerOptions(), cancel);
            cluster.Kubeconfig = Path.Combine(cluster.Home, "kubeconfig");
            await File.WriteAllTextAsync(cluster.Kubeconfig, cluster.server.Kubeconfig, cancel);
        }

        cluster.Client = cluster.Connect();
        if (!real) cluster.background.Add(SandboxControllers.RunAsync(cluster.Connect(), TimeProvider.System, null, cluster.stopping.Token));
        if (real) await cluster.WithoutFabrikAsync();
        await foreach (var _ in cluster.Client.ListAsync(Kinds.Node, null, cancel)) return cluster;
        cluster.Played = true;
        if (node) cluster.background.Add(ProcessNode.RunAsync(cluster.Connect(), TimeProvider.System, new ProcessNodeOptions { Directory = Path.Combine(cluster.Home, "node"), Schedules = !real }, cluster.stopping.Token));
        return cluster;
    }

    /// <summary>Until the namespaces of a test before are gone: their Pods have time to end.</summary>
    private async Task WithoutFabrikAsync()
    {
        foreach (var name in (string[])[Names.SystemNamespace, Names.GatewayNamespace, Names.RunsNamespace])
            await Wait.UntilAsync($"namespace {name} to go", async () => await Client.FindAsync(Kinds.Namespace, null, name, TestContext.Current.CancellationToken) is null, TimeSpan.FromMinutes(3));
    }

    /// <summary>Skips the test where k3s cannot be had.</summary>
    public static async Task<InstalledCluster> OnK3sAsync()
    {
        var k3s = await K3sContainer.StartAsync();
        var cluster = new InstalledCluster { container = k3s };
        cluster.Kubeconfig = Path.Combine(cluster.Home, "kubeconfig");
        await File.WriteAllTextAsync(cluster.Kubeconfig, k3s.Kubeconfig);
        cluster.Client = cluster.Connect();
        return cluster;
    }

    public KubernetesClient Connect() => new(ClusterConfig.FromKubeconfig(Kubeconfig), TimeProvider.System);

    public Task<Command> FabrikAsync(params string[] arguments) => Command.RunAsync(["--kubeconfig", Kubeconfig, .. arguments]);

    /// <summary>
    /// For <see cref="UpgradeAsync"/> to have something to do where images are pulled, as there is no second registry to name: the workloads as another version might have had them, in a
    /// field that the manifests say. Where Pods are played nothing is needed, as their images change their names.
    /// </summary>
    public async Task DivertAsync()
    {
        if (Played) return;
        var other = new JsonObject { ["spec"] = new JsonObject { ["template"] = new JsonObject { ["spec"] = new JsonObject { ["terminationGracePeriodSeconds"] = 29 } } } };
        foreach (var (kind, ns, name) in Workloads) await Client.PatchAsync(kind, ns, name, PatchType.Merge, other.DeepClone(), TestContext.Current.CancellationToken);
    }

    /// <summary>Every Pod is replaced.</summary>
    public Task<Command> UpgradeAsync(string settings) => FabrikAsync(["upgrade", "--file", settings, "--timeout", "300", .. (string[])(Played ? ["--registry", Mirror] : [])]);

    /// <summary>Until the node is ready and volumes can be had: what a cluster has before anybody installs something.</summary>
    public Task ReadyAsync() => Wait.UntilAsync("a node and a storage class", async () =>
    {
        var (nodes, classes) = (0, 0);
        await foreach (var node in Client.ListAsync(Kinds.Node, null, TestContext.Current.CancellationToken)) nodes++;
        await foreach (var one in Client.ListAsync(Kinds.StorageClass, null, TestContext.Current.CancellationToken)) classes++;
        return nodes > 0 && classes > 0;
    });

    public async ValueTask DisposeAsync()
    {
        // What a failed test has left would be in the way of the next one.
        if (container is not null) await container.DisposeAsync();
        else await FabrikAsync("uninstall", "--yes", "--timeout", "60");
        await stopping.CancelAsync();
        foreach (var task in background)
        {
            try
            {
                await task;
            }
            catch (OperationCanceledException)
            {
                // Asked to stop.
            }
        }

        if (Played && server is null)
        {
            await foreach (var node in Client.ListAsync(Kinds.Node, null, default)) await Client.DeleteAsync(Kinds.Node, null, node.Name, default);
            await Client.DeleteAsync(Kinds.StorageClass, null, "fabrik-local", default);
        }

        Client.Dispose();
        if (server is not null) await server.DisposeAsync();
        stopping.Dispose();
        Directory.Delete(Home, recursive: true);
    }
}
