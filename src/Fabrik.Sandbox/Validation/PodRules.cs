using System.Text.Json.Nodes;
using Fabrik.Sandbox.Schema;

namespace Fabrik.Sandbox.Validation;

/// <summary>Rules of a Pod's spec, wherever it stands.</summary>
internal static class PodRules
{
    private static readonly string[] PullPolicies = ["Always", "IfNotPresent", "Never"];
    private static readonly string[] Effects = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

    public static void Template(JsonObject template, string field, List<FieldError> errors)
    {
        MetaRules.Labels(template.At("metadata", "labels"), field + ".labels", errors);
        MetaRules.Annotations(template.At("metadata", "annotations"), field + ".annotations", errors);
        if (template["spec"] is JsonObject spec) Spec(spec, field + ".spec", errors);
    }

    public static void Spec(JsonObject spec, string field, List<FieldError> errors)
    {
        var volumes = Volumes(spec, field, errors);
        var names = new HashSet<string>(StringComparer.Ordinal);
        if (spec["containers"] is not JsonArray { Count: > 0 }) errors.Add(FieldError.Required(field + ".containers"));
        Containers(spec["containers"], field + ".containers", names, volumes, errors);
        Containers(spec["initContainers"], field + ".initContainers", names, volumes, errors);

        OneOf(spec, "restartPolicy", field, errors, "Always", "OnFailure", "Never");
        OneOf(spec, "dnsPolicy", field, errors, "ClusterFirstWithHostNet", "ClusterFirst", "Default", "None");
        if (spec["activeDeadlineSeconds"].Long() is <= 0 and var deadline)
        {
            errors.Add(FieldError.Invalid(field + ".activeDeadlineSeconds", JsonValue.Create(deadline), "must be between 1 and 2147483647, inclusive"));
        }

        MetaRules.Labels(spec["nodeSelector"], field + ".nodeSelector", errors);
        Tolerations(spec["tolerations"], field + ".tolerations", errors);
        if (spec["serviceAccountName"].String() is { Length: > 0 } account && MetaRules.SubdomainError(account) is { } wrong) errors.Add(FieldError.Invalid(field + ".serviceAccountName", account, wrong));
        if (spec["runtimeClassName"].String() is { } runtime && MetaRules.SubdomainError(runtime) is { } bad) errors.Add(FieldError.Invalid(field + ".runtimeClassName", runtime, bad));
        if (spec["preemptionPolicy"].String() is { } preemption && preemption is not ("Never" or "PreemptLowerPriority"))
        {
            errors.Add(FieldError.NotSupported(field + ".preemptionPolicy", preemption, "Never", "PreemptLowerPriority"));
        }
    }

    public static void NotNegative(JsonObject holder, string name, string field, List<FieldError> errors)
    {
        if (holder[name].Long() is < 0 and var value) errors.Add(FieldError.Invalid($"{field}.{name}", JsonValue.Create(value), "must be greater than or equal to 0"));
    }

    public static void OneOf(JsonObject holder, string name, string field, List<FieldError> errors, params string[] values)
    {
        if (holder[name].String() is { } value && !values.Contains(value)) errors.Add(FieldError.NotSupported($"{field}.{name}", value, values));
    }

    private static void Containers(JsonNode? list, string field, HashSet<string> names, HashSet<string> volumes, List<FieldError> errors)
    {
        var at = 0;
        foreach (var container in list.Objects())
        {
            var path = $"{field}[{at++}]";
            var name = container["name"].String() ?? "";
            if (name.Length == 0) errors.Add(FieldError.Required(path + ".name"));
            else if (MetaRules.LabelError(name) is { } wrong) errors.Add(FieldError.Invalid(path + ".name", name, wrong));
            else if (!names.Add(name)) errors.Add(FieldError.Duplicate(path + ".name", name));
            if (container["image"].String() is null or "") errors.Add(FieldError.Required(path + ".image"));
            Ports(container["ports"], path + ".ports", errors);
            Environment(container["env"], path + ".env", errors);
            Mounts(container["volumeMounts"], path + ".volumeMounts", volumes, errors);
            OneOf(container, "imagePullPolicy", path, errors, PullPolicies);
            OneOf(container, "terminationMessagePolicy", path, errors, "File", "FallbackToLogsOnError");
            if (container["resources"] is JsonObject resources) Resources(resources, path + ".resources", errors);
        }
    }

