using System.Text;
using System.Text.Json.Nodes;
using Fabrik.Admission;
using Fabrik.Experiments;
using Fabrik.Kubernetes;

namespace Fabrik.Sandbox.Composition;

/// <summary>What Fabrik needs in a cluster before its processes start, written by server-side apply: running it again changes nothing.</summary>
public static class ClusterSetup
{
    /// <summary>Nobody renews the tokens here: 30 days, longer than anybody tries Fabrik out at a stretch.</summary>
    /// <summary>In a cluster the kubelet writes and renews them.</summary>
    internal static readonly TimeSpan TokenLife = TimeSpan.FromDays(30);
    private static readonly WriteOptions Own = new() { FieldManager = "fabrik", Force = true };

    public static async Task InstallAsync(KubernetesClient cluster, TimeProvider clock, CancellationToken ct)
    {
        foreach (var definition in CustomResources.All)
            foreach (var item in Manifest.Read(definition))
                await ApplyAsync(cluster, Kinds.CustomResourceDefinition, null, item, ct);
        await ApplyAsync(cluster, Kinds.Namespace, null, Object("v1", "Namespace", Names.SystemNamespace), ct);
        await ApplyAsync(cluster, Kinds.Namespace, null, Object("v1", "Namespace", Names.GatewayNamespace), ct);
        foreach (var item in Accounts()) await ApplyAsync(cluster, Kind(item), (string?)item["metadata"]!["namespace"], item, ct);
        await ServedAsync(cluster, Kinds.OptimizationChange, clock, ct);
        await ServedAsync(cluster, Kinds.OptimizerPolicy, clock, ct);
    }

    /// <summary>What signs run tokens, where the gateway's Pods would mount it from: the command may make one to test the gateway with.</summary>
    public static Task KeepTokenKeyAsync(KubernetesClient cluster, string keys, CancellationToken ct)
    {
        var secret = Object("v1", "Secret", Names.Objects.RunTokenKeySecret);
        secret["data"] = new JsonObject { [Names.Objects.RunTokenKeyFile] = Base64(keys) };
        return ApplyAsync(cluster, Kinds.Secret, Names.GatewayNamespace, secret, ct);
    }

    /// <summary>Tells the command where the API and the gateway are, and whom to trust there.</summary>
    public static Task AnnounceAsync(KubernetesClient cluster, Uri server, string caPem, Uri? gateway, CancellationToken ct)
    {
        var map = Object("v1", "ConfigMap", Names.Objects.ApiDiscovery);
        map["data"] = new JsonObject
        {
            ["server"] = server.GetLeftPart(UriPartial.Authority),
            ["certificate-authority-data"] = Base64(caPem),
        };
        if (gateway is not null) map["data"]![Names.Objects.GatewayAddress] = gateway.GetLeftPart(UriPartial.Authority);
        return ApplyAsync(cluster, Kinds.ConfigMap, Names.SystemNamespace, map, ct);
    }

    /// <summary>Registers the webhook by address: for API servers that can reach this machine.</summary>
    public static Task RegisterWebhookAsync(KubernetesClient cluster, Uri webhook, string caPem, CancellationToken ct) =>
        ApplyAsync(
            cluster,
            Kinds.MutatingWebhookConfiguration,
            null,
            WebhookRegistration.Configuration(new JsonObject { ["url"] = new Uri(webhook, Names.Paths.MutateJobs).AbsoluteUri, ["caBundle"] = Base64(caPem) }),
            ct);

    /// <summary>The cluster as a process in a Pod reaches it: with the token of its ServiceAccount, and no other right than its roles give.</summary>
    public static async Task<ClusterConfig> AsAsync(KubernetesClient cluster, ClusterConfig config, string account, CancellationToken ct) => new()
    {
        Server = config.Server,
        CertificateAuthority = config.CertificateAuthority,
        CertificateAuthorityFile = config.CertificateAuthorityFile,
        TlsServerName = config.TlsServerName,
        InsecureSkipTlsVerify = config.InsecureSkipTlsVerify,
        ProxyUrl = config.ProxyUrl,
        Token = await cluster.TokenAsync(Names.SystemNamespace, account, ct, lifetime: TokenLife),
    };

    /// <summary>ServiceAccounts, roles and bindings of manifests/base: who may do what in a cluster, and so here too.</summary>
    private static IEnumerable<JsonObject> Accounts()
    {
        var assembly = typeof(ClusterSetup).Assembly;
        var all = assembly.GetManifestResourceNames().Where(name => name.StartsWith("manifests/", StringComparison.Ordinal)).Order(StringComparer.Ordinal).SelectMany(name =>
        {
            using var reader = new StreamReader(assembly.GetManifestResourceStream(name)!);
            return Manifest.Read(reader.ReadToEnd());
        });
        return all.Where(item => (string?)item["kind"] is "ServiceAccount" or "Role" or "RoleBinding" or "ClusterRole" or "ClusterRoleBinding");
    }

    private static ResourceKind Kind(JsonObject item)
    {
        var kind = (string)item["kind"]!;
        var (group, isNamespaced) = (kind == "ServiceAccount" ? "" : "rbac.authorization.k8s.io", !kind.StartsWith("Cluster", StringComparison.Ordinal));
        return new ResourceKind(group, "v1", kind.ToLowerInvariant() + "s", kind, isNamespaced);
    }

    /// <summary>A new kind is served a moment after its definition is accepted.</summary>
    private static async Task ServedAsync(KubernetesClient cluster, ResourceKind kind, TimeProvider clock, CancellationToken ct)
    {
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                await foreach (var _ in cluster.ListAsync(kind, null, ct))
                {
                }

                return;
            }
            catch (KubernetesException error) when (error.IsNotFound && attempt < 100)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(100), clock, ct);
            }
        }
    }

    private static Task ApplyAsync(KubernetesClient cluster, ResourceKind kind, string? ns, JsonObject item, CancellationToken ct) =>
        cluster.PatchAsync(kind, ns, (string)item["metadata"]!["name"]!, PatchType.Apply, item, ct, Own);

    private static JsonObject Object(string apiVersion, string kind, string name) => new()
    {
        ["apiVersion"] = apiVersion,
        ["kind"] = kind,
        ["metadata"] = new JsonObject { ["name"] = name, ["labels"] = new JsonObject { [Names.Labels.PartOf] = "fabrik" } },
    };

    private static string Base64(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text));
}
