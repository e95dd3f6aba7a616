using System.Text.Json.Nodes;
using Fabrik.Kubernetes;
using Fabrik.Sandbox.Server;

namespace Fabrik.Tests.Manifests;

/// <summary>
/// The manifests on an API server, the sandbox's or that of FABRIK_E2E_KUBECONFIG: namespaces, definitions, roles and policies are there, what would start Pods is not.
/// Its tests run when no others do, as the policies bind whoever uses the cluster.
/// </summary>
[CollectionDefinition(Collection, DisableParallelization = true)]
public sealed class InstalledFixture : IAsyncLifetime, ICollectionFixture<InstalledFixture>
{
    public const string Collection = "installed";

    /// <summary>The scheduler, as Kubernetes names it.</summary>
    public const string Scheduler = "system:serviceaccount:fabrik-system:fabrik-control";

    private static readonly string[] Applied =
    [
        "Namespace", "CustomResourceDefinition", "ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding",
    ];

    private readonly List<(ResourceKind Kind, string? Namespace, string Name)> made = [];
    private readonly WriteOptions own = new() { FieldManager = "fabrik-tests", Force = true };
    private ClusterConfig admin = null!;
    private SandboxServer? sandbox;

    public KubernetesClient Client { get; private set; } = null!;

    public string Kubeconfig { get; } = Path.GetTempFileName();

    /// <summary>One per run of the tests, so that runs on one cluster do not meet.</summary>
    public string Id { get; } = Guid.NewGuid().ToString("N")[..6];

    public async ValueTask InitializeAsync()
    {
        var cancel = TestContext.Current.CancellationToken;
        if (RealCluster.Kubeconfig is { } path) File.Copy(path, Kubeconfig, overwrite: true);
        else
        {
            sandbox = await SandboxServer.StartAsync(new SandboxServerOptions(), cancel);
            await File.WriteAllTextAsync(Kubeconfig, sandbox.Kubeconfig, cancel);
        }

        admin = ClusterConfig.FromKubeconfig(Kubeconfig);
        Client = new KubernetesClient(admin, TimeProvider.System);
        foreach (var item in ManifestFiles.Base.Where(item => Applied.Contains(ManifestFiles.Kind(item))).OrderBy(item => Array.IndexOf(Applied, ManifestFiles.Kind(item)))) await ApplyAsync(item);
        await Wait.UntilAsync("the new kinds to be served", async () =>
        {
            try
            {
                await foreach (var _ in Client.ListAsync(Kinds.OptimizationChange, null, cancel)) { }
                await foreach (var _ in Client.ListAsync(Kinds.OptimizerPolicy, null, cancel)) { }
                return true;
            }
            catch (KubernetesException error) when (error.IsNotFound)
            {
                return false;
            }
        });
        await PermitAsync("olga", "fabrik-operator", "edit");
        await PermitAsync("anna", "fabrik-approver");
    }

    /// <summary>The cluster as somebody else sees it.</summary>
    public KubernetesClient As(string user) => new(admin with { Impersonate = new Impersonation(user, null, [], new Dictionary<string, IReadOnlyList<string>>(StringComparer.Ordinal)) }, TimeProvider.System);

    public Task ApplyAsync(JsonObject item)
    {
        var (kind, ns, name) = (ManifestFiles.Type(item), ManifestFiles.Namespace(item), ManifestFiles.Name(item));
        made.Add((kind, ns, name));
        return Client.PatchAsync(kind, ns, name, PatchType.Apply, item, TestContext.Current.CancellationToken, own);
    }

    /// <summary>Null where the write was let through; else what the server said. A policy that was made a moment ago may bind only after another.</summary>
    public static async Task<KubernetesException?> RefusedAsync(Func<Task> write)
    {
        try
        {
            await write();
            return null;
        }
        catch (KubernetesException error)
        {
            return error;
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (sandbox is not null) await sandbox.DisposeAsync();
        else
        {
            // Policies first: what comes after would be bound by them. The definitions stay, as other runs of the tests may be under way.
            foreach (var (kind, ns, name) in Enumerable.Reverse(made).Where(one => one.Kind != Kinds.CustomResourceDefinition))
                await RefusedAsync(() => Client.DeleteAsync(kind, ns, name, default));
        }

        Client.Dispose();
        File.Delete(Kubeconfig);
    }

    private async Task PermitAsync(string user, params string[] roles)
    {
        foreach (var role in roles)
        {
            // The sandbox has no roles of Kubernetes' own.
            if (role == "edit") await ApplyAsync(Rbac("ClusterRole", $"{user}-{role}", new JsonObject { ["rules"] = new JsonArray(new JsonObject { ["apiGroups"] = new JsonArray("batch"), ["resources"] = new JsonArray("jobs"), ["verbs"] = new JsonArray("create", "get") }) }));
            await ApplyAsync(Rbac("ClusterRoleBinding", $"{user}-{role}", new JsonObject
            {
                ["roleRef"] = new JsonObject { ["apiGroup"] = "rbac.authorization.k8s.io", ["kind"] = "ClusterRole", ["name"] = role == "edit" ? $"{user}-{role}" : role },
                ["subjects"] = new JsonArray(new JsonObject { ["apiGroup"] = "rbac.authorization.k8s.io", ["kind"] = "User", ["name"] = user }),
            }));
        }
    }

    private static JsonObject Rbac(string kind, string name, JsonObject rest)
    {
        rest["apiVersion"] = "rbac.authorization.k8s.io/v1";
        rest["kind"] = kind;
        rest["metadata"] = new JsonObject { ["name"] = name };
        return rest;
    }
}
