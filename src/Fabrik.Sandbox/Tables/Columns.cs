using System.Text.Json.Nodes;
using Fabrik.Sandbox.Schema;

namespace Fabrik.Sandbox.Tables;

/// <summary>The columns of the built-in kinds.</summary>
internal static class Columns
{
    private const string None = "<none>";

    private static readonly Column Name = new("Name", "string", "Name of the object, unique within its namespace.", (obj, _) => obj.At("metadata", "name").String()) { Format = "name" };
    private static readonly Column Age = new("Age", "string", "Time since the server created the object.", (obj, now) => Ages.Since(obj.At("metadata", "creationTimestamp"), now));
    private static readonly Column CreatedAt = new("Created At", "date", "When the server created the object.", (obj, _) => obj.At("metadata", "creationTimestamp").String());

    private static readonly Column[] Default = [Name, CreatedAt];

    private static readonly Dictionary<(string Group, string Kind), Column[]> ByKind = new()
    {
        [("batch", "Job")] =
        [
            Name,
            new("Status", "string", "Whether the Job runs, has completed, failed or is suspended.", (job, _) => Jobs.Status(job)),
            new("Completions", "string", "Pods that succeeded, of those wanted.", (job, _) => Jobs.Completions(job)),
            new("Duration", "string", "Time from start to completion, or until now.", (job, now) => Jobs.Duration(job, now)),
            Age,
            .. Templates("spec", "template"),
        ],
        [("batch", "CronJob")] =
        [
            Name,
            new("Schedule", "string", "When Jobs start, in cron's grammar.", (obj, _) => obj.At("spec", "schedule").String()),
            new("Timezone", "string", "Time zone of the schedule; without one that of the controller.", (obj, _) => obj.At("spec", "timeZone").String() ?? None),
            new("Suspend", "boolean", "Whether no new Jobs start.", (obj, _) => obj.At("spec", "suspend").Bool() switch { true => "True", false => "False", null => "<unset>" }),
            new("Active", "integer", "Jobs that run now.", (obj, _) => (obj.At("status", "active") as JsonArray)?.Count ?? 0),
            new("Last Schedule", "string", "Time since a Job was last started.", (obj, now) => obj.At("status", "lastScheduleTime") is { } time ? Ages.Since(time, now) : None),
            Age,
            .. Templates("spec", "jobTemplate", "spec", "template"),
        ],
        [("", "Pod")] =
        [
            Name,
            new("Ready", "string", "Containers that are ready, of all.", (pod, now) => Pods.View(pod, now).Ready),
            new("Status", "string", "What the containers do, or why they do not run.", (pod, now) => Pods.View(pod, now).Status),
            new("Restarts", "string", "How often containers were restarted, and when last.", (pod, now) => Pods.View(pod, now).Restarts),
            Age,
            Wide("IP", "string", "Address of the Pod.", (pod, _) => Or(pod.At("status", "podIPs").Objects().FirstOrDefault()?["ip"] ?? pod.At("status", "podIP"))),
            Wide("Node", "string", "Node that the Pod was bound to.", (pod, _) => Or(pod.At("spec", "nodeName"))),
            Wide("Nominated Node", "string", "Node that may be freed for the Pod.", (pod, _) => Or(pod.At("status", "nominatedNodeName"))),
            Wide("Readiness Gates", "string", "Conditions of others that must hold before the Pod is ready.", (pod, _) => Pods.ReadinessGates(pod)),
        ],
        [("", "Namespace")] = [Name, new("Status", "string", "Active or Terminating.", (obj, _) => obj.At("status", "phase").String() ?? ""), Age],
        [("", "Node")] =
        [
            Name,
            new("Status", "string", "Whether the node takes Pods.", (node, _) => Nodes.Status(node)),
            new("Roles", "string", "Roles by the node's labels.", (node, _) => Nodes.Roles(node)),
            Age,
            new("Version", "string", "Version of the node's agent.", (node, _) => node.At("status", "nodeInfo", "kubeletVersion").String() ?? ""),
            Wide("Internal-IP", "string", "Address inside the cluster.", (node, _) => Nodes.Address(node, "InternalIP")),
            Wide("External-IP", "string", "Address outside.", (node, _) => Nodes.Address(node, "ExternalIP")),
            Wide("OS-Image", "string", "Operating system.", (node, _) => Known(node.At("status", "nodeInfo", "osImage"))),
            Wide("Kernel-Version", "string", "Kernel.", (node, _) => Known(node.At("status", "nodeInfo", "kernelVersion"))),
            Wide("Container-Runtime", "string", "What runs the containers.", (node, _) => Known(node.At("status", "nodeInfo", "containerRuntimeVersion"))),
        ],
        [("", "Event")] = EventColumns(),
        [("events.k8s.io", "Event")] = EventColumns(),
        [("", "ConfigMap")] = [Name, new("Data", "string", "Number of entries.", (obj, _) => $"{Count(obj["data"]) + Count(obj["binaryData"])}"), Age],
        [("", "Secret")] =
        [
            Name,
            new("Type", "string", "What the secret is for.", (obj, _) => obj["type"].String() ?? ""),
            new("Data", "string", "Number of entries.", (obj, _) => $"{Count(obj["data"])}"),
            Age,
        ],
        [("", "ServiceAccount")] = [Name, new("Secrets", "string", "Number of listed secrets.", (obj, _) => $"{Count(obj["secrets"])}"), Age],
        [("", "ResourceQuota")] =
        [
            Name,
            new("Request", "string", "Used and allowed requests.", (obj, _) => Quotas(obj, limits: false)),
            new("Limit", "string", "Used and allowed limits.", (obj, _) => Quotas(obj, limits: true)),
            Age,
        ],
        [("coordination.k8s.io", "Lease")] = [Name, new("Holder", "string", "Who holds the lease.", (obj, _) => obj.At("spec", "holderIdentity").String() ?? ""), Age],
        [("admissionregistration.k8s.io", "MutatingWebhookConfiguration")] = [Name, new("Webhooks", "integer", "Number of webhooks.", (obj, _) => Count(obj["webhooks"])), Age],
        [("admissionregistration.k8s.io", "ValidatingWebhookConfiguration")] = [Name, new("Webhooks", "integer", "Number of webhooks.", (obj, _) => Count(obj["webhooks"])), Age],
        [("rbac.authorization.k8s.io", "RoleBinding")] = Bindings(),
        [("rbac.authorization.k8s.io", "ClusterRoleBinding")] = Bindings(),
        [("node.k8s.io", "RuntimeClass")] = [Name, new("Handler", "string", "Handler of the runtime.", (obj, _) => obj["handler"].String() ?? ""), Age],
        [("scheduling.k8s.io", "PriorityClass")] =
        [
            Name,
            new("Value", "integer", "Priority of its Pods.", (obj, _) => obj["value"].Long() ?? 0),
            new("Global-Default", "boolean", "Whether Pods without a class get it.", (obj, _) => obj["globalDefault"].Bool() ?? false),
            Age,
            new("PreemptionPolicy", "string", "Whether its Pods may displace others.", (obj, _) => obj["preemptionPolicy"].String() ?? ""),
        ],
    };

