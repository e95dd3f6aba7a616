using System.Text.Json.Nodes;
using Fabrik.Sandbox.Discovery;
using Fabrik.Sandbox.Store;

namespace Fabrik.Sandbox.Server;

/// <summary>What is there before the first request, and what every new namespace gets.</summary>
public static class Bootstrap
{
    private static readonly string[] Namespaces = ["default", "kube-node-lease", "kube-public", "kube-system", Names.SystemNamespace];

    public static void Fill(Cluster cluster)
    {
        foreach (var name in Namespaces)
        {
            Put(cluster, BuiltInTypes.Namespace, Named(name));
            FillNamespace(cluster, name);
        }

        Role(cluster, "cluster-admin", [Rule(["*"], ["*"], ["*"]), new() { ["nonResourceURLs"] = new JsonArray("*"), ["verbs"] = new JsonArray("*") }]);
        Role(cluster, "admin", [Rule(["", "batch", "apps", "events.k8s.io"], ["*"], ["*"]), Rule(["rbac.authorization.k8s.io"], ["roles", "rolebindings"], ["*"])]);
        Role(cluster, "edit", [Rule(["", "batch", "apps", "events.k8s.io"], ["*"], ["*"])]);
        Role(cluster, "view", [Rule(
            ["", "batch", "apps", "events.k8s.io"],
            ["configmaps", "cronjobs", "cronjobs/status", "deployments", "events", "jobs", "jobs/status", "limitranges", "namespaces", "pods", "pods/log", "pods/status", "resourcequotas", "serviceaccounts", "services"],
            ["get", "list", "watch"]), Rule(["metrics.k8s.io"], ["pods"], ["get", "list"])]);
        var binding = Named("cluster-admin");
        binding["roleRef"] = new JsonObject { ["apiGroup"] = "rbac.authorization.k8s.io", ["kind"] = "ClusterRole", ["name"] = "cluster-admin" };
        binding["subjects"] = new JsonArray(new JsonObject { ["apiGroup"] = "rbac.authorization.k8s.io", ["kind"] = "Group", ["name"] = Access.Identity.Masters });
        Put(cluster, BuiltInTypes.ClusterRoleBinding, binding);
    }

    /// <summary>The ServiceAccount <c>default</c> and the ConfigMap with the certificate authority.</summary>
    public static void FillNamespace(Cluster cluster, string ns)
    {
        Put(cluster, BuiltInTypes.ServiceAccount, Named("default", ns));
        var root = Named("kube-root-ca.crt", ns);
        root.Metadata()["annotations"] = new JsonObject
        {
            ["kubernetes.io/description"] = "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc.",
        };
        root["data"] = new JsonObject { ["ca.crt"] = cluster.CaPem };
        Put(cluster, BuiltInTypes.ConfigMap, root);
    }

    private static JsonObject Named(string name, string? ns = null)
    {
        var metadata = new JsonObject { ["name"] = name };
        if (ns is not null) metadata["namespace"] = ns;
        return new() { ["metadata"] = metadata };
    }

    private static void Role(Cluster cluster, string name, JsonObject[] rules)
    {
        var role = Named(name);
        role["rules"] = new JsonArray([.. rules]);
        Put(cluster, BuiltInTypes.ClusterRole, role);
    }

    private static JsonObject Rule(string[] groups, string[] resources, string[] verbs) => new()
    {
        ["apiGroups"] = Array(groups),
        ["resources"] = Array(resources),
        ["verbs"] = Array(verbs),
    };

    private static JsonArray Array(string[] values) => [.. values.Select(value => (JsonNode)value)];

    private static void Put(Cluster cluster, ResourceType type, JsonObject content)
    {
        content["kind"] = type.Kind;
        content["apiVersion"] = type.ApiVersion;
        var metadata = content.Metadata();
        metadata["uid"] = Guid.NewGuid().ToString();
        metadata["creationTimestamp"] = cluster.Now();
        Strategy.PrepareForCreate(type, content, cluster.Now());
        // Null when it is there already: somebody else made it, which is as good.
        cluster.Store.Put(type, content, null);
    }
}
