using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.Kubernetes;
using Fabrik.Sandbox.Composition;
using Fabrik.Sandbox.Server;

namespace Fabrik.Tests.Cli;

/// <summary>An API server with Fabrik's objects and none of its processes: what the command can do while those are away.</summary>
public sealed class ClusterOfObjects : IAsyncLifetime
{
    private static readonly ResourceKind Role = new("rbac.authorization.k8s.io", "v1", "roles", "Role", true);
    private static readonly ResourceKind RoleBinding = new("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding", true);

    private readonly string directory = Directory.CreateTempSubdirectory("fabrik-cli-").FullName;
    private SandboxServer server = null!;

    public string Kubeconfig => Path.Combine(directory, "kubeconfig");
    public KubernetesClient Client { get; private set; } = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        server = await SandboxServer.StartAsync(new SandboxServerOptions(), Cancel);
        await File.WriteAllTextAsync(Kubeconfig, server.Kubeconfig, Cancel);
        Client = new KubernetesClient(ClusterConfig.FromKubeconfig(Kubeconfig), TimeProvider.System);
        await ClusterSetup.InstallAsync(Client, TimeProvider.System, Cancel);
    }

    internal Task<Command> FabrikAsync(params string[] arguments) => Command.RunAsync([.. arguments, "--kubeconfig", Kubeconfig]);

    /// <summary>A change in a phase, by the steps that lead there.</summary>
    public async Task ChangeAsync(string name, string phase = "proposed", JsonObject? status = null, JsonObject? spec = null)
    {
        var body = new JsonObject
        {
            ["apiVersion"] = Names.ApiVersion,
            ["kind"] = "OptimizationChange",
            ["metadata"] = new JsonObject { ["name"] = name },
            ["spec"] = new JsonObject
            {
                ["type"] = "resource",
                ["target"] = new JsonObject { ["labelSelector"] = new JsonObject { [Names.Labels.SpecType] = "impl" } },
                ["change"] = new JsonObject { ["memoryLimit"] = "4Gi" },
                ["rationale"] = "75 % of impl specs run out of memory at 2Gi.",
                ["risk"] = "low",
            },
        };
        foreach (var (field, value) in spec ?? []) body["spec"]![field] = value?.DeepClone();
        await Client.CreateAsync(Kinds.OptimizationChange, Names.SystemNamespace, body, Cancel);
        string[] steps = phase switch
        {
            "proposed" => [],
            "queued" => ["queued"],
            "rejected" => ["rejected"],
            "experiment_running" => ["experiment_running"],
            "analyzing" => ["experiment_running", "analyzing"],
            "approved" => ["experiment_running", "approved"],
            "applied" => ["experiment_running", "approved", "applied"],
            _ => ["experiment_running", "rolled_back"],
        };
        foreach (var step in steps) await StatusAsync(name, new JsonObject { ["phase"] = step });
        if (status is not null) await StatusAsync(name, status);
    }

    public Task StatusAsync(string name, JsonObject status) => Client.PatchAsync(
        Kinds.OptimizationChange, Names.SystemNamespace, name, PatchType.Merge, new JsonObject { ["status"] = status }, Cancel, new WriteOptions { Subresource = "status" });

    public async Task<JsonElement> ReadAsync(string name) => (await Client.GetAsync(Kinds.OptimizationChange, Names.SystemNamespace, name, Cancel)).Json;

    /// <summary>A kubeconfig of a ServiceAccount that may do these verbs on changes and nothing else.</summary>
    public async Task<string> UserAsync(string name, params string[] verbs)
    {
        await Client.CreateAsync(Kinds.ServiceAccount, Names.SystemNamespace, Object("v1", "ServiceAccount", name), Cancel);
        var role = Object("rbac.authorization.k8s.io/v1", "Role", name);
        role["rules"] = new JsonArray(new JsonObject { ["apiGroups"] = new JsonArray(Names.Group), ["resources"] = new JsonArray("optimizationchanges"), ["verbs"] = new JsonArray([.. verbs.Select(verb => (JsonNode)verb)]) });
        await Client.CreateAsync(Role, Names.SystemNamespace, role, Cancel);
        var binding = Object("rbac.authorization.k8s.io/v1", "RoleBinding", name);
        binding["roleRef"] = new JsonObject { ["apiGroup"] = "rbac.authorization.k8s.io", ["kind"] = "Role", ["name"] = name };
        binding["subjects"] = new JsonArray(new JsonObject { ["kind"] = "ServiceAccount", ["name"] = name, ["namespace"] = Names.SystemNamespace });
        await Client.CreateAsync(RoleBinding, Names.SystemNamespace, binding, Cancel);
        var config = Manifest.Read(server.Kubeconfig).Single();
        config["users"]![0]!["user"] = new JsonObject { ["token"] = await Client.TokenAsync(Names.SystemNamespace, name, Cancel) };
        var path = Path.Combine(directory, name);
        await File.WriteAllTextAsync(path, config.ToJsonString(), Cancel);
        return path;
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await server.DisposeAsync();
        Directory.Delete(directory, recursive: true);
    }

    private static JsonObject Object(string apiVersion, string kind, string name) => new() { ["apiVersion"] = apiVersion, ["kind"] = kind, ["metadata"] = new JsonObject { ["name"] = name } };
}
