using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.Kubernetes;

namespace Fabrik.Cli.Connections;

/// <summary>The caller's name as the cluster knows it.</summary>
internal static class WhoAmI
{
    private const int LongestName = 253;

    /// <summary>Null where the cluster does not say; the cluster's own audit log names the caller in any case.</summary>
    public static async Task<string?> AskAsync(KubernetesClient client, CancellationToken cancel)
    {
        try
        {
            var body = new JsonObject { ["apiVersion"] = Kinds.SelfSubjectReview.ApiVersion, ["kind"] = Kinds.SelfSubjectReview.Kind };
            var review = await client.CreateAsync(Kinds.SelfSubjectReview, null, body, cancel);
            return review.Json.TryGetProperty("status", out var status) && status.TryGetProperty("userInfo", out var user) && user.TryGetProperty("username", out var name)
                && name.GetString() is { Length: > 0 and <= LongestName } text ? text : null;
        }
        catch (KubernetesException error) when (error.IsForbidden || error.IsNotFound)
        {
            return null;
        }
    }
}
