using System.Text.Json.Nodes;
using Fabrik.Sandbox.Schema;

namespace Fabrik.Sandbox.Validation;

/// <summary>
/// Whether an object may be stored, in the words of Kubernetes. Runs after defaults and <see cref="Lifecycle"/>. Empty when it may;
/// else make the answer with <see cref="FieldError.Refusal"/>. Objects of custom resources: <see cref="CustomSchema"/> too.
/// </summary>
public static class Validator
{
    private const string Immutable = "field is immutable";

    public static IReadOnlyList<FieldError> Create(JsonObject obj)
    {
        var errors = new List<FieldError>();
        MetaRules.Object(obj, errors);
        switch (Defaults.Group(obj), obj["kind"].String())
        {
            case ("batch", "Job"): JobRules.Job(obj, errors); break;
            case ("batch", "CronJob"): JobRules.CronJob(obj, errors); break;
            case ("", "Pod") when obj["spec"] is JsonObject spec: PodRules.Spec(spec, "spec", errors); break;
            case ("", "PodTemplate") when obj["template"] is JsonObject template: PodRules.Template(template, "template", errors); break;
            default: Others(obj, errors); break;
        }

        CustomRules.Check(obj, null, errors);
        return errors;
    }

    /// <param name="subresource">Null, or status and the like, whose writes are checked less.</param>
    public static IReadOnlyList<FieldError> Update(JsonObject obj, JsonObject old, string? subresource = null)
    {
        var errors = new List<FieldError>();
        MetaRules.Object(obj, errors);
        foreach (var name in (ReadOnlySpan<string>)["name", "namespace", "uid"])
        {
            if (obj.At("metadata", name).String() != old.At("metadata", name).String()) errors.Add(FieldError.Invalid("metadata." + name, obj.At("metadata", name).String() ?? "", Immutable));
        }

        CustomRules.Check(obj, old, errors);
        if (subresource is not null) return errors;
        switch (Defaults.Group(obj), obj["kind"].String())
        {
            case ("batch", "Job"): JobRules.JobUpdate(obj, old, errors); break;
            case ("batch", "CronJob"): JobRules.CronJob(obj, errors); break;
            case ("", "Pod"): PodUpdate(obj, old, errors); break;
            case ("", "ConfigMap" or "Secret"): Frozen(obj, old, errors); break;
            case ("rbac.authorization.k8s.io", "RoleBinding" or "ClusterRoleBinding"):
                Others(obj, errors);
                if (!JsonNode.DeepEquals(obj["roleRef"], old["roleRef"])) errors.Add(FieldError.Invalid("roleRef", obj["roleRef"], "cannot change roleRef"));
                break;
            default: Others(obj, errors); break;
        }

        return errors;
    }

    private static void Others(JsonObject obj, List<FieldError> errors)
    {
        switch (Defaults.Group(obj), obj["kind"].String())
        {
            case ("", "LimitRange" or "ResourceQuota"): Amounts(obj, errors); break;
            case ("", "ConfigMap" or "Secret"): Keys(obj, errors); break;
            case ("coordination.k8s.io", "Lease"):
                if (obj.At("spec", "leaseDurationSeconds").Long() is <= 0) errors.Add(FieldError.Invalid("spec.leaseDurationSeconds", obj.At("spec", "leaseDurationSeconds"), "must be greater than 0"));
                if (obj.At("spec", "leaseTransitions").Long() is < 0) errors.Add(FieldError.Invalid("spec.leaseTransitions", obj.At("spec", "leaseTransitions"), "must be greater than or equal to 0"));
                break;
            case ("admissionregistration.k8s.io", "MutatingWebhookConfiguration" or "ValidatingWebhookConfiguration"): WebhookRules.Check(obj, errors); break;
            case ("apiextensions.k8s.io", "CustomResourceDefinition"): DefinitionRules.Check(obj, errors); break;
            case ("rbac.authorization.k8s.io", "RoleBinding" or "ClusterRoleBinding"):
                if (obj.At("roleRef", "name").String() is null or "") errors.Add(FieldError.Required("roleRef.name"));
                break;
            default: break;
        }
    }

