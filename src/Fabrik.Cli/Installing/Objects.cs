using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.Kubernetes;

namespace Fabrik.Cli.Installing;

/// <summary>What installing reads of objects: fields that are absent or of another type count as absent.</summary>
internal static class Objects
{
    public const string Selector = $"{Names.Labels.PartOf}=fabrik";

    public static JsonElement At(this JsonElement of, params ReadOnlySpan<string> path)
    {
        foreach (var name in path)
            if (of.ValueKind != JsonValueKind.Object || !of.TryGetProperty(name, out of)) return default;
        return of;
    }

    public static string? Text(this JsonElement of, params ReadOnlySpan<string> path) => of.At(path) is { ValueKind: JsonValueKind.String } value ? value.GetString() : null;

    public static int Number(this JsonElement of, params ReadOnlySpan<string> path) => of.At(path) is { ValueKind: JsonValueKind.Number } value && value.TryGetInt32(out var number) ? number : 0;

    public static IEnumerable<JsonElement> Items(this JsonElement of, params ReadOnlySpan<string> path) => of.At(path) is { ValueKind: JsonValueKind.Array } list ? list.EnumerateArray() : [];

    /// <summary>A key of a Secret's data; null where it is missing, empty or no base64.</summary>
    public static string? Data(this KubeObject secret, string key) =>
        secret.Json.At("data", key) is { ValueKind: JsonValueKind.String } value && value.TryGetBytesFromBase64(out var bytes) && bytes.Length > 0 ? Encoding.UTF8.GetString(bytes) : null;

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
