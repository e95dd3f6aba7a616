using System.Text.Json.Nodes;

namespace Fabrik.Admission;

/// <summary>
/// The MutatingWebhookConfiguration. Selectors are ANDed, so "the namespace says so or the Job says so" takes two entries,
/// written so that no Job is sent twice.
/// </summary>
public static class WebhookRegistration
{
    /// <summary>Matches unless the Job opted out.</summary>
    public const string NotOptedOut = $"!has(object.metadata.annotations) || !('{Names.Annotations.Optimize}' in object.metadata.annotations) || object.metadata.annotations['{Names.Annotations.Optimize}'] != 'false'";

    /// <summary>Matches where the Job opted in by itself.</summary>
    public const string OptedIn = $"has(object.metadata.annotations) && '{Names.Annotations.Optimize}' in object.metadata.annotations && object.metadata.annotations['{Names.Annotations.Optimize}'] == 'true'";

    /// <summary>Never touched, whatever their labels say: a control plane must not depend on what it controls.</summary>
    public static readonly IReadOnlyList<string> ExcludedNamespaces = ["kube-system", "kube-public", "kube-node-lease", Names.SystemNamespace, Names.GatewayNamespace];

    /// <param name="clientConfig">Either a url or a service, with its caBundle.</param>
    public static JsonObject Configuration(JsonObject clientConfig) => new()
    {
        ["apiVersion"] = "admissionregistration.k8s.io/v1",
        ["kind"] = "MutatingWebhookConfiguration",
        ["metadata"] = new JsonObject
        {
            ["name"] = Names.Objects.WebhookConfiguration,
            ["labels"] = new JsonObject { [Names.Labels.PartOf] = "fabrik" },
        },
        ["webhooks"] = new JsonArray(
            Entry("optin-namespace.fabrik.dev", clientConfig, enabled: true, "not-opted-out", NotOptedOut),
            Entry("optin-object.fabrik.dev", clientConfig, enabled: false, "opted-in", OptedIn)),
    };

    private static JsonObject Entry(string name, JsonObject clientConfig, bool enabled, string condition, string expression) => new()
    {
        ["name"] = name,
        ["clientConfig"] = clientConfig.DeepClone(),
        ["admissionReviewVersions"] = new JsonArray("v1"),
        ["failurePolicy"] = "Ignore",
        ["matchPolicy"] = "Equivalent",
        ["reinvocationPolicy"] = "Never",
        ["sideEffects"] = "None",
        ["timeoutSeconds"] = 2,
        ["rules"] = new JsonArray(new JsonObject
        {
            ["apiGroups"] = new JsonArray("batch"),
            ["apiVersions"] = new JsonArray("v1"),
            ["operations"] = new JsonArray("CREATE", "UPDATE"),
            ["resources"] = new JsonArray("jobs"),
            ["scope"] = "Namespaced",
        }),
        ["namespaceSelector"] = new JsonObject
        {
            ["matchExpressions"] = new JsonArray(
                new JsonObject { ["key"] = Names.Labels.Enabled, ["operator"] = enabled ? "In" : "NotIn", ["values"] = new JsonArray("true") },
                new JsonObject
                {
                    ["key"] = Names.Labels.NamespaceName,
                    ["operator"] = "NotIn",
                    ["values"] = new JsonArray([.. ExcludedNamespaces.Select(excluded => (JsonNode)excluded)]),
                }),
        },
        ["matchConditions"] = new JsonArray(new JsonObject { ["name"] = condition, ["expression"] = expression }),
    };
}
