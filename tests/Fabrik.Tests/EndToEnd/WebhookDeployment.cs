using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using Fabrik.Certificates;
using Fabrik.Cli.Installing;
using Fabrik.Kubernetes;
using Fabrik.Sandbox.Composition;
using Fabrik.Sandbox.Server;

namespace Fabrik.Tests.EndToEnd;

/// <summary>
/// What the manifests say of the webhook, on the cluster that FABRIK_E2E_KUBECONFIG names or on a sandbox: its objects and permissions, replicas of it in this process, and what a kubelet
/// and the endpoints' controller would do for them: ready replicas are reached through the Service, and a filled Secret comes into mounted files.
/// </summary>
internal sealed class WebhookDeployment : IAsyncDisposable
{
    private static readonly ResourceKind EndpointSlice = new("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", true);
    private static readonly ResourceKind Service = new("", "v1", "services", "Service", true);
    private static readonly ResourceKind Role = new("rbac.authorization.k8s.io", "v1", "roles", "Role", true);
    private static readonly ResourceKind RoleBinding = new("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding", true);
    private static readonly ResourceKind ClusterRole = new("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", false);
    private static readonly ResourceKind ClusterRoleBinding = new("rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", false);
    private static readonly ResourceKind[] Shipped = [Kinds.ServiceAccount, Kinds.Secret, Kinds.ConfigMap, Kinds.MutatingWebhookConfiguration, Role, RoleBinding, ClusterRole, ClusterRoleBinding];

    private readonly string keys = Directory.CreateTempSubdirectory("fabrik-keys-").FullName;
    private readonly CancellationTokenSource stopping = new();
    private readonly ConcurrentDictionary<string, Uri> services = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, bool> announced = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, bool> sliced = new(StringComparer.Ordinal);
    private readonly List<WebhookReplica> replicas = [];
    private readonly IReadOnlyDictionary<(ResourceKind Kind, string? Namespace, string Name), JsonObject?> before;
    private readonly SandboxServer? sandbox;
    private readonly ClusterConfig account;
    private readonly IPAddress address;
    private Task playing = Task.CompletedTask;
    private int started;

    private WebhookDeployment(KubernetesClient client, SandboxServer? sandbox, ConcurrentDictionary<string, Uri> services, ClusterConfig account, IPAddress address, IReadOnlyDictionary<(ResourceKind, string?, string), JsonObject?> before) =>
        (Client, this.sandbox, this.services, this.account, this.address, this.before) = (client, sandbox, services, account, address, before);

    public KubernetesClient Client { get; }

    public static CertificateTimes Times { get; } = CertificateTimes.Default with { Settle = TimeSpan.FromSeconds(4), KeepOld = TimeSpan.FromSeconds(6), Look = TimeSpan.FromSeconds(1) };

    /// <param name="real">The cluster that is used by other tests as well; null: a sandbox of its own.</param>
    public static async Task<WebhookDeployment> StartAsync(KubernetesClient? real, CancellationToken ct)
    {
        var reached = new ConcurrentDictionary<string, Uri>(StringComparer.Ordinal);
        SandboxServer? server = null;
        var taken = new Dictionary<(ResourceKind, string?, string), JsonObject?>();
        if (real is null)
        {
            server = await SandboxServer.StartAsync(new SandboxServerOptions { Services = reached }, ct);
            var file = Path.GetTempFileName();
            await File.WriteAllTextAsync(file, server.Kubeconfig, ct);
            real = new KubernetesClient(ClusterConfig.FromKubeconfig(file), TimeProvider.System);
            File.Delete(file);
        }
        else
        {
            foreach (var place in Changed()) taken[place] = await FindAsync(real, place, ct);
            if (taken[Registration] is not null) await real.DeleteAsync(Registration.Kind, null, Registration.Name, ct);
        }

        await ClusterSetup.InstallAsync(real, TimeProvider.System, ct);
        foreach (var (kind, item) in Items()) await real.PatchAsync(kind, (string?)item["metadata"]!["namespace"], (string)item["metadata"]!["name"]!, PatchType.Apply, item, ct, new WriteOptions { Force = true });
        var token = await real.TokenAsync(Names.SystemNamespace, Names.Objects.Webhook, ct);
        var caller = new ClusterConfig
        {
            Server = real.Config.Server,
            CertificateAuthority = real.Config.CertificateAuthority ?? await File.ReadAllTextAsync(real.Config.CertificateAuthorityFile!, ct),
            Token = token,
        };
        var made = new WebhookDeployment(real, server, reached, caller, server is null ? await RealCluster.AddressAsync(real.Config, ct) : IPAddress.Loopback, taken);
        if (server is null) await made.ServeAsync(ct);
        made.playing = Task.WhenAll(made.MountAsync(), made.EndpointsAsync());
        return made;
    }

