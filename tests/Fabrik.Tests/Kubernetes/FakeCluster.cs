using System.Text.Json.Nodes;
using Fabrik.Kubernetes;
using Microsoft.AspNetCore.Http;

namespace Fabrik.Tests.Kubernetes;

/// <summary>Objects of any kind with the versions, watches and faults of an API server: enough to test a client against, no validation.</summary>
public sealed class FakeCluster
{
    private readonly Lock gate = new();
    private readonly SortedDictionary<string, JsonObject> objects = new(StringComparer.Ordinal);
    private readonly List<(long Version, string Type, string Path, string Line)> history = [];
    private TaskCompletionSource changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int generation;
    private long version = 100;
    private long compacted;

    /// <summary>Servers before 1.27 answer 422.</summary>
    public bool StreamingLists { get; set; } = true;

    /// <summary>Everything below this is gone: watches from there get 410.</summary>
    public void Compact()
    {
        lock (gate) compacted = version;
    }

    /// <summary>As after a start from a backup: versions count from a lower number again, and who goes on from one of before is told that it is too large.</summary>
    public void Restore()
    {
        lock (gate)
        {
            (version, compacted) = (1, 0);
            history.Clear();
            foreach (var stored in objects.Values) stored["metadata"]!["resourceVersion"] = (++version).ToString();
            CloseWatches();
        }
    }

    /// <summary>A change, as another client makes it.</summary>
    public JsonObject Put(ResourceKind kind, string ns, string name, string? uid = null, string value = "")
    {
        var path = $"{Collection(kind, ns)}/{name}";
        lock (gate)
        {
            if (uid is not null && objects.TryGetValue(path, out var old) && (string?)old["metadata"]!["uid"] != uid) Remove(path);
            return Store(path, new JsonObject
            {
                ["apiVersion"] = kind.ApiVersion,
                ["kind"] = kind.Kind,
                ["metadata"] = new JsonObject { ["name"] = name, ["namespace"] = ns, ["uid"] = uid, ["managedFields"] = new JsonArray(new JsonObject { ["manager"] = "x" }) },
                ["value"] = value,
            });
        }
    }

    public void Delete(ResourceKind kind, string ns, string name)
    {
        lock (gate) Remove($"{Collection(kind, ns)}/{name}");
    }

    public void Bookmark(ResourceKind kind)
    {
        lock (gate)
        {
            history.Add((version, "BOOKMARK", "/", BookmarkLine(kind.ApiVersion, kind.Kind, false)));
            Wake();
        }
    }

    /// <summary>key@uid@version of all there is.</summary>
    public string[] State(ResourceKind kind)
    {
        lock (gate) return objects.Where(pair => Matches(pair.Key, Collection(kind, null))).Select(pair => Describe(pair.Value)).Order(StringComparer.Ordinal).ToArray();
    }

    public static string Describe(JsonNode node) => $"{node["metadata"]!["namespace"]}/{node["metadata"]!["name"]}@{node["metadata"]!["uid"]}@{node["metadata"]!["resourceVersion"]}";

    /// <summary>Ends all watches as a server does after their time.</summary>
    public void CloseWatches()
    {
        lock (gate)
        {
            generation++;
            Wake();
        }
    }

    public Task Answer(HttpContext context)
    {
        var request = context.Request;
        var path = request.Path.Value!;
        var parts = path.Trim('/').Split('/');
        var rest = parts[(parts[0] == "api" ? 2 : 3)..];
        var named = rest is ["namespaces", _, _, ..] ? rest.Length > 3 : rest.Length == 2;
        if (request.Query["watch"] == "true") return WatchAsync(context, path);
        var body = context.Items["body"] is string { Length: > 0 } text ? JsonNode.Parse(text) as JsonObject : null;
        lock (gate)
        {
            return request.Method switch
            {
                "GET" when named => objects.TryGetValue(path, out var found) ? Ok(context, found) : Fail(context, 404, "NotFound", $"{path} not found"),
                "GET" => List(context, path),
                "POST" => objects.ContainsKey($"{path}/{body!["metadata"]!["name"]}")
                    ? Fail(context, 409, "AlreadyExists", "already exists")
                    : Ok(context, Store($"{path}/{body["metadata"]!["name"]}", body), 201),
                "PUT" => Replace(context, path, body!),
                "PATCH" => Merge(context, path, body!),
                "DELETE" => objects.ContainsKey(path) ? Ok(context, Remove(path)) : Fail(context, 404, "NotFound", $"{path} not found"),
                _ => Fail(context, 405, "MethodNotAllowed", "no"),
            };
        }
    }