    /// <summary>Of a built-in kind.</summary>
    public static Column[] Of(string group, string kind) => ByKind.GetValueOrDefault((group, kind)) ?? Default;

    /// <summary>Of a custom resource: its additionalPrinterColumns, or the age.</summary>
    public static Column[] Custom(JsonArray? printerColumns)
    {
        if (printerColumns is not { Count: > 0 }) return [Name, Age with { Type = "date" }];
        return [Name, .. printerColumns.OfType<JsonObject>().Select(FromDefinition)];
    }

    private static Column FromDefinition(JsonObject definition)
    {
        var path = JsonPath.Parse(definition["jsonPath"].String() ?? "");
        var type = definition["type"].String() ?? "string";
        return new(definition["name"].String() ?? "", type, definition["description"].String() ?? $"Value at {definition["jsonPath"].String()}.", Cell)
        {
            Format = definition["format"].String() ?? "",
            Priority = (int)(definition["priority"].Long() ?? 0),
        };

        JsonNode? Cell(JsonObject obj, DateTimeOffset now)
        {
            var value = path.Find(obj).FirstOrDefault();
            return (type, value) switch
            {
                (_, null) => null,
                ("date", _) => Ages.Since(value, now),
                ("string", JsonValue text) => text.String() ?? text.ToJsonString(),
                ("string", _) => Text.Compact(value),
                ("integer", _) => value.Long() is { } whole ? whole : null,
                ("number", _) => value is JsonValue number && number.GetValueKind() == System.Text.Json.JsonValueKind.Number ? number.DeepClone() : null,
                ("boolean", _) => value.Bool() is { } truth ? truth : null,
                _ => null,
            };
        }
    }

