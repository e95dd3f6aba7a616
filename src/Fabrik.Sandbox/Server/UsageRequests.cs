using System.Globalization;
using System.Text.Json.Nodes;
using Fabrik.Sandbox.Access;
using Fabrik.Sandbox.Discovery;
using Fabrik.Sandbox.Store;
using Microsoft.AspNetCore.Http;

namespace Fabrik.Sandbox.Server;

/// <summary>What metrics-server and the kubelet would answer, from what the node plays.</summary>
public sealed class UsageRequests(Cluster cluster)
{
    private const string UsagePath = "/sandbox/v1/usage/";
    private const string SummaryPath = "/proxy/stats/summary";

    /// <summary>GET of one PodMetrics or of a list.</summary>
    public JsonObject Metrics(ApiRequest request, ListQuery query)
    {
        var pods = cluster.Usage.At(cluster.Clock.GetUtcNow()).Where(pod => (request.Namespace is null || pod.Namespace == request.Namespace) && query.Labels.Matches(pod.Labels));
        if (request.Name.Length > 0) return Metrics(pods.FirstOrDefault(pod => pod.Name == request.Name) ?? throw ApiException.NotFound(request.Type, request.Name), whole: true);
        return new JsonObject
        {
            ["kind"] = request.Type.ListKind,
            ["apiVersion"] = request.Type.ApiVersion,
            ["metadata"] = new JsonObject(),
            ["items"] = new JsonArray([.. pods.Select(pod => Metrics(pod, whole: false))]),
        };
    }

    /// <summary>GET nodes/NAME/proxy/stats/summary; nothing else is behind the proxy.</summary>
    public JsonObject Summary(ApiRequest request, string path)
    {
        if (!path.TrimEnd('/').EndsWith(SummaryPath, StringComparison.Ordinal)) throw ApiException.PathNotFound();
        if (cluster.Store.Get(BuiltInTypes.Node, null, request.Name) is null) throw ApiException.NotFound(BuiltInTypes.Node, request.Name);
        return new JsonObject
        {
            ["node"] = new JsonObject { ["nodeName"] = request.Name },
            ["pods"] = new JsonArray([.. cluster.Usage.At(cluster.Clock.GetUtcNow()).Where(pod => pod.Node == request.Name).Select(Summary)]),
        };
    }

    /// <summary>POST /sandbox/v1/usage/NAMESPACE/POD of the simulated node. False when the path is another.</summary>
    public async Task<bool> TryTakeAsync(HttpContext http, string path, Identity caller)
    {
        if (!path.StartsWith(UsagePath, StringComparison.Ordinal) || path[UsagePath.Length..].Split('/') is not [var ns, var name]) return false;
        if (!HttpMethods.IsPost(http.Request.Method)) throw ApiException.MethodNotAllowed();
        if (!caller.IsMaster) throw ApiException.Forbidden($"forbidden: User \"{caller.Name}\" cannot post path \"{path}\"", null);
        JsonNode? body;
        try
        {
            body = JsonNode.Parse(await RequestBody.ReadAsync(http.Request, http.RequestAborted));
        }
        catch (System.Text.Json.JsonException error)
        {
            throw ApiException.BadRequest(error.Message);
        }

        if (!cluster.Usage.Take(ns, name, body)) throw ApiException.BadRequest("the body must have uid, node and containers with name, start, end, peakAt, peak and cpuMillis");
        http.Response.StatusCode = 204;
        return true;
    }

    private static JsonObject Metrics(PodUsage.Pod pod, bool whole)
    {
        var metrics = whole ? new JsonObject { ["kind"] = "PodMetrics", ["apiVersion"] = "metrics.k8s.io/v1beta1" } : [];
        metrics["metadata"] = new JsonObject
        {
            ["name"] = pod.Name,
            ["namespace"] = pod.Namespace,
            ["creationTimestamp"] = ObjectJson.Time(pod.At),
            ["labels"] = new JsonObject(pod.Labels.Select(label => KeyValuePair.Create(label.Key, (JsonNode?)label.Value))),
        };
        metrics["timestamp"] = ObjectJson.Time(pod.At);
        metrics["window"] = string.Create(CultureInfo.InvariantCulture, $"{pod.Containers.Max(container => container.At - container.Start).TotalSeconds:0.###}s");
        metrics["containers"] = new JsonArray([.. pod.Containers.Select(container => new JsonObject
        {
            ["name"] = container.Name,
            ["usage"] = new JsonObject { ["cpu"] = $"{container.CpuMillis * 1_000_000}n", ["memory"] = $"{container.MemoryBytes / 1024}Ki" },
        })]);
        return metrics;
    }

    private static JsonObject Summary(PodUsage.Pod pod) => new()
    {
        ["podRef"] = new JsonObject { ["name"] = pod.Name, ["namespace"] = pod.Namespace, ["uid"] = pod.Uid },
        ["startTime"] = ObjectJson.Time(pod.Containers.Min(container => container.Start)),
        ["containers"] = new JsonArray([.. pod.Containers.Select(container => new JsonObject
        {
            ["name"] = container.Name,
            ["startTime"] = ObjectJson.Time(container.Start),
            ["cpu"] = new JsonObject { ["time"] = ObjectJson.Time(container.At), ["usageNanoCores"] = container.CpuMillis * 1_000_000, ["usageCoreNanoSeconds"] = (long)(container.CoreSeconds * 1e9) },
            ["memory"] = new JsonObject { ["time"] = ObjectJson.Time(container.At), ["workingSetBytes"] = container.MemoryBytes },
        })]),
    };
}