    public static Task Fail(HttpContext context, int code, string reason, string message) =>
        FakeApiServer.Reply(context, code, new JsonObject { ["kind"] = "Status", ["apiVersion"] = "v1", ["status"] = "Failure", ["message"] = message, ["reason"] = reason, ["code"] = code }.ToJsonString());

    private static Task Ok(HttpContext context, JsonObject body, int code = 200) => FakeApiServer.Reply(context, code, body.ToJsonString());

    private Task Replace(HttpContext context, string path, JsonObject body)
    {
        if (!objects.TryGetValue(path, out var old)) return Fail(context, 404, "NotFound", $"{path} not found");
        var asked = (string?)body["metadata"]!["resourceVersion"];
        return asked is not null && asked != (string?)old["metadata"]!["resourceVersion"]
            ? Fail(context, 409, "Conflict", "the object has been modified")
            : Ok(context, Store(path, body));
    }

    private Task Merge(HttpContext context, string path, JsonObject patch)
    {
        var apply = context.Request.ContentType == "application/apply-patch+yaml";
        path = path.EndsWith("/status", StringComparison.Ordinal) ? path[..^"/status".Length] : path;
        if (!objects.TryGetValue(path, out var old)) return apply ? Ok(context, Store(path, patch), 201) : Fail(context, 404, "NotFound", $"{path} not found");
        if ((string?)patch["metadata"]?["resourceVersion"] is { } asked && asked != (string?)old["metadata"]!["resourceVersion"]) return Fail(context, 409, "Conflict", "the object has been modified");
        var merged = (JsonObject)old.DeepClone();
        Overlay(merged, patch);
        return Ok(context, Store(path, merged));
    }

    private static void Overlay(JsonObject into, JsonObject patch)
    {
        foreach (var (name, value) in patch)
        {
            if (value is null) into.Remove(name);
            else if (value is JsonObject inner && into[name] is JsonObject target) Overlay(target, inner);
            else into[name] = value.DeepClone();
        }
    }

    private Task List(HttpContext context, string path)
    {
        var query = context.Request.Query;
        var limit = int.TryParse(query["limit"], out var asked) ? asked : int.MaxValue;
        var at = version;
        var after = "";
        if (query["continue"].ToString() is { Length: > 0 } token)
        {
            (at, after) = (long.Parse(token.Split('|')[0]), token.Split('|')[1]);
            if (at < compacted) return Fail(context, 410, "Expired", "The provided continue parameter is too old");
        }

        var rest = objects.Where(pair => Matches(pair.Key, path) && string.CompareOrdinal(pair.Key, after) > 0).ToList();
        var page = rest.Take(limit).ToList();
        var metadata = new JsonObject { ["resourceVersion"] = at.ToString() };
        if (rest.Count > page.Count) metadata["continue"] = $"{at}|{page[^1].Key}";
        var items = page.Select(pair =>
        {
            var item = (JsonObject)pair.Value.DeepClone();
            item.Remove("kind");
            item.Remove("apiVersion");
            return (JsonNode)item;
        });
        return Ok(context, new JsonObject { ["kind"] = "List", ["metadata"] = metadata, ["items"] = new JsonArray([.. items]) });
    }