    public async Task<WebhookReplica> ReplicaAsync(CancellationToken ct, Func<string, bool>? killAt = null)
    {
        var replica = await WebhookReplica.StartAsync(account, $"replica-{Interlocked.Increment(ref started)}", keys, Times, sandbox is not null, ct, killAt);
        lock (replicas) replicas.Add(replica);
        return replica;
    }

    public async Task ReadyAsync(WebhookReplica replica)
    {
        var why = "";
        try
        {
            await Wait.UntilAsync($"{replica.Name} to be ready", async () =>
            {
                (var ready, why) = await replica.ReadyAsync();
                return ready;
            });
            await Wait.UntilAsync($"{replica.Name} to be reached", () => Task.FromResult(announced.GetValueOrDefault(replica.Name)));
        }
        catch (Exception e)
        {
            throw new InvalidOperationException($"{why}\n{string.Join('\n', replica.Log.Lines.TakeLast(20))}", e);
        }
    }

    /// <summary>Who holds the Lease.</summary>
    public async Task<WebhookReplica> LeaderAsync(CancellationToken ct) => await Wait.ForAsync("a leader", async () =>
    {
        var holder = (await Client.GetAsync(Kinds.Lease, Names.SystemNamespace, Names.Objects.CertificateKeeper, ct)).Json.GetProperty("spec").GetProperty("holderIdentity").GetString();
        lock (replicas) return replicas.Find(one => one.Name == holder);
    });

    public void Forget(WebhookReplica replica)
    {
        lock (replicas) replicas.Remove(replica);
    }

    public async Task<string> SecretAsync(string name, string key)
    {
        var found = await Client.GetAsync(Kinds.Secret, Names.SystemNamespace, name, TestContext.Current.CancellationToken);
        return found.Json.TryGetProperty("data", out var data) && data.TryGetProperty(key, out var value) ? Encoding.ASCII.GetString(Convert.FromBase64String(value.GetString()!)) : "";
    }

    /// <summary>How many authorities each entry of the configuration trusts; all alike.</summary>
    public async Task<int> TrustedAsync()
    {
        var found = await Client.GetAsync(Kinds.MutatingWebhookConfiguration, null, Names.Objects.WebhookConfiguration, TestContext.Current.CancellationToken);
        return found.Json.GetProperty("webhooks").EnumerateArray()
            .Select(entry => entry.GetProperty("clientConfig").TryGetProperty("caBundle", out var bundle) ? CertificateText.Read(Encoding.ASCII.GetString(Convert.FromBase64String(bundle.GetString()!))).Length : 0).Distinct().Single();
    }

    public Task AskAsync(string secret) => Client.PatchAsync(
        Kinds.Secret, Names.SystemNamespace, secret, PatchType.Merge,
        new JsonObject { ["metadata"] = new JsonObject { ["annotations"] = new JsonObject { [Names.Annotations.Rotate] = "now" } } }, TestContext.Current.CancellationToken);

    public async ValueTask DisposeAsync()
    {
        await stopping.CancelAsync();
        await playing;
        foreach (var replica in replicas) await replica.DisposeAsync();
        if (sandbox is null)
        {
            foreach (var name in sliced.Keys) await Client.DeleteAsync(EndpointSlice, Names.SystemNamespace, name, default);
            await Client.DeleteAsync(Service, Names.SystemNamespace, Names.Objects.WebhookService, default);
            foreach (var (place, was) in before) await PutBackAsync(place, was);
        }
        else
        {
            Client.Dispose();
            await sandbox.DisposeAsync();
        }

        stopping.Dispose();
        Directory.Delete(keys, recursive: true);
    }

    /// <summary>A cluster has one webhook configuration.</summary>
    private static readonly (ResourceKind Kind, string? Namespace, string Name) Registration = (Kinds.MutatingWebhookConfiguration, null, Names.Objects.WebhookConfiguration);

    /// <summary>What a keeper and the manifests write: all that is another's on a cluster that others use, and is as it was at the end.</summary>
    private static IEnumerable<(ResourceKind Kind, string? Namespace, string Name)> Changed() =>
    [
        Registration, (Kinds.Lease, Names.SystemNamespace, Names.Objects.CertificateKeeper),
        .. Items().Where(one => one.Kind == Kinds.Secret || one.Kind == Kinds.ConfigMap).Select(one => (one.Kind, (string?)one.Item["metadata"]!["namespace"], (string)one.Item["metadata"]!["name"]!)),
        (Kinds.ConfigMap, Names.SystemNamespace, Names.Objects.ApiDiscovery), (Kinds.ConfigMap, Names.GatewayNamespace, Names.Objects.GatewayTrust), (Kinds.Secret, Names.GatewayNamespace, Names.Objects.RunTokenKeySecret),
    ];

