using System.Text.Json;

namespace Fabrik.Kubernetes;

/// <summary>A kind that an API server serves, and what may be done with it.</summary>
public sealed record ServedKind(ResourceKind Kind, IReadOnlyList<string> Verbs)
{
    public bool Can(string verb) => Verbs.Contains(verb, StringComparer.Ordinal);
}

/// <summary>What an API server serves, asked for once.</summary>
/// <param name="Kinds">Of each group in the version that the server prefers.</param>
/// <param name="Unanswered">Groups whose own server did not answer, with the reason: of their objects nothing is known.</param>
public sealed record Discovery(IReadOnlyList<ServedKind> Kinds, IReadOnlyDictionary<string, string> Unanswered)
{
    public static async Task<Discovery> ReadAsync(KubernetesClient client, CancellationToken ct)
    {
        var groups = await client.GetRawAsync("/apis", ct);
        var versions = new List<string> { "v1" };
        foreach (var group in Items(groups, "groups"))
            if (group.TryGetProperty("preferredVersion", out var preferred) && Text(preferred, "groupVersion") is { } version) versions.Add(version);

        var kinds = new List<ServedKind>();
        var unanswered = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var version in versions)
        {
            try
            {
                kinds.AddRange(await VersionAsync(client, version, ct));
            }
            catch (KubernetesException e) when (e.Code is 404 or >= 500)
            {
                unanswered[version] = e.Message;
            }
        }

        return new Discovery(kinds, unanswered);
    }

    /// <summary>Null where it is not served.</summary>
    public static async Task<ResourceKind?> FindAsync(KubernetesClient client, string apiVersion, string kind, CancellationToken ct)
    {
        try
        {
            return (await VersionAsync(client, apiVersion, ct)).FirstOrDefault(one => one.Kind.Kind == kind)?.Kind;
        }
        catch (KubernetesException e) when (e.IsNotFound)
        {
            return null;
        }
    }

    private static async Task<List<ServedKind>> VersionAsync(KubernetesClient client, string apiVersion, CancellationToken ct)
    {
        var slash = apiVersion.IndexOf('/', StringComparison.Ordinal);
        var (group, version) = slash < 0 ? ("", apiVersion) : (apiVersion[..slash], apiVersion[(slash + 1)..]);
        var list = await client.GetRawAsync(slash < 0 ? $"/api/{version}" : $"/apis/{group}/{version}", ct);
        var found = new List<ServedKind>();
        foreach (var resource in Items(list, "resources"))
        {
            if (Text(resource, "name") is not { Length: > 0 } plural || plural.Contains('/', StringComparison.Ordinal) || Text(resource, "kind") is not { } kind) continue;
            var namespaced = resource.TryGetProperty("namespaced", out var value) && value.ValueKind == JsonValueKind.True;
            found.Add(new ServedKind(new ResourceKind(group, version, plural, kind, namespaced), [.. Items(resource, "verbs").Select(verb => verb.GetString() ?? "")]));
        }

        return found;
    }

    private static IEnumerable<JsonElement> Items(JsonElement of, string name) => of.TryGetProperty(name, out var list) && list.ValueKind == JsonValueKind.Array ? list.EnumerateArray() : [];

    private static string? Text(JsonElement of, string name) => of.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
