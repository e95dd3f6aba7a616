using System.Text.Json.Nodes;
using Fabrik.Sandbox.Schema;

namespace Fabrik.Sandbox.Validation;

/// <summary>What the API server fills in when it reads an object: on every write, before and after webhooks. Idempotent.</summary>
public static class Defaults
{
    /// <summary>Changes the object in place. Kinds without defaults stay as they are.</summary>
    public static void Apply(JsonObject obj)
    {
        var spec = obj["spec"] as JsonObject;
        switch (Group(obj), obj["kind"].String())
        {
            case ("batch", "Job"): Job(obj, obj.Child("spec")); break;
            case ("batch", "CronJob"): CronJob(obj.Child("spec")); break;
            case ("", "Pod"): PodDefaults.Pod(obj.Child("spec")); break;
            case ("", "PodTemplate") when obj["template"] is JsonObject template: PodDefaults.Template(template); break;
            case ("", "ReplicationController") or ("apps", _) when spec.At("template") is JsonObject pods: Workload(obj, spec!, pods); break;
            case ("", "Namespace"): Namespace(obj); break;
            case ("", "Secret"): Set(obj, "type", "Opaque"); break;
            case ("", "PersistentVolumeClaim") when spec is not null: Set(spec, "volumeMode", "Filesystem"); break;
            case ("", "LimitRange"):
                foreach (var item in spec?["limits"].Objects() ?? []) LimitRangeItem(item);
                break;
            case ("", "Service") when spec is not null: Service(spec); break;
            case ("admissionregistration.k8s.io", "MutatingWebhookConfiguration" or "ValidatingWebhookConfiguration"):
                foreach (var webhook in obj["webhooks"].Objects()) Webhook(webhook, obj["kind"].String() == "MutatingWebhookConfiguration");
                break;
            case ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy") when spec is not null: AdmissionPolicy(spec); break;
            case ("apiextensions.k8s.io", "CustomResourceDefinition") when spec is not null: Definition(spec); break;
            case ("rbac.authorization.k8s.io", "RoleBinding" or "ClusterRoleBinding"): Binding(obj); break;
            case ("scheduling.k8s.io", "PriorityClass"): Set(obj, "preemptionPolicy", "PreemptLowerPriority"); break;
            case ("authentication.k8s.io", "TokenRequest"): Set(obj.Child("spec"), "expirationSeconds", 3600); break;
            default: break;
        }
    }

    internal static string Group(JsonObject obj) =>
        obj["apiVersion"].String() is { } text && text.IndexOf('/', StringComparison.Ordinal) is > 0 and var slash ? text[..slash] : "";

    internal static void Set(JsonObject target, string name, JsonNode value)
    {
        if (target[name] is null || target[name].String() is "") target[name] = value;
    }

    private static void Job(JsonObject job, JsonObject spec)
    {
        if (spec["completions"] is null && spec["parallelism"] is null) spec["completions"] = 1;
        Set(spec, "parallelism", 1);
        Set(spec, "backoffLimit", spec["backoffLimitPerIndex"] is null ? 6 : int.MaxValue);
        Set(spec, "completionMode", "NonIndexed");
        Set(spec, "suspend", false);
        Set(spec, "manualSelector", false);
        Set(spec, "podReplacementPolicy", spec["podFailurePolicy"] is null ? "TerminatingOrFailed" : "Failed");
        FailurePolicy(spec);
        var template = spec.Child("template");
        PodDefaults.Template(template);
        if (template.At("metadata", "labels") is JsonObject { Count: > 0 } labels && job.At("metadata", "labels") is null or JsonObject { Count: 0 })
        {
            job.Child("metadata")["labels"] = labels.DeepClone();
        }
    }

    private static void FailurePolicy(JsonObject spec)
    {
        foreach (var rule in spec.At("podFailurePolicy", "rules").Objects())
        {
            foreach (var pattern in rule["onPodConditions"].Objects()) Set(pattern, "status", "True");
        }
    }

    // The Job inside gets its own defaults when it is created; here only its Pod template does.
    private static void CronJob(JsonObject spec)
    {
        Set(spec, "concurrencyPolicy", "Allow");
        Set(spec, "suspend", false);
        Set(spec, "successfulJobsHistoryLimit", 3);
        Set(spec, "failedJobsHistoryLimit", 1);
        var job = spec.Child("jobTemplate").Child("spec");
        FailurePolicy(job);
        PodDefaults.Template(job.Child("template"));
    }