    private static void Resources(JsonObject resources, string field, List<FieldError> errors)
    {
        var limits = resources["limits"] as JsonObject ?? [];
        foreach (var (name, amount) in limits) Amount(name, amount, $"{field}.limits", errors);
        foreach (var (name, amount) in resources["requests"] as JsonObject ?? [])
        {
            if (Amount(name, amount, $"{field}.requests", errors) is not { } request) continue;
            if (limits[name].String() is { } text && Quantity.TryParse(text, out var limit, out _))
            {
                if (request > limit) errors.Add(FieldError.Invalid(field + ".requests", request.ToString(), $"must be less than or equal to {name} limit of {limit}"));
            }
            else if (name.Contains('/', StringComparison.Ordinal))
            {
                errors.Add(FieldError.Required(field + ".limits", "Limit must be set for non overcommitable resources"));
            }
        }
    }

    private static Quantity? Amount(string name, JsonNode? amount, string field, List<FieldError> errors)
    {
        if (MetaRules.QualifiedNameError(name) is { } wrong) errors.Add(FieldError.Invalid($"{field}[{name}]", name, wrong));
        else if (!name.Contains('/', StringComparison.Ordinal) && name is not ("cpu" or "memory" or "ephemeral-storage") && !name.StartsWith("hugepages-", StringComparison.Ordinal))
        {
            errors.Add(FieldError.Invalid($"{field}[{name}]", name, "must be a standard resource type or fully qualified"));
            errors.Add(FieldError.Invalid($"{field}[{name}]", name, "must be a standard resource for containers"));
        }

        if (amount.String() is not { } text || !Quantity.TryParse(text, out var quantity, out _)) return null;
        if (quantity.Billionths.Sign < 0) errors.Add(FieldError.Invalid($"{field}[{name}]", text, "must be greater than or equal to 0"));
        if (name.Contains('/', StringComparison.Ordinal) && !quantity.IsWhole) errors.Add(FieldError.Invalid($"{field}[{name}]", text, "must be an integer"));
        return quantity;
    }