    private async Task WatchAsync(HttpContext context, string path)
    {
        var query = context.Request.Query;
        var initial = query["sendInitialEvents"] == "true";
        long from;
        int mine;
        var lines = new List<string>();
        lock (gate)
        {
            mine = generation;
            if (initial && !StreamingLists)
            {
                _ = Fail(context, 422, "Invalid", "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch");
                return;
            }

            from = initial ? version : long.Parse(query["resourceVersion"]!);
            if (from > version)
            {
                _ = Fail(context, 504, "Timeout", $"Too large resource version: {from}, current: {version}");
                return;
            }

            if (initial)
            {
                lines.AddRange(objects.Where(pair => Matches(pair.Key, path)).Select(pair => Line("ADDED", pair.Value)));
                lines.Add(BookmarkLine("v1", "X", true));
            }
            else if (from < compacted)
            {
                lines.Add("""{"type":"ERROR","object":{"kind":"Status","status":"Failure","message":"too old resource version","reason":"Expired","code":410}}""");
                mine = -1;
            }
        }

        while (true)
        {
            Task wait;
            int at;
            lock (gate)
            {
                wait = changed.Task;
                at = history.Count;
                if (mine >= 0) lines.AddRange(history.Where(change => change.Version > from && Matches(change.Path, path) || change.Version >= from && change.Type == "BOOKMARK").Select(change => change.Line));
                from = Math.Max(from, version);
            }

            foreach (var line in lines) await context.Response.WriteAsync(line + "\n", context.RequestAborted);
            lines.Clear();
            await context.Response.Body.FlushAsync(context.RequestAborted);
            lock (gate)
            {
                if (mine != generation) return;
            }

            await wait.WaitAsync(context.RequestAborted);
        }
    }

    private JsonObject Store(string path, JsonObject body)
    {
        var stored = (JsonObject)body.DeepClone();
        var metadata = (JsonObject)stored["metadata"]!;
        objects.TryGetValue(path, out var old);
        metadata["uid"] = (string?)old?["metadata"]!["uid"] ?? (string?)metadata["uid"] ?? Guid.NewGuid().ToString();
        metadata["resourceVersion"] = (++version).ToString();
        objects[path] = stored;
        Record(old is null ? "ADDED" : "MODIFIED", path, stored);
        return stored;
    }

    private JsonObject Remove(string path)
    {
        objects.Remove(path, out var old);
        if (old is null) return [];
        var last = (JsonObject)old.DeepClone();
        last["metadata"]!["resourceVersion"] = (++version).ToString();
        Record("DELETED", path, last);
        return last;
    }

    private void Record(string type, string path, JsonObject stored)
    {
        history.Add((version, type, path, Line(type, stored)));
        Wake();
    }

    private void Wake()
    {
        changed.TrySetResult();
        changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    private string BookmarkLine(string apiVersion, string kind, bool end)
    {
        var metadata = new JsonObject { ["resourceVersion"] = version.ToString() };
        if (end) metadata["annotations"] = new JsonObject { ["k8s.io/initial-events-end"] = "true" };
        return Line("BOOKMARK", new JsonObject { ["kind"] = kind, ["apiVersion"] = apiVersion, ["metadata"] = metadata });
    }

    private static string Line(string type, JsonObject stored) => new JsonObject { ["type"] = type, ["object"] = stored.DeepClone() }.ToJsonString();

    private static string Collection(ResourceKind kind, string? ns)
    {
        var root = kind.Group.Length == 0 ? "/api/v1" : $"/apis/{kind.Group}/{kind.Version}";
        return ns is null ? $"{root}/{kind.Plural}" : $"{root}/namespaces/{ns}/{kind.Plural}";
    }

    // /apis/batch/v1/jobs holds /apis/batch/v1/namespaces/ci/jobs/hello.
    private static bool Matches(string path, string collection)
    {
        if (path.StartsWith(collection + "/", StringComparison.Ordinal)) return true;
        var slash = collection.LastIndexOf('/');
        return path.StartsWith(collection[..slash] + "/namespaces/", StringComparison.Ordinal) && path.Contains($"{collection[slash..]}/", StringComparison.Ordinal);
    }
}
