namespace Fabrik.Kubernetes;

/// <summary>The kinds that Fabrik reads or writes.</summary>
public static class Kinds
{
    public static readonly ResourceKind Namespace = new("", "v1", "namespaces", "Namespace", false);
    public static readonly ResourceKind Node = new("", "v1", "nodes", "Node", false);
    public static readonly ResourceKind Pod = new("", "v1", "pods", "Pod", true);
    public static readonly ResourceKind Event = new("", "v1", "events", "Event", true);
    public static readonly ResourceKind ConfigMap = new("", "v1", "configmaps", "ConfigMap", true);
    public static readonly ResourceKind Secret = new("", "v1", "secrets", "Secret", true);
    public static readonly ResourceKind ServiceAccount = new("", "v1", "serviceaccounts", "ServiceAccount", true);
    public static readonly ResourceKind Service = new("", "v1", "services", "Service", true);
    public static readonly ResourceKind PersistentVolumeClaim = new("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", true);
    public static readonly ResourceKind Deployment = new("apps", "v1", "deployments", "Deployment", true);
    public static readonly ResourceKind StatefulSet = new("apps", "v1", "statefulsets", "StatefulSet", true);
    public static readonly ResourceKind EndpointSlice = new("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", true);
    public static readonly ResourceKind StorageClass = new("storage.k8s.io", "v1", "storageclasses", "StorageClass", false);
    public static readonly ResourceKind RuntimeClass = new("node.k8s.io", "v1", "runtimeclasses", "RuntimeClass", false);
    public static readonly ResourceKind NetworkPolicy = new("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy", true);
    public static readonly ResourceKind ValidatingAdmissionPolicy = new("admissionregistration.k8s.io", "v1", "validatingadmissionpolicies", "ValidatingAdmissionPolicy", false);
    public static readonly ResourceKind ValidatingAdmissionPolicyBinding = new("admissionregistration.k8s.io", "v1", "validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding", false);
    public static readonly ResourceKind LimitRange = new("", "v1", "limitranges", "LimitRange", true);
    public static readonly ResourceKind ResourceQuota = new("", "v1", "resourcequotas", "ResourceQuota", true);
    public static readonly ResourceKind Job = new("batch", "v1", "jobs", "Job", true);
    public static readonly ResourceKind CronJob = new("batch", "v1", "cronjobs", "CronJob", true);
    public static readonly ResourceKind RoleBinding = new("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding", true);
    public static readonly ResourceKind ReplicaSet = new("apps", "v1", "replicasets", "ReplicaSet", true);
    public static readonly ResourceKind PersistentVolume = new("", "v1", "persistentvolumes", "PersistentVolume", false);
    public static readonly ResourceKind Lease = new("coordination.k8s.io", "v1", "leases", "Lease", true);
    public static readonly ResourceKind PodMetrics = new("metrics.k8s.io", "v1beta1", "pods", "PodMetrics", true);
    public static readonly ResourceKind OptimizationChange = new(Names.Group, "v1", "optimizationchanges", "OptimizationChange", true);
    public static readonly ResourceKind OptimizerPolicy = new(Names.Group, "v1", "optimizerpolicies", "OptimizerPolicy", false);
    public static readonly ResourceKind CustomResourceDefinition = new("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", false);
    public static readonly ResourceKind MutatingWebhookConfiguration = new("admissionregistration.k8s.io", "v1", "mutatingwebhookconfigurations", "MutatingWebhookConfiguration", false);
    public static readonly ResourceKind Certificate = new("cert-manager.io", "v1", "certificates", "Certificate", true);
    public static readonly ResourceKind Issuer = new("cert-manager.io", "v1", "issuers", "Issuer", true);
    public static readonly ResourceKind TokenReview = new("authentication.k8s.io", "v1", "tokenreviews", "TokenReview", false);
    public static readonly ResourceKind SubjectAccessReview = new("authorization.k8s.io", "v1", "subjectaccessreviews", "SubjectAccessReview", false);
    public static readonly ResourceKind SelfSubjectAccessReview = new("authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", false);
    public static readonly ResourceKind SelfSubjectReview = new("authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview", false);
}
