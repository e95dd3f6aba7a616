using System.Text;
using System.Text.Json.Nodes;
using Fabrik.Admission;
using Fabrik.Experiments;
using Fabrik.Kubernetes;

namespace Fabrik.Sandbox.Composition;

/// <summary>What Fabrik needs in a cluster before its processes start, written by server-side apply: running it again changes nothing.</summary>
public static class ClusterSetup
{
    private static readonly WriteOptions Own = new() { FieldManager = "fabrik", Force = true };

    public static async Task InstallAsync(KubernetesClient cluster, TimeProvider clock, CancellationToken ct)
    {
        foreach (var definition in CustomResources.All)
            foreach (var item in Manifest.Read(definition))
                await ApplyAsync(cluster, Kinds.CustomResourceDefinition, null, item, ct);
        await ApplyAsync(cluster, Kinds.Namespace, null, Object("v1", "Namespace", Names.SystemNamespace), ct);
        await ApplyAsync(cluster, Kinds.Namespace, null, Object("v1", "Namespace", Names.GatewayNamespace), ct);
        await PermitAsync(cluster, Names.SystemNamespace, Names.Objects.Reader, Names.Resources.Runs, ["get", "list"], ct);
        await PermitAsync(cluster, Names.GatewayNamespace, Names.Objects.Gateway, Names.Resources.Usage, ["create"], ct);
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

    /// <summary>A ServiceAccount that may use a resource of Fabrik's API, with a role and a binding of its name.</summary>
    private static async Task PermitAsync(KubernetesClient cluster, string ns, string name, string resource, string[] verbs, CancellationToken ct)
    {
        await ApplyAsync(cluster, Kinds.ServiceAccount, ns, Object("v1", "ServiceAccount", name), ct);
        var role = Object("rbac.authorization.k8s.io/v1", "ClusterRole", name);
        role["rules"] = new JsonArray(new JsonObject
        {
            ["apiGroups"] = new JsonArray(Names.Group),
            ["resources"] = new JsonArray(resource),
            ["verbs"] = new JsonArray([.. verbs.Select(verb => (JsonNode)verb)]),
        });
        await ApplyAsync(cluster, ClusterRole, null, role, ct);
        var binding = Object("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", name);
        binding["roleRef"] = new JsonObject { ["apiGroup"] = "rbac.authorization.k8s.io", ["kind"] = "ClusterRole", ["name"] = name };
        binding["subjects"] = new JsonArray(new JsonObject { ["kind"] = "ServiceAccount", ["name"] = name, ["namespace"] = ns });
        await ApplyAsync(cluster, ClusterRoleBinding, null, binding, ct);
    }

    private static ResourceKind ClusterRole { get; } = new("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", Namespaced: false);

    private static ResourceKind ClusterRoleBinding { get; } = new("rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", Namespaced: false);

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
