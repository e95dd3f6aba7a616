namespace Fabrik.Sandbox.Discovery;

/// <summary>The kinds that are there without a CustomResourceDefinition. Those of <c>apps</c> and the like are stored and nothing acts on them.</summary>
public static class BuiltInTypes
{
    public static readonly ResourceType Namespace = Cluster("", "v1", "namespaces", "Namespace", "ns") with
    {
        Verbs = [.. ResourceType.AllVerbs.Where(verb => verb != "deletecollection")],
        Subresources = [new("finalize", "", "v1", "Namespace", ["update"]), Status("", "v1", "Namespace")],
    };

    public static readonly ResourceType Node = Cluster("", "v1", "nodes", "Node", "no") with { Subresources = [new("proxy", "", "v1", "NodeProxyOptions", ["get"]), Status("", "v1", "Node")] };

    public static readonly ResourceType Pod = Namespaced("", "v1", "pods", "Pod", "po") with
    {
        Categories = ["all"],
        ReturnsDeleted = true,
        Subresources =
        [
            new("binding", "", "v1", "Binding", ["create"]),
            new("eviction", "policy", "v1", "Eviction", ["create"]),
            new("log", "", "v1", "Pod", ["get"]),
            new("portforward", "", "v1", "PodPortForwardOptions", ["create", "get"]),
            Status("", "v1", "Pod"),
        ],
    };

    public static readonly ResourceType Event = Namespaced("", "v1", "events", "Event", "ev") with { CreateOnUpdate = true };

    /// <summary>The same stored events, seen through the newer group.</summary>
    public static readonly ResourceType NewEvent =
        Namespaced("events.k8s.io", "v1", "events", "Event", "ev") with { CreateOnUpdate = true, Storage = Event.Storage };

    public static readonly ResourceType ConfigMap = Namespaced("", "v1", "configmaps", "ConfigMap", "cm");
    public static readonly ResourceType Secret = Namespaced("", "v1", "secrets", "Secret");

    public static readonly ResourceType ServiceAccount = Namespaced("", "v1", "serviceaccounts", "ServiceAccount", "sa") with
    {
        ReturnsDeleted = true,
        Subresources = [new("token", "authentication.k8s.io", "v1", "TokenRequest", ["create"])],
    };

    public static readonly ResourceType LimitRange = Namespaced("", "v1", "limitranges", "LimitRange", "limits");

    public static readonly ResourceType ResourceQuota =
        Namespaced("", "v1", "resourcequotas", "ResourceQuota", "quota").WithStatus() with { ReturnsDeleted = true };

    public static readonly ResourceType Job =
        Namespaced("batch", "v1", "jobs", "Job").WithStatus() with { Categories = ["all"] };

    public static readonly ResourceType CronJob =
        Namespaced("batch", "v1", "cronjobs", "CronJob", "cj").WithStatus() with { Categories = ["all"] };

    public static readonly ResourceType Lease = Namespaced("coordination.k8s.io", "v1", "leases", "Lease") with { CreateOnUpdate = true };
    public static readonly ResourceType Role = Namespaced(Rbac, "v1", "roles", "Role");
    public static readonly ResourceType RoleBinding = Namespaced(Rbac, "v1", "rolebindings", "RoleBinding");
    public static readonly ResourceType ClusterRole = Cluster(Rbac, "v1", "clusterroles", "ClusterRole");
    public static readonly ResourceType ClusterRoleBinding = Cluster(Rbac, "v1", "clusterrolebindings", "ClusterRoleBinding");

    public static readonly ResourceType MutatingWebhookConfiguration =
        Extension("admissionregistration.k8s.io", "mutatingwebhookconfigurations", "MutatingWebhookConfiguration");

    public static readonly ResourceType ValidatingWebhookConfiguration =
        Extension("admissionregistration.k8s.io", "validatingwebhookconfigurations", "ValidatingWebhookConfiguration");

    public static readonly ResourceType CustomResourceDefinition =
        Extension("apiextensions.k8s.io", "customresourcedefinitions", "CustomResourceDefinition", "crd", "crds").WithStatus();

    public static readonly ResourceType TokenReview = Review("authentication.k8s.io", "tokenreviews", "TokenReview");
    public static readonly ResourceType SelfSubjectReview = Review("authentication.k8s.io", "selfsubjectreviews", "SelfSubjectReview");
    public static readonly ResourceType SubjectAccessReview = Review("authorization.k8s.io", "subjectaccessreviews", "SubjectAccessReview");

