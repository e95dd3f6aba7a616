using System.Text.Json.Nodes;

namespace Fabrik.Admission;

/// <summary>
/// The MutatingWebhookConfiguration. Selectors are ANDed, so "the namespace says so or the Job says so", for optimising and for the gateway each, takes one entry
/// for each kind of namespace, and one for those of untrusted runs, written so that no Job is sent twice.
/// </summary>
public static class WebhookRegistration
{
    /// <summary>CEL: matches a Job that is to be reviewed, by its annotations, in a namespace that has the labels enabled and gateway as said.</summary>
    public static string Condition(bool enabled, bool gateway) =>
        $"({Wanted(Names.Annotations.Optimize, enabled)}) || ({Wanted(Names.Annotations.Gateway, gateway)}) || (has(object.metadata.annotations) && '{Names.Annotations.Resume}' in object.metadata.annotations)";

    private static string Wanted(string annotation, bool byDefault) => byDefault
        ? $"!has(object.metadata.annotations) || !('{annotation}' in object.metadata.annotations) || object.metadata.annotations['{annotation}'] != 'false'"
        : $"has(object.metadata.annotations) && '{annotation}' in object.metadata.annotations && object.metadata.annotations['{annotation}'] == 'true'";

    /// <summary>In a namespace of untrusted runs no Job is left out, whatever it says.</summary>
    public const string Always = "true";

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
            Entry("optin-namespace.fabrik.dev", clientConfig, enabled: true, gateway: false),
            Entry("optin-object.fabrik.dev", clientConfig, enabled: false, gateway: false),
            Entry("gateway-namespace.fabrik.dev", clientConfig, enabled: false, gateway: true),
            Entry("optin-gateway-namespace.fabrik.dev", clientConfig, enabled: true, gateway: true),
            Entry("untrusted-namespace.fabrik.dev", clientConfig, [Says(Names.Labels.Untrusted, true)], Always)),
    };

    private static JsonObject Entry(string name, JsonObject clientConfig, bool enabled, bool gateway) =>
        Entry(name, clientConfig, [Says(Names.Labels.Untrusted, false), Says(Names.Labels.Enabled, enabled), Says(Names.Labels.Gateway, gateway)], Condition(enabled, gateway));

    private static JsonObject Entry(string name, JsonObject clientConfig, JsonNode[] says, string condition) => new()
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
            [
                .. says,
                new JsonObject
                {
                    ["key"] = Names.Labels.NamespaceName,
                    ["operator"] = "NotIn",
                    ["values"] = new JsonArray([.. ExcludedNamespaces.Select(excluded => (JsonNode)excluded)]),
                },
            ]),
        },
        ["matchConditions"] = new JsonArray(new JsonObject { ["name"] = "wanted", ["expression"] = condition }),
    };

    private static JsonObject Says(string label, bool yes) => new() { ["key"] = label, ["operator"] = yes ? "In" : "NotIn", ["values"] = new JsonArray("true") };
}