    private static void Workload(JsonObject obj, JsonObject spec, JsonObject template)
    {
        PodDefaults.Template(template);
        if (obj["kind"].String() != "DaemonSet") Set(spec, "replicas", 1);
        switch (obj["kind"].String())
        {
            case "Deployment":
                Set(spec, "progressDeadlineSeconds", 600);
                Set(spec, "revisionHistoryLimit", 10);
                var strategy = spec.Child("strategy");
                Set(strategy, "type", "RollingUpdate");
                if (strategy["type"].String() == "RollingUpdate")
                {
                    Set(strategy.Child("rollingUpdate"), "maxUnavailable", "25%");
                    Set(strategy.Child("rollingUpdate"), "maxSurge", "25%");
                }

                break;
            case "StatefulSet" or "DaemonSet":
                Set(spec, "revisionHistoryLimit", 10);
                Set(spec.Child("updateStrategy"), "type", "RollingUpdate");
                break;
            default: break;
        }
    }

    private static void Namespace(JsonObject obj)
    {
        if (obj.At("metadata", "name").String() is { Length: > 0 } name) obj.Child("metadata").Child("labels")[Names.Labels.NamespaceName] = name;
        Set(obj.Child("status"), "phase", "Active");
    }

    // An omitted default is the maximum, an omitted default request the default, else the minimum.
    private static void LimitRangeItem(JsonObject item)
    {
        if (item["type"].String() != "Container") return;
        Fill("default", "max");
        Fill("defaultRequest", "default");
        Fill("defaultRequest", "min");

        void Fill(string to, string from)
        {
            foreach (var (name, amount) in item[from] as JsonObject ?? [])
            {
                if (item[to]?[name] is null) item.Child(to)[name] = amount?.DeepClone();
            }
        }
    }

    private static void Service(JsonObject spec)
    {
        Set(spec, "type", "ClusterIP");
        Set(spec, "sessionAffinity", "None");
        Set(spec, "internalTrafficPolicy", "Cluster");
        foreach (var port in spec["ports"].Objects())
        {
            Set(port, "protocol", "TCP");
            if (port["targetPort"] is null || port["targetPort"].Long() == 0) port["targetPort"] = port["port"]?.DeepClone();
        }
    }

    private static void Webhook(JsonObject webhook, bool mutating)
    {
        Set(webhook, "failurePolicy", "Fail");
        Set(webhook, "matchPolicy", "Equivalent");
        Set(webhook, "namespaceSelector", new JsonObject());
        Set(webhook, "objectSelector", new JsonObject());
        Set(webhook, "timeoutSeconds", 10);
        if (mutating) Set(webhook, "reinvocationPolicy", "Never");
        foreach (var rule in webhook["rules"].Objects()) Set(rule, "scope", "*");
        if (webhook.At("clientConfig", "service") is JsonObject service) Set(service, "port", 443);
    }

    private static void AdmissionPolicy(JsonObject spec)
    {
        Set(spec, "failurePolicy", "Fail");
        if (spec["matchConstraints"] is not JsonObject match) return;
        Set(match, "matchPolicy", "Equivalent");
        Set(match, "namespaceSelector", new JsonObject());
        Set(match, "objectSelector", new JsonObject());
        foreach (var rule in match["resourceRules"].Objects()) Set(rule, "scope", "*");
    }

    private static void Definition(JsonObject spec)
    {
        var names = spec.Child("names");
        var kind = names["kind"].String() ?? "";
        Set(names, "singular", kind.ToLowerInvariant());
        Set(names, "listKind", kind + "List");
        Set(spec.Child("conversion"), "strategy", "None");
    }

    private static void Binding(JsonObject obj)
    {
        const string Rbac = "rbac.authorization.k8s.io";
        if (obj["roleRef"] is JsonObject role) Set(role, "apiGroup", Rbac);
        foreach (var subject in obj["subjects"].Objects())
        {
            if (subject["kind"].String() is "User" or "Group") Set(subject, "apiGroup", Rbac);
        }
    }
}