    private static void Keys(JsonObject obj, List<FieldError> errors)
    {
        foreach (var (key, _) in obj["data"] as JsonObject ?? [])
        {
            if (key.Length is 0 or > 253 || !key.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '-' or '_' or '.'))
            {
                errors.Add(FieldError.Invalid($"data[{key}]", key, "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"));
            }
        }
    }

    private static void Frozen(JsonObject obj, JsonObject old, List<FieldError> errors)
    {
        Keys(obj, errors);
        if (old["type"] is not null && !JsonNode.DeepEquals(obj["type"], old["type"])) errors.Add(FieldError.Invalid("type", obj["type"], Immutable));
        if (old["immutable"].Bool() != true) return;
        const string Why = "field is immutable when `immutable` is set";
        if (obj["immutable"].Bool() != true) errors.Add(FieldError.Forbidden("immutable", Why));
        foreach (var name in (ReadOnlySpan<string>)["data", "binaryData"])
        {
            if (!JsonNode.DeepEquals(obj[name], old[name])) errors.Add(FieldError.Forbidden(name, Why));
        }
    }

    private static void Amounts(JsonObject obj, List<FieldError> errors)
    {
        foreach (var (name, amount) in obj.At("spec", "hard") as JsonObject ?? [])
        {
            if (Quantity.TryParse(amount.String() ?? "", out var quantity, out _) && quantity.Billionths.Sign < 0)
            {
                errors.Add(FieldError.Invalid($"spec.hard[{name}]", amount.String()!, "must be greater than or equal to 0"));
            }
        }

        var at = 0;
        foreach (var item in obj.At("spec", "limits").Objects())
        {
            var path = $"spec.limits[{at++}]";
            foreach (var (name, least) in item["min"] as JsonObject ?? [])
            {
                if (item.At("max", name).String() is { } text && Quantity.TryParse(text, out var most, out _) && Quantity.TryParse(least.String() ?? "", out var minimum, out _) && minimum > most)
                {
                    errors.Add(FieldError.Invalid($"{path}.min[{name}]", minimum.ToString(), $"min value {minimum} is greater than max value {most}"));
                }
            }

            Ordered(item, path, "defaultRequest", "default request", errors);
            Ordered(item, path, "default", "default", errors);
        }
    }

    private static void Ordered(JsonObject item, string path, string name, string words, List<FieldError> errors)
    {
        foreach (var (resource, amount) in item[name] as JsonObject ?? [])
        {
            if (!Quantity.TryParse(amount.String() ?? "", out var value, out _)) continue;
            if (Amount(item, "min", resource) is { } least && least > value) Wrong(name == "default" ? least : value, $"min value {least} is greater than {words} value {value}");
            if (Amount(item, "max", resource) is { } most && value > most) Wrong(value, $"{words} value {value} is greater than max value {most}");
            if (name == "defaultRequest" && Amount(item, "default", resource) is { } limit && value > limit) Wrong(value, $"default request value {value} is greater than default limit value {limit}");

            void Wrong(Quantity shown, string detail) => errors.Add(FieldError.Invalid($"{path}.{name}[{resource}]", shown.ToString(), detail));
        }
    }

    private static Quantity? Amount(JsonObject item, string name, string resource) =>
        Quantity.TryParse(item.At(name, resource).String() ?? "", out var quantity, out _) ? quantity : null;

    private static void PodUpdate(JsonObject obj, JsonObject old, List<FieldError> errors)
    {
        if (obj["spec"] is not JsonObject spec || old["spec"] is not JsonObject before) return;
        PodRules.Spec(spec, "spec", errors);
        if (JsonNode.DeepEquals(Fixed(spec), Fixed(before))) return;
        errors.Add(FieldError.Forbidden(
            "spec",
            "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,"
                + "`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"));

        static JsonObject Fixed(JsonObject spec)
        {
            var copy = spec.DeepClone().AsObject();
            foreach (var name in (ReadOnlySpan<string>)["activeDeadlineSeconds", "tolerations", "schedulingGates"]) copy.Remove(name);
            foreach (var container in copy["containers"].Objects().Concat(copy["initContainers"].Objects())) container.Remove("image");
            return copy;
        }
    }
}
