using System.Globalization;
using System.Text.Json.Nodes;
using Fabrik.Kubernetes;

namespace Fabrik.CronJobs.Decisions;

/// <summary>Events for kubectl describe.</summary>
internal static class Told
{
    /// <param name="ns">Where the Event stands.</param>
    /// <param name="name">Who tells the same again uses the same.</param>
    /// <param name="about">What it is about; without an API version an object of Fabrik's own.</param>
    /// <exception cref="KubernetesException">It was told before, or the API server does not take it.</exception>
    public static Task EventAsync(KubernetesClient cluster, string ns, string name, JsonObject about, bool isWarning, string reason, string? message, DateTimeOffset at, CancellationToken ct)
    {
        var time = at.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
        about["apiVersion"] ??= Names.ApiVersion;
        return cluster.CreateAsync(Kinds.Event, ns, new JsonObject
        {
            ["apiVersion"] = "v1",
            ["kind"] = "Event",
            ["metadata"] = new JsonObject { ["name"] = name, ["namespace"] = ns },
            ["involvedObject"] = about,
            ["type"] = isWarning ? "Warning" : "Normal",
            ["reason"] = reason,
            ["message"] = message,
            ["source"] = new JsonObject { ["component"] = "fabrik" },
            ["firstTimestamp"] = time,
            ["lastTimestamp"] = time,
            ["count"] = 1,
        }, ct, new WriteOptions { FieldManager = Names.FieldManager });
    }
}