    private static void Ports(JsonNode? ports, string field, List<FieldError> errors)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        var at = 0;
        foreach (var port in ports.Objects())
        {
            var path = $"{field}[{at++}]";
            if (port["name"].String() is { Length: > 0 } name && !names.Add(name)) errors.Add(FieldError.Duplicate(path + ".name", name));
            switch (port["containerPort"].Long())
            {
                case null or 0: errors.Add(FieldError.Required(path + ".containerPort")); break;
                case < 1 or > 65535: errors.Add(FieldError.Invalid(path + ".containerPort", port["containerPort"], "must be between 1 and 65535, inclusive")); break;
                default: break;
            }

            OneOf(port, "protocol", path, errors, "SCTP", "TCP", "UDP");
        }
    }

    private static void Environment(JsonNode? variables, string field, List<FieldError> errors)
    {
        var at = 0;
        foreach (var variable in variables.Objects())
        {
            var path = $"{field}[{at++}]";
            var name = variable["name"].String() ?? "";
            if (name.Length == 0) errors.Add(FieldError.Required(path + ".name"));
            else if (name.Contains('=', StringComparison.Ordinal) || name.Any(letter => letter is < ' ' or > '~'))
            {
                errors.Add(FieldError.Invalid(path + ".name", name, "a valid environment variable name must consist only of printable ASCII characters other than '='"));
            }

            if (variable["valueFrom"] is not JsonObject source) continue;
            if (source.Count == 0) errors.Add(FieldError.Invalid(path + ".valueFrom", "", "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"));
            else if (variable["value"].String() is { Length: > 0 }) errors.Add(FieldError.Invalid(path + ".valueFrom", "", "may not be specified when `value` is not empty"));
            else if (source.Count > 1) errors.Add(FieldError.Invalid(path + ".valueFrom", "", "may not have more than one field specified at a time"));
            foreach (var kind in (ReadOnlySpan<string>)["configMapKeyRef", "secretKeyRef"])
            {
                if (source[kind] is not JsonObject reference) continue;
                if (reference["name"].String() is null or "") errors.Add(FieldError.Required($"{path}.valueFrom.{kind}.name"));
                if (reference["key"].String() is null or "") errors.Add(FieldError.Required($"{path}.valueFrom.{kind}.key"));
            }
        }
    }

    private static void Mounts(JsonNode? mounts, string field, HashSet<string> volumes, List<FieldError> errors)
    {
        var paths = new HashSet<string>(StringComparer.Ordinal);
        var at = 0;
        foreach (var mount in mounts.Objects())
        {
            var path = $"{field}[{at++}]";
            var name = mount["name"].String() ?? "";
            if (name.Length == 0) errors.Add(FieldError.Required(path + ".name"));
            else if (!volumes.Contains(name)) errors.Add(FieldError.NotFound(path + ".name", name));
            var place = mount["mountPath"].String() ?? "";
            if (place.Length == 0) errors.Add(FieldError.Required(path + ".mountPath"));
            else if (!paths.Add(place)) errors.Add(FieldError.Invalid(path + ".mountPath", place, "must be unique"));
        }
    }

    private static HashSet<string> Volumes(JsonObject spec, string field, List<FieldError> errors)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        var at = 0;
        foreach (var volume in spec["volumes"].Objects())
        {
            var path = $"{field}.volumes[{at++}]";
            var name = volume["name"].String() ?? "";
            if (name.Length == 0) errors.Add(FieldError.Required(path + ".name"));
            else if (MetaRules.LabelError(name) is { } wrong) errors.Add(FieldError.Invalid(path + ".name", name, wrong));
            else if (!names.Add(name)) errors.Add(FieldError.Duplicate(path + ".name", name));
            foreach (var surplus in volume.Select(entry => entry.Key).Where(key => key != "name").OrderBy(key => key == "emptyDir" ? 0 : 1).Skip(1))
            {
                errors.Add(FieldError.Forbidden($"{path}.{surplus}", "may not specify more than 1 volume type"));
            }
        }

        return names;
    }

    private static void Tolerations(JsonNode? tolerations, string field, List<FieldError> errors)
    {
        var at = 0;
        foreach (var toleration in tolerations.Objects())
        {
            var path = $"{field}[{at++}]";
            var key = toleration["key"].String() ?? "";
            var operation = toleration["operator"].String() ?? "";
            if (key.Length > 0 && MetaRules.QualifiedNameError(key) is { } wrong) errors.Add(FieldError.Invalid(path + ".key", key, wrong));
            if (key.Length == 0 && operation != "Exists") errors.Add(FieldError.Invalid(path + ".operator", operation, "operator must be Exists when `key` is empty, which means \"match all values and all keys\""));
            if (toleration["tolerationSeconds"] is not null && toleration["effect"].String() != "NoExecute")
            {
                errors.Add(FieldError.Invalid(path + ".effect", toleration["effect"].String() ?? "", "effect must be 'NoExecute' when `tolerationSeconds` is set"));
            }

            if (operation == "Exists" && toleration["value"].String() is { Length: > 0 } value) errors.Add(FieldError.Invalid(path + ".operator", value, "value must be empty when `operator` is 'Exists'"));
            else if (operation is not ("" or "Equal" or "Exists" or "Gt" or "Lt")) errors.Add(FieldError.NotSupported(path + ".operator", operation, "Equal", "Exists"));
            if (toleration["effect"].String() is { Length: > 0 } effect && !Effects.Contains(effect)) errors.Add(FieldError.NotSupported(path + ".effect", effect, Effects));
        }
    }
}
