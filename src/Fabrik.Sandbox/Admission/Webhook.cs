using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using Fabrik.Sandbox.Discovery;
using Fabrik.Sandbox.Schema;
using Fabrik.Sandbox.Store;

namespace Fabrik.Sandbox.Admission;

/// <summary>One entry of a webhook configuration: when it is called and what its failure means.</summary>
public sealed record Webhook(
    string Name,
    JsonObject ClientConfig,
    IReadOnlyList<Webhook.Rule> Rules,
    LabelSelector Namespaces,
    LabelSelector Objects,
    IReadOnlyList<Func<JsonObject?, bool>> Conditions,
    bool FailOpen,
    bool SafeInDryRun,
    bool Reinvoke,
    TimeSpan Timeout)
{
    private static readonly ConditionalWeakTable<StoredObject, IReadOnlyList<Webhook>> Read = [];

    /// <summary>The entries of all configurations of one kind, in order of their names.</summary>
    public static IEnumerable<Webhook> All(ObjectStore store, ResourceType configurations) =>
        store.Log(configurations).Now().From(null).SelectMany(stored => Read.GetValue(stored, static each => [.. each.Read().Items("webhooks").OfType<JsonObject>().Select(Parse)]));

    /// <summary>Whether this write is the webhook's business.</summary>
    /// <param name="namespaceLabels">Null for objects without a namespace.</param>
    public bool Wants(AdmissionRequest request, IReadOnlyDictionary<string, string>? namespaceLabels)
    {
        if (!Rules.Any(rule => rule.Matches(request))) return false;
        if (namespaceLabels is not null && !Namespaces.Matches(namespaceLabels)) return false;
        if (Objects.Requirements.Count == 0) return true;
        return (request.Object is { } content && Objects.Matches(LabelsOf(content))) || (request.Old is { } old && Objects.Matches(old.Labels));
    }

    public static IReadOnlyDictionary<string, string> LabelsOf(JsonObject content) =>
        content.At("metadata", "labels") is JsonObject labels
            ? labels.ToDictionary(label => label.Key, label => label.Value.Text() ?? "", StringComparer.Ordinal)
            : new Dictionary<string, string>(StringComparer.Ordinal);

    private static Webhook Parse(JsonObject entry) => new(
        entry.Text("name") ?? "",
        entry["clientConfig"] as JsonObject ?? [],
        [.. entry.Items("rules").Select(Rule.Parse)],
        LabelSelector.FromObject(entry["namespaceSelector"]),
        LabelSelector.FromObject(entry["objectSelector"]),
        [.. entry.Items("matchConditions").Select(condition => MatchConditions.Find(condition.Text("expression") ?? "")).OfType<Func<JsonObject?, bool>>()],
        entry.Text("failurePolicy") == "Ignore",
        entry.Text("sideEffects") is "None" or "NoneOnDryRun",
        entry.Text("reinvocationPolicy") == "IfNeeded",
        TimeSpan.FromSeconds(entry.Number("timeoutSeconds") ?? 10));

    public sealed record Rule(string[] Operations, string[] Groups, string[] Versions, string[] Resources, string Scope)
    {
        public static Rule Parse(JsonNode? rule) => new(
            [.. rule.Texts("operations")], [.. rule.Texts("apiGroups")], [.. rule.Texts("apiVersions")], [.. rule.Texts("resources")], rule.Text("scope") ?? "*");

        public bool Matches(AdmissionRequest request) =>
            Has(Operations, request.Operation)
            && Has(Groups, request.Type.Group)
            && Has(Versions, request.Type.Version)
            && (Scope == "*" || Scope == (request.Type.Namespaced ? "Namespaced" : "Cluster"))
            && Resources.Any(resource => Covers(resource, request.Type.Plural, request.Subresource));

        // "*" stands for all resources but no subresource; "jobs/*" covers jobs too.
        private static bool Covers(string pattern, string plural, string subresource)
        {
            var parts = pattern.Split('/', 2);
            if (parts[0] != "*" && parts[0] != plural) return false;
            return parts.Length == 1 ? subresource.Length == 0 : parts[1] == "*" || parts[1] == subresource;
        }

        private static bool Has(string[] values, string value) => values.Contains("*") || values.Contains(value);
    }
}
