using System.Collections.Immutable;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.Certificates;
using Fabrik.Kubernetes;
using static Fabrik.Certificates.CertificatePlan;

namespace Fabrik.Webhook.Certificates;

/// <summary>Where a place of certificates or keys stands in the cluster, and how its object is read and written.</summary>
internal sealed record KeptObject(Place Place, ResourceKind Kind, string? Namespace, string Name)
{
    public static ImmutableArray<KeptObject> All(string webhookSecret) =>
    [
        new(Place.AssignmentKey, Kinds.Secret, Names.SystemNamespace, Names.Objects.AssignmentKeySecret),
        new(Place.GatewayTokenKey, Kinds.Secret, Names.GatewayNamespace, Names.Objects.RunTokenKeySecret),
        new(Place.TokenKey, Kinds.Secret, Names.SystemNamespace, Names.Objects.RunTokenKeySecret),
        new(Place.WebhookLeaf, Kinds.Secret, Names.SystemNamespace, webhookSecret),
        new(Place.ApiLeaf, Kinds.Secret, Names.SystemNamespace, Names.Objects.ApiTlsSecret),
        new(Place.Registration, Kinds.MutatingWebhookConfiguration, null, Names.Objects.WebhookConfiguration),
        new(Place.GatewayTrust, Kinds.ConfigMap, Names.GatewayNamespace, Names.Objects.GatewayTrust),
        new(Place.Discovery, Kinds.ConfigMap, Names.SystemNamespace, Names.Objects.ApiDiscovery),
        new(Place.Authority, Kinds.Secret, Names.SystemNamespace, Names.Objects.AuthoritySecret),
    ];

    public Held Read(KubeObject found) => new(
        (Kind == Kinds.Secret ? Secret(found) : Place == Place.Registration ? Registration(found) : Map(found)).ToImmutableSortedDictionary(StringComparer.Ordinal),
        found.Annotation(Names.Annotations.Rotate) is not null,
        ((string[])[Names.Annotations.InjectFrom, Names.Annotations.InjectFromSecret, Names.Annotations.CertificateName]).Any(annotation => found.Annotation(annotation) is not null));

    /// <summary>Writes nothing over that was not read: an object of another version is a conflict.</summary>
    public Task WriteAsync(KubernetesClient client, PlaceWrite write, string version, CancellationToken ct)
    {
        var metadata = new JsonObject { ["resourceVersion"] = version };
        if (write.Answers) metadata["annotations"] = new JsonObject { [Names.Annotations.Rotate] = null };
        var patch = new JsonObject { ["metadata"] = metadata };
        if (Place == Place.Registration)
            patch["webhooks"] = new JsonArray([.. write.Data.Select(entry => new JsonObject { ["name"] = entry.Key, ["clientConfig"] = new JsonObject { ["caBundle"] = Base64(entry.Value!) } })]);
        else
            patch["data"] = new JsonObject(write.Data.Select(one => KeyValuePair.Create(one.Key, one.Value is null ? null : (JsonNode?)Encoded(one.Value))));
        // Entries of a configuration are merged by their names.
        return client.PatchAsync(Kind, Namespace, Name, Place == Place.Registration ? PatchType.Strategic : PatchType.Merge, patch, ct, new WriteOptions { FieldManager = Names.KeeperManager });
    }

    private string Encoded(string value) => Kind == Kinds.Secret || Place == Place.Discovery ? Base64(value) : value;

    private static IEnumerable<KeyValuePair<string, string>> Secret(KubeObject found) =>
        Data(found).EnumerateObject().Where(one => one.Value.ValueKind == JsonValueKind.String).Select(one => KeyValuePair.Create(one.Name, Text(one.Value.GetString())));

    private IEnumerable<KeyValuePair<string, string>> Map(KubeObject found)
    {
        var key = Place == Place.Discovery ? Keys.DiscoveryAuthority : Keys.Authority;
        var value = Data(found).TryGetProperty(key, out var text) && text.ValueKind == JsonValueKind.String ? text.GetString()! : "";
        return [KeyValuePair.Create(key, Place == Place.Discovery ? Text(value) : value)];
    }

    private static IEnumerable<KeyValuePair<string, string>> Registration(KubeObject found)
    {
        if (!found.Json.TryGetProperty("webhooks", out var entries) || entries.ValueKind != JsonValueKind.Array) yield break;
        foreach (var entry in entries.EnumerateArray())
        {
            var bundle = entry.TryGetProperty("clientConfig", out var config) && config.TryGetProperty("caBundle", out var value) ? value.GetString() : null;
            yield return KeyValuePair.Create(entry.GetProperty("name").GetString()!, Text(bundle));
        }
    }

    private static readonly JsonElement Empty = JsonElement.Parse("{}");

    private static JsonElement Data(KubeObject found) => found.Json.TryGetProperty("data", out var data) && data.ValueKind == JsonValueKind.Object ? data : Empty;

    // One character a byte: a key may be binary.
    private static string Text(string? base64)
    {
        try
        {
            return Encoding.Latin1.GetString(Convert.FromBase64String(base64 ?? ""));
        }
        catch (FormatException)
        {
            return "not base64";
        }
    }

    private static string Base64(string text) => Convert.ToBase64String(Encoding.Latin1.GetBytes(text));
}