    private static Column Wide(string name, string type, string description, Func<JsonObject, DateTimeOffset, JsonNode?> cell) => new(name, type, description, cell) { Priority = 1 };

    private static Column[] Templates(params string[] path) =>
    [
        Wide("Containers", "string", "Names of the containers.", (obj, _) => string.Join(",", obj.At(path).At("spec", "containers").Objects().Select(one => one["name"].String()))),
        Wide("Images", "string", "Images of the containers.", (obj, _) => string.Join(",", obj.At(path).At("spec", "containers").Objects().Select(one => one["image"].String()))),
        Wide("Selector", "string", "Labels by which Pods are counted.", (obj, _) => Selector(obj.At(path.AsSpan(..^1)).At("selector") as JsonObject)),
    ];

    private static Column[] EventColumns() =>
    [
        new("Last Seen", "string", "Time since it was last seen.", (obj, now) => Events.LastSeen(obj, now)),
        new("Type", "string", "Normal or Warning.", (obj, _) => obj["type"].String() ?? ""),
        new("Reason", "string", "Why, in one word.", (obj, _) => obj["reason"].String() ?? ""),
        new("Object", "string", "What it is about.", (obj, _) => Events.Object(obj)),
        Wide("Subobject", "string", "Which part of the object.", (obj, _) => Events.Involved(obj)["fieldPath"].String() ?? ""),
        Wide("Source", "string", "Who reported it.", (obj, _) => Events.Source(obj)),
        new("Message", "string", "What happened.", (obj, _) => (obj["message"] ?? obj["note"]).String()?.Trim() ?? ""),
        Wide("First Seen", "string", "Time since it was first seen.", (obj, now) => Events.FirstSeen(obj, now)),
        Wide("Count", "integer", "How often it was seen.", (obj, _) => Events.Count(obj)),
        Wide("Name", "string", "Name of the event.", (obj, _) => obj.At("metadata", "name").String()),
    ];

    private static Column[] Bindings() =>
    [
        Name,
        new("Role", "string", "Role that is granted.", (obj, _) => $"{obj.At("roleRef", "kind").String()}/{obj.At("roleRef", "name").String()}"),
        Age,
        Wide("Users", "string", "Users it is granted to.", (obj, _) => Subjects(obj, "User")),
        Wide("Groups", "string", "Groups it is granted to.", (obj, _) => Subjects(obj, "Group")),
        Wide("ServiceAccounts", "string", "Service accounts it is granted to.", (obj, _) => Subjects(obj, "ServiceAccount")),
    ];

    private static string Subjects(JsonObject binding, string kind) => string.Join(", ", binding["subjects"].Objects().Where(subject => subject["kind"].String() == kind)
        .Select(subject => kind == "ServiceAccount" ? $"{subject["namespace"].String()}/{subject["name"].String()}" : subject["name"].String()));

    private static string Selector(JsonObject? selector)
    {
        if (selector is null) return None;
        var parts = (selector["matchLabels"] as JsonObject ?? []).OrderBy(label => label.Key, StringComparer.Ordinal).Select(label => $"{label.Key}={label.Value.String()}")
            .Concat(selector["matchExpressions"].Objects().Select(expression => expression["operator"].String() switch
            {
                "Exists" => expression["key"].String()!,
                "DoesNotExist" => "!" + expression["key"].String(),
                var operation => $"{expression["key"].String()} {operation?.ToLowerInvariant()} ({string.Join(",", (expression["values"] as JsonArray ?? []).Select(value => value.String()))})",
            }));
        return string.Join(",", parts) is { Length: > 0 } text ? text : None;
    }

    private static string Quotas(JsonObject quota, bool limits) => string.Join(", ", (quota.At("status", "hard") as JsonObject ?? quota.At("spec", "hard") as JsonObject ?? [])
        .Where(entry => entry.Key.StartsWith("limits.", StringComparison.Ordinal) == limits).OrderBy(entry => entry.Key, StringComparer.Ordinal)
        .Select(entry => $"{entry.Key}: {quota.At("status", "used", entry.Key).String() ?? "0"}/{entry.Value.String()}"));

    private static int Count(JsonNode? node) => node switch { JsonObject map => map.Count, JsonArray list => list.Count, _ => 0 };

    private static string Or(JsonNode? node) => node.String() is { Length: > 0 } text ? text : None;

    private static string Known(JsonNode? node) => node.String() is { Length: > 0 } text ? text : Ages.Unknown;
}
