using System.Text.Json.Nodes;
using Fabrik.Experiments;
using Fabrik.Kubernetes;
using Fabrik.Sandbox.Server;
using Fabrik.Tests.Cli;
using Fabrik.Tests.Manifests;
using Fabrik.Tests.Support;

namespace Fabrik.Tests.Untrusted;

/// <summary>An API server, the sandbox's or that of FABRIK_E2E_KUBECONFIG, with what manifests/base/run-security.yaml enforces and without any process of Fabrik.</summary>
[CollectionDefinition(Collection, DisableParallelization = true)] // on one cluster with other tests their webhook would fill in what is tried here
public sealed class SecurityCluster : IAsyncLifetime, ICollectionFixture<SecurityCluster>
{
    public const string Collection = "security";

    private static readonly WriteOptions Own = new() { FieldManager = "security-tests", Force = true };
    private readonly string id = Guid.NewGuid().ToString("N")[..6];
    private readonly List<string> namespaces = [];
    private readonly List<JsonObject> made = [];
    private SandboxServer? sandbox;

    public KubernetesClient Client { get; private set; } = null!;
    public string Kubeconfig { get; private set; } = null!;
    public bool Real => sandbox is null;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        var path = RealCluster.Kubeconfig;
        if (path is null)
        {
            sandbox = await SandboxServer.StartAsync(new SandboxServerOptions(), Cancel);
            path = Path.GetTempFileName();
            await File.WriteAllTextAsync(path, sandbox.Kubeconfig, Cancel);
        }

        Kubeconfig = path;
        Client = new KubernetesClient(ClusterConfig.FromKubeconfig(path), TimeProvider.System);
        if (await AnswersAsync(() => Client.GetAsync(Kinds.MutatingWebhookConfiguration, null, Names.Objects.WebhookConfiguration, Cancel)))
            Assert.Skip("Fabrik's webhook is registered here and fills in what these tests leave unset: remove it first (kubectl delete mutatingwebhookconfiguration fabrik-webhook)");
        foreach (var item in CustomResources.All.SelectMany(Manifest.Read)) await Client.PatchAsync(Kinds.CustomResourceDefinition, null, (string)item["metadata"]!["name"]!, PatchType.Apply, item, Cancel, Own);
        await Wait.UntilAsync("the custom resources", async () => await AnswersAsync(async () =>
        {
            await foreach (var _ in Client.ListAsync(Kinds.OptimizerPolicy, null, Cancel)) break;
        }));
        foreach (var item in Manifest.Read(await File.ReadAllTextAsync(Path.Combine(ManifestFiles.Folder, "base", "run-security.yaml"), Cancel)))
        {
            var kind = ManifestFiles.Type(item);
            if (!await AnswersAsync(() => Client.GetAsync(kind, null, ManifestFiles.Name(item), Cancel))) made.Add(item);
            await Client.PatchAsync(kind, null, ManifestFiles.Name(item), PatchType.Apply, item, Cancel, Own);
        }

