using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.Checks;
using Fabrik.Kubernetes;

namespace Fabrik.Cli.Installing;

/// <summary>What installing reads of objects beside their fields, as far as it is not in <see cref="Fields"/>.</summary>
internal static class Objects
{
    /// <summary>0 where there is none.</summary>
    public static int Number(this JsonElement of, params ReadOnlySpan<string> path) => of.Whole(path) is >= int.MinValue and <= int.MaxValue and var number ? (int)number : 0;

    /// <summary>A key of a Secret's data; null where it is missing, empty or no base64.</summary>
    public static string? Data(this KubeObject secret, string key) =>
        secret.Json.At("data", key) is { ValueKind: JsonValueKind.String } value && value.TryGetBytesFromBase64(out var bytes) && bytes.Length > 0 ? Encoding.UTF8.GetString(bytes) : null;

    /// <summary>Whom each entry of a registration trusts, PEM; "" where it does not say.</summary>
    public static IReadOnlyList<string> Bundles(this KubeObject registration) =>
        [.. registration.Json.List("webhooks").Select(entry => entry.At("clientConfig", "caBundle") is { ValueKind: JsonValueKind.String } value && value.TryGetBytesFromBase64(out var bytes) ? Encoding.UTF8.GetString(bytes) : "")];

    public static string Name(this JsonObject item) => item["metadata"]?["name"]?.ToString() ?? "";

    public static string? Namespace(this JsonObject item) => item["metadata"]?["namespace"]?.ToString();

    public static string Kind(this JsonObject item) => item["kind"]?.ToString() ?? "";

    /// <summary>Null where it is not there.</summary>
    public static async Task<KubeObject?> FindAsync(this KubernetesClient cluster, ResourceKind kind, string? ns, string name, CancellationToken ct)
    {
        try
        {
            return await cluster.GetAsync(kind, ns, name, ct);
        }
        catch (KubernetesException e) when (e.IsNotFound)
        {
            return null;
        }
    }

    public static string Base64(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text));
}