    public static readonly ResourceType LocalSubjectAccessReview =
        Review("authorization.k8s.io", "localsubjectaccessreviews", "LocalSubjectAccessReview") with { Namespaced = true };

    public static readonly ResourceType SelfSubjectAccessReview =
        Review("authorization.k8s.io", "selfsubjectaccessreviews", "SelfSubjectAccessReview");

    public static readonly ResourceType SelfSubjectRulesReview =
        Review("authorization.k8s.io", "selfsubjectrulesreviews", "SelfSubjectRulesReview");

    public static readonly ResourceType Service = Namespaced("", "v1", "services", "Service", "svc").WithStatus() with { Categories = ["all"], ReturnsDeleted = true };

    public static readonly ResourceType EndpointSlice = Namespaced("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice");

    /// <summary>Made when asked for, from what the node plays.</summary>
    public static readonly ResourceType PodMetrics = Namespaced("metrics.k8s.io", "v1beta1", "pods", "PodMetrics") with { Verbs = ["get", "list"] };

    public static readonly ResourceType[] All =
    [
        Namespaced("", "v1", "bindings", "Binding") with { Verbs = ["create"] },
        ConfigMap,
        Namespaced("", "v1", "endpoints", "Endpoints", "ep") with { Singular = "endpoints", CreateOnUpdate = true },
        Event,
        LimitRange,
        Namespace,
        Node,
        Namespaced("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", "pvc").WithStatus(),
        Cluster("", "v1", "persistentvolumes", "PersistentVolume", "pv").WithStatus(),
        Pod,
        Namespaced("", "v1", "podtemplates", "PodTemplate"),
        Workload("", "replicationcontrollers", "ReplicationController", "rc"),
        ResourceQuota,
        Secret,
        ServiceAccount,
        Service,
        Namespaced("apps", "v1", "controllerrevisions", "ControllerRevision"),
        Workload("apps", "daemonsets", "DaemonSet", "ds"),
        Workload("apps", "deployments", "Deployment", "deploy"),
        Workload("apps", "replicasets", "ReplicaSet", "rs"),
        Workload("apps", "statefulsets", "StatefulSet", "sts"),
        NewEvent,
        SelfSubjectReview,
        TokenReview,
        LocalSubjectAccessReview,
        SelfSubjectAccessReview,
        SelfSubjectRulesReview,
        SubjectAccessReview,
        Namespaced("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", "hpa").WithStatus() with { Categories = ["all"] },
        CronJob,
        Job,
        PodMetrics,
        EndpointSlice,
        Namespaced("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy", "netpol"),
        Namespaced("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", "pdb").WithStatus(),
        ClusterRoleBinding,
        ClusterRole,
        RoleBinding,
        Role,
        Cluster("storage.k8s.io", "v1", "storageclasses", "StorageClass", "sc"),
        MutatingWebhookConfiguration,
        Extension("admissionregistration.k8s.io", "validatingadmissionpolicies", "ValidatingAdmissionPolicy").WithStatus(),
        Extension("admissionregistration.k8s.io", "validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding"),
        ValidatingWebhookConfiguration,
        CustomResourceDefinition,
        Cluster("scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass", "pc"),
        Lease,
        Cluster("node.k8s.io", "v1", "runtimeclasses", "RuntimeClass"),
    ];

    private const string Rbac = "rbac.authorization.k8s.io";

    private static ResourceType Namespaced(string group, string version, string plural, string kind, params string[] shortNames) =>
        new(group, version, plural, kind, Namespaced: true) { ShortNames = shortNames };

    private static ResourceType Cluster(string group, string version, string plural, string kind, params string[] shortNames) =>
        new(group, version, plural, kind, Namespaced: false) { ShortNames = shortNames };

    private static ResourceType Extension(string group, string plural, string kind, params string[] shortNames) =>
        Cluster(group, "v1", plural, kind, shortNames) with { Categories = ["api-extensions"] };

    private static ResourceType Workload(string group, string plural, string kind, params string[] shortNames) =>
        Namespaced(group, "v1", plural, kind, shortNames).WithStatus() with { Categories = ["all"] };

    private static ResourceType Review(string group, string plural, string kind) => Cluster(group, "v1", plural, kind) with { Verbs = ["create"] };

    private static SubresourceType Status(string group, string version, string kind) => new("status", group, version, kind, ResourceType.StatusVerbs);

    private static ResourceType WithStatus(this ResourceType type) => type with { Subresources = [Status(type.Group, type.Version, type.Kind)] };
}