        // A server takes a moment before it enforces what it has accepted; policies are compiled one by one, the last kind last.
        var ns = await NamespaceAsync("ready");
        foreach (var (kind, item) in new[] { (Kinds.Pod, Pod(root: true)), (Kinds.Job, Job(deadline: false)), (Kinds.NetworkPolicy, WayOut()), (Kinds.Pod, Posing()) })
            await Wait.UntilAsync("the policies to be enforced", async () => !await AnswersAsync(() => Client.CreateAsync(kind, ns, item.DeepClone(), Cancel, new WriteOptions { DryRun = true })));
    }

    public async Task<string> NamespaceAsync(string purpose, bool untrusted = true)
    {
        var name = $"security-{purpose}-{id}";
        var labels = new JsonObject();
        if (untrusted) labels[Names.Labels.Untrusted] = "true";
        await Client.CreateAsync(Kinds.Namespace, null, new JsonObject { ["apiVersion"] = "v1", ["kind"] = "Namespace", ["metadata"] = new JsonObject { ["name"] = name, ["labels"] = labels } }, Cancel);
        namespaces.Add(name);
        await Wait.UntilAsync("the default service account", async () => await AnswersAsync(() => Client.GetAsync(Kinds.ServiceAccount, name, "default", Cancel)));
        return name;
    }

    /// <summary>Waits until the server reckons with spec.runs of the policy.</summary>
    public async Task KnownAsync(JsonObject runs)
    {
        var ns = namespaces[0];
        var foreign = runs["registries"] is not null;
        var writes = runs["readOnlyRootFilesystem"]?.GetValue<bool>() == false;
        await Wait.UntilAsync("the policy to be known", async () =>
            await TakesAsync(Job(image: "elsewhere.example/x")) != foreign && await TakesAsync(Job(image: "ghcr.io/example/x", readOnly: false)) == writes);

        Task<bool> TakesAsync(JsonObject item) => AnswersAsync(() => Client.CreateAsync(Kinds.Job, ns, item, Cancel, new WriteOptions { DryRun = true }));
    }

    /// <summary>As somebody with these rights in a namespace, and no others.</summary>
    public async Task<KubernetesClient> AsAsync(string ns, string account, params JsonNode[] rules)
    {
        await Client.PatchAsync(Kinds.ServiceAccount, ns, account, PatchType.Apply, Object("v1", "ServiceAccount", account), Cancel, Own);
        if (rules.Length > 0)
        {
            var role = Object("rbac.authorization.k8s.io/v1", "Role", account);
            role["rules"] = new JsonArray(rules);
            await Client.PatchAsync(new ResourceKind("rbac.authorization.k8s.io", "v1", "roles", "Role", true), ns, account, PatchType.Apply, role, Cancel, Own);
            var binding = Object("rbac.authorization.k8s.io/v1", "RoleBinding", account);
            binding["roleRef"] = new JsonObject { ["apiGroup"] = "rbac.authorization.k8s.io", ["kind"] = "Role", ["name"] = account };
            binding["subjects"] = new JsonArray(new JsonObject { ["kind"] = "ServiceAccount", ["name"] = account, ["namespace"] = ns });
            await Client.PatchAsync(Kinds.RoleBinding, ns, account, PatchType.Apply, binding, Cancel, Own);
        }

        var token = await Client.TokenAsync(ns, account, Cancel);
        var own = ClusterConfig.FromKubeconfig(Kubeconfig);
        return new KubernetesClient(new ClusterConfig
        {
            Server = own.Server,
            CertificateAuthority = own.CertificateAuthority,
            CertificateAuthorityFile = own.CertificateAuthorityFile,
            TlsServerName = own.TlsServerName,
            InsecureSkipTlsVerify = own.InsecureSkipTlsVerify,
            Token = token,
        }, TimeProvider.System);
    }

    public static JsonNode Rule(string group, string[] resources, params string[] verbs) => new JsonObject
    {
        ["apiGroups"] = new JsonArray(group),
        ["resources"] = new JsonArray([.. resources.Select(one => (JsonNode)one)]),
        ["verbs"] = new JsonArray([.. verbs.Select(one => (JsonNode)one)]),
    };

    public static JsonObject Job(string name = "run", bool deadline = true, string image = "ghcr.io/example/run:1", bool readOnly = true)
    {
        var job = Object("batch/v1", "Job", name);
        job["spec"] = new JsonObject { ["suspend"] = true, ["template"] = new JsonObject { ["spec"] = Spec(image, readOnly) } };
        if (deadline) job["spec"]!["activeDeadlineSeconds"] = 600;
        return job;
    }

    public static JsonObject Pod(string name = "run", bool root = false)
    {
        var pod = Object("v1", "Pod", name);
        pod["spec"] = Spec("ghcr.io/example/run:1", readOnly: true);
        pod["spec"]!["activeDeadlineSeconds"] = 600;
        if (root) pod["spec"]!["securityContext"] = new JsonObject { ["runAsUser"] = 0 };
        return pod;
    }

    public async ValueTask DisposeAsync()
    {
        if (Client is not null && Real)
        {
            foreach (var ns in namespaces) await Client.DeleteAsync(Kinds.Namespace, null, ns, default);
            foreach (var item in made) await Client.DeleteAsync(ManifestFiles.Type(item), null, ManifestFiles.Name(item), default);
        }

        Client?.Dispose();
        if (sandbox is null) return;
        await sandbox.DisposeAsync();
        File.Delete(Kubeconfig);
    }

    private static JsonObject Posing()
    {
        var pod = Pod();
        pod["metadata"]!["labels"] = new JsonObject { [Names.Labels.RunId] = "aaaaaaaaaaaaaaaaaaaaaaaaaa" };
        return pod;
    }

    private static JsonObject WayOut()
    {
        var policy = Object("networking.k8s.io/v1", "NetworkPolicy", "out");
        policy["spec"] = new JsonObject { ["podSelector"] = new JsonObject(), ["policyTypes"] = new JsonArray("Egress"), ["egress"] = new JsonArray(new JsonObject()) };
        return policy;
    }

    private static JsonObject Spec(string image, bool readOnly) => new()
    {
        ["restartPolicy"] = "Never",
        ["automountServiceAccountToken"] = false,
        ["securityContext"] = new JsonObject { ["runAsNonRoot"] = true, ["runAsUser"] = 1000 },
        ["containers"] = new JsonArray(new JsonObject
        {
            ["name"] = "main",
            ["image"] = image,
            ["resources"] = new JsonObject { ["limits"] = new JsonObject { ["cpu"] = "1", ["memory"] = "1Gi" } },
            ["securityContext"] = new JsonObject { ["allowPrivilegeEscalation"] = false, ["readOnlyRootFilesystem"] = readOnly, ["capabilities"] = new JsonObject { ["drop"] = new JsonArray("ALL") } },
        }),
    };

    private static JsonObject Object(string apiVersion, string kind, string name) => new() { ["apiVersion"] = apiVersion, ["kind"] = kind, ["metadata"] = new JsonObject { ["name"] = name } };

    private static async Task<bool> AnswersAsync(Func<Task> ask)
    {
        try
        {
            await ask();
            return true;
        }
        catch (KubernetesException refused) when (refused.IsNotFound || refused.IsForbidden || refused.IsInvalid)
        {
            return false;
        }
    }
}
