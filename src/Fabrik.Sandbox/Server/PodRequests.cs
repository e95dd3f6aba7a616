using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Fabrik.Sandbox.Access;
using Fabrik.Sandbox.Discovery;
using Fabrik.Sandbox.Schema;
using Fabrik.Sandbox.Store;
using Fabrik.Sandbox.Validation;
using Microsoft.AspNetCore.Http;

namespace Fabrik.Sandbox.Server;

/// <summary>Logs, binding and eviction of Pods.</summary>
public sealed class PodRequests(Cluster cluster, CancellationToken stopping)
{
    private const string LogsPath = "/sandbox/v1/logs/";

    // The node may write a Pod's last lines after it has said that the Pod has ended.
    private static readonly TimeSpan LastLines = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan StillRunning = TimeSpan.FromSeconds(5);

    /// <summary>GET pods/NAME/log with container, follow, tailLines, limitBytes, sinceSeconds, timestamps.</summary>
    public async Task SendLogsAsync(HttpContext http, ApiRequest request)
    {
        var pod = cluster.Store.Get(BuiltInTypes.Pod, request.Namespace, request.Name) ?? throw ApiException.NotFound(BuiltInTypes.Pod, request.Name);
        var query = http.Request.Query;
        var container = Container(pod, query["container"].ToString());
        var follow = ListQuery.IsTrue(query["follow"]);
        var stamps = ListQuery.IsTrue(query["timestamps"]);
        var since = long.TryParse(query["sinceSeconds"], NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) ? cluster.Clock.GetUtcNow().AddSeconds(-seconds) : DateTimeOffset.MinValue;
        var (lines, next, ended, changed) = cluster.Logs.Read(request.Namespace!, request.Name, container, 0);
        IEnumerable<(DateTimeOffset At, string Text)> first = lines.Where(line => line.At >= since);
        if (int.TryParse(query["tailLines"], NumberStyles.None, CultureInfo.InvariantCulture, out var tail)) first = first.TakeLast(tail);
        http.Response.ContentType = "text/plain";
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, stopping);
        var left = long.TryParse(query["limitBytes"], NumberStyles.None, CultureInfo.InvariantCulture, out var bytes) ? bytes : long.MaxValue;
        left = await WriteAsync(http, first, stamps, left, linked.Token);
        while (follow && !ended && left > 0)
        {
            await http.Response.Body.FlushAsync(linked.Token);
            var over = cluster.Store.ByUid(pod.Uid)?.Field("status.phase") is null or "Succeeded" or "Failed";
            try
            {
                await changed.WaitAsync(over ? LastLines : StillRunning, TimeProvider.System, linked.Token);
            }
            catch (TimeoutException)
            {
                if (over) return;
                continue;
            }

            if (cluster.Store.ByUid(pod.Uid) is null) return;
            (lines, next, ended, changed) = cluster.Logs.Read(request.Namespace!, request.Name, container, next);
            left = await WriteAsync(http, lines, stamps, left, linked.Token);
        }
    }

    /// <summary>POST /sandbox/v1/logs/NAMESPACE/POD?container=NAME[&amp;end=true] of the simulated node. False when the path is another.</summary>
    public async Task<bool> TryTakeLogsAsync(HttpContext http, string path, Identity caller)
    {
        if (!path.StartsWith(LogsPath, StringComparison.Ordinal) || path[LogsPath.Length..].Split('/') is not [var ns, var name]) return false;
        if (!HttpMethods.IsPost(http.Request.Method)) throw ApiException.MethodNotAllowed();
        if (!caller.IsMaster) throw ApiException.Forbidden($"forbidden: User \"{caller.Name}\" cannot post path \"{path}\"", null);
        var pod = cluster.Store.Get(BuiltInTypes.Pod, ns, name) ?? throw ApiException.NotFound(BuiltInTypes.Pod, name);
        var container = Container(pod, http.Request.Query["container"].ToString());
        var text = Encoding.UTF8.GetString(await RequestBody.ReadAsync(http.Request, http.RequestAborted));
        cluster.Logs.Append(ns, name, container, text, ListQuery.IsTrue(http.Request.Query["end"]), cluster.Clock.GetUtcNow());
        http.Response.StatusCode = 204;
        return true;
    }

    /// <summary>pods/binding puts a Pod on a node, pods/eviction deletes it as a node drain would.</summary>
    public async Task<JsonObject> CreateAsync(ApiRequest request, byte[] bytes, string media, RequestContext context, CancellationToken ct)
    {
        var body = TypeRules.DecodeOptions(bytes, media);
        var name = request.Name.Length > 0 ? request.Name : body.Text("metadata", "name") ?? "";
        if (request.Subresource == "eviction")
        {
            await cluster.Deletions.DeleteAsync(BuiltInTypes.Pod, request.Namespace, name, body["deleteOptions"] as JsonObject ?? [], context, ct);
            return Success();
        }

        var node = body.Text("target", "name") ?? "";
        if (node.Length == 0) throw ApiException.Invalid(BuiltInTypes.Pod, name, [FieldError.Required("target.name")]);
        await Task.CompletedTask;
        while (true)
        {
            var current = cluster.Store.Get(BuiltInTypes.Pod, request.Namespace, name) ?? throw ApiException.NotFound(BuiltInTypes.Pod, name);
            var pod = current.Read();
            if (pod.Text("spec", "nodeName") is { Length: > 0 } taken) throw ApiException.Conflict(BuiltInTypes.Pod, name, $"pod {name} is already assigned to node \"{taken}\"");
            if (current.IsDeleting) throw ApiException.Conflict(BuiltInTypes.Pod, name, $"pod {name} is being deleted, cannot be assigned to a host");
            pod.Child("spec")["nodeName"] = node;
            var conditions = pod.Child("status")["conditions"] as JsonArray ?? [];
            pod.Child("status")["conditions"] = new JsonArray(
            [
                .. conditions.Where(condition => condition.Text("type") != "PodScheduled").Select(condition => condition?.DeepClone()),
                new JsonObject
                {
                    ["type"] = "PodScheduled",
                    ["observedGeneration"] = pod.Number("metadata", "generation") ?? 1,
                    ["status"] = "True",
                    ["lastProbeTime"] = null,
                    ["lastTransitionTime"] = cluster.Now(),
                },
            ]);
            if (context.DryRun || cluster.Store.Put(BuiltInTypes.Pod, pod, current) is not null) return Success();
        }
    }

    private static JsonObject Success() => new() { ["kind"] = "Status", ["apiVersion"] = "v1", ["metadata"] = new JsonObject(), ["status"] = "Success", ["code"] = 201 };

    private static string Container(StoredObject pod, string asked)
    {
        var content = pod.Read();
        string[] names = [.. content.Items("spec", "containers").Concat(content.Items("spec", "initContainers")).Select(each => each.Text("name") ?? "")];
        if (asked.Length > 0) return names.Contains(asked) ? asked : throw ApiException.BadRequest($"container {asked} is not valid for pod {pod.Name}");
        var own = content.Items("spec", "containers").Count();
        return own <= 1 ? names.FirstOrDefault("") : throw ApiException.BadRequest($"a container name must be specified for pod {pod.Name}, choose one of: [{string.Join(' ', names.Take(own))}]");
    }

    private static async Task<long> WriteAsync(HttpContext http, IEnumerable<(DateTimeOffset At, string Text)> lines, bool stamps, long left, CancellationToken ct)
    {
        foreach (var (at, text) in lines)
        {
            var bytes = Encoding.UTF8.GetBytes(stamps ? $"{at.UtcDateTime:yyyy-MM-ddTHH:mm:ss.fffffff00Z} {text}\n" : text + "\n");
            var count = (int)Math.Min(bytes.Length, left);
            await http.Response.Body.WriteAsync(bytes.AsMemory(0, count), ct);
            left -= count;
            if (left == 0) break;
        }

        return left;
    }
}
