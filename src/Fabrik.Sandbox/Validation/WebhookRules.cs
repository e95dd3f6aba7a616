using System.Text.Json.Nodes;
using Fabrik.Sandbox.Schema;

namespace Fabrik.Sandbox.Validation;

/// <summary>Rules of admission webhook configurations.</summary>
internal static class WebhookRules
{
    public static void Check(JsonObject obj, List<FieldError> errors)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        var at = 0;
        foreach (var webhook in obj["webhooks"].Objects())
        {
            var path = $"webhooks[{at++}]";
            var name = webhook["name"].String() ?? "";
            if (name.Length == 0) errors.Add(FieldError.Required(path + ".name"));
            else if (MetaRules.SubdomainError(name) is { } wrong) errors.Add(FieldError.Invalid(path + ".name", name, wrong));
            else if (name.Count(letter => letter == '.') < 2) errors.Add(FieldError.Invalid(path + ".name", name, "should be a domain with at least three segments separated by dots"));
            else if (!names.Add(name)) errors.Add(FieldError.Duplicate(path + ".name", name));
            PodRules.OneOf(webhook, "failurePolicy", path, errors, "Fail", "Ignore");
            PodRules.OneOf(webhook, "matchPolicy", path, errors, "Equivalent", "Exact");
            PodRules.OneOf(webhook, "reinvocationPolicy", path, errors, "IfNeeded", "Never");
            var effects = webhook["sideEffects"].String();
            if (effects is null) errors.Add(FieldError.Required(path + ".sideEffects", "must specify one of None, NoneOnDryRun"));
            else PodRules.OneOf(webhook, "sideEffects", path, errors, "None", "NoneOnDryRun");
            if (webhook["timeoutSeconds"].Long() is < 1 or > 30) errors.Add(FieldError.Invalid(path + ".timeoutSeconds", webhook["timeoutSeconds"], "the timeout value must be between 1 and 30 seconds"));
            MetaRules.Selector(webhook["namespaceSelector"], path + ".namespaceSelector", errors);
            MetaRules.Selector(webhook["objectSelector"], path + ".objectSelector", errors);
            var client = webhook["clientConfig"] as JsonObject;
            if (client?["url"] is null == client?["service"] is null) errors.Add(FieldError.Required(path + ".clientConfig", "exactly one of url or service is required"));
            else if (client?["url"].String() is { } url && !url.StartsWith("https://", StringComparison.Ordinal)) errors.Add(FieldError.Invalid(path + ".clientConfig.url", url.Split(':')[0], "'https' is the only allowed URL scheme; desired format: https://host[/path]"));
            var versions = webhook["admissionReviewVersions"] as JsonArray;
            if (versions is not { Count: > 0 }) errors.Add(FieldError.Required(path + ".admissionReviewVersions", "must specify one of v1, v1beta1"));
            else if (!versions.Any(version => version.String() is "v1" or "v1beta1")) errors.Add(FieldError.Invalid(path + ".admissionReviewVersions", versions, "must include at least one of v1, v1beta1"));
            Rules(webhook, path, errors);
        }
    }

    private static void Rules(JsonObject webhook, string path, List<FieldError> errors)
    {
        var at = 0;
        foreach (var rule in webhook["rules"].Objects())
        {
            var field = $"{path}.rules[{at++}]";
            foreach (var name in (ReadOnlySpan<string>)["apiGroups", "apiVersions", "resources", "operations"])
            {
                if (rule[name] is not JsonArray { Count: > 0 }) errors.Add(FieldError.Required($"{field}.{name}"));
            }

            PodRules.OneOf(rule, "scope", field, errors, "*", "Cluster", "Namespaced");
            foreach (var operation in (rule["operations"] as JsonArray ?? []).Select(item => item.String() ?? ""))
            {
                if (operation is not ("*" or "CREATE" or "UPDATE" or "DELETE" or "CONNECT")) errors.Add(FieldError.NotSupported(field + ".operations[0]", operation, "*", "CONNECT", "CREATE", "DELETE", "UPDATE"));
            }
        }
    }
}