    private static IEnumerable<(ResourceKind Kind, JsonObject Item)> Items() =>
        ((string[])["webhook.yaml", "control.yaml", "gateway.yaml", "webhook-configuration.yaml"])
            .SelectMany(file => Manifest.Read(File.ReadAllText(Path.Combine(TestData.Checkout, "manifests/base", file))))
            .Select(item => (Kind: Array.Find(Shipped, kind => kind.Kind == (string)item["kind"]!), item)).Where(one => one.Kind is not null).Select(one => (one.Kind!, one.item));

    private static async Task<JsonObject?> FindAsync(KubernetesClient client, (ResourceKind Kind, string? Namespace, string Name) place, CancellationToken ct)
    {
        if (await client.FindAsync(place.Kind, place.Namespace, place.Name, ct) is not { } present) return null;
        var found = present.ToNode();
        foreach (var own in (string[])["uid", "resourceVersion", "creationTimestamp", "generation", "managedFields"]) found["metadata"]!.AsObject().Remove(own);
        return found;
    }

    private async Task PutBackAsync((ResourceKind Kind, string? Namespace, string Name) place, JsonObject? was)
    {
        var present = await Client.FindAsync(place.Kind, place.Namespace, place.Name, default);
        if (was is null)
        {
            if (present is not null) await Client.DeleteAsync(place.Kind, place.Namespace, place.Name, default);
        }
        else if (present is not null)
        {
            was["metadata"]!["resourceVersion"] = present.ResourceVersion;
            await Client.ReplaceAsync(place.Kind, place.Namespace, place.Name, was, default);
        }
        else await Client.CreateAsync(place.Kind, place.Namespace, was, default);
    }

    private Task ServeAsync(CancellationToken ct) => Client.PatchAsync(
        Service, Names.SystemNamespace, Names.Objects.WebhookService, PatchType.Apply,
        JsonNode.Parse("""{"apiVersion":"v1","kind":"Service","metadata":{"name":"fabrik-webhook","namespace":"fabrik-system"},"spec":{"ports":[{"name":"https","port":443,"targetPort":9443}]}}""")!,
        ct, new WriteOptions { Force = true });

    /// <summary>As the kubelet: what a Secret gets comes into the mounted file.</summary>
    private async Task MountAsync()
    {
        while (!stopping.IsCancellationRequested)
        {
            var key = await SecretAsync(Names.Objects.AssignmentKeySecret, "key");
            if (key.Length > 0)
            {
                await File.WriteAllTextAsync(Path.Combine(keys, "key"), key);
                return;
            }

            await Task.Delay(TimeSpan.FromMilliseconds(200), TimeProvider.System);
        }
    }

    /// <summary>As kubelet and endpoints' controller together, only faster: who is ready is called.</summary>
    private async Task EndpointsAsync()
    {
        var random = new Random(1);
        while (!stopping.IsCancellationRequested)
        {
            WebhookReplica[] now;
            lock (replicas) now = [.. replicas];
            var ready = new List<WebhookReplica>();
            foreach (var replica in now)
            {
                var (is_, _) = await replica.ReadyAsync();
                if (is_) ready.Add(replica);
                await AnnounceAsync(replica.Name, replica.Port, is_);
            }

            foreach (var name in announced.Keys.Except(now.Select(one => one.Name))) await AnnounceAsync(name, 0, false);
            if (ready.Count > 0) services[$"{Names.SystemNamespace}/{Names.Objects.WebhookService}:443"] = new UriBuilder("https", "127.0.0.1", ready[random.Next(ready.Count)].Port).Uri;
            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System);
        }
    }

    private async Task AnnounceAsync(string name, int port, bool ready)
    {
        if (announced.TryGetValue(name, out var said) && said == ready) return;
        if (sandbox is null && (ready || said))
        {
            var slice = new JsonObject
            {
                ["apiVersion"] = "discovery.k8s.io/v1",
                ["kind"] = "EndpointSlice",
                ["metadata"] = new JsonObject { ["name"] = name, ["labels"] = new JsonObject { ["kubernetes.io/service-name"] = Names.Objects.WebhookService } },
                ["addressType"] = address.AddressFamily == AddressFamily.InterNetwork ? "IPv4" : "IPv6",
                ["ports"] = new JsonArray(new JsonObject { ["name"] = "https", ["protocol"] = "TCP", ["port"] = port == 0 ? 9443 : port }),
                ["endpoints"] = ready ? new JsonArray(new JsonObject { ["addresses"] = new JsonArray(address.ToString()), ["conditions"] = new JsonObject { ["ready"] = true } }) : [],
            };
            sliced[name] = true;
            await Client.PatchAsync(EndpointSlice, Names.SystemNamespace, name, PatchType.Apply, slice, default, new WriteOptions { Force = true });
        }

        announced[name] = ready;
    }
}
