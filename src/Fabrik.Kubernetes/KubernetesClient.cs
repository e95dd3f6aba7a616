using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.Kubernetes.Http;
using Fabrik.Kubernetes.Watching;

namespace Fabrik.Kubernetes;

/// <summary>
/// The REST API of one cluster. Every failure is a <see cref="KubernetesException"/>; requests that may be repeated are, a few times,
/// when the server is overloaded or unreachable. Thread-safe; one per cluster is enough.
/// </summary>
public sealed class KubernetesClient(ClusterConfig config, TimeProvider clock) : IDisposable
{
    private const int PageLimit = 128 << 20;
    private const int LogLimit = 16 << 20;
    private const int LineLimit = 64 << 10;
    private readonly ApiConnection connection = new(config, clock);

    public ClusterConfig Config => config;

    /// <summary>Time for one attempt at one request, watches excepted; 30 s.</summary>
    public TimeSpan Timeout
    {
        get => connection.Timeout;
        init => connection.Timeout = value;
    }

    /// <summary>Called with each warning that the server sends beside an answer.</summary>
    public Action<string>? OnWarning
    {
        get => connection.OnWarning;
        init => connection.OnWarning = value;
    }

    public Task<KubeObject> GetAsync(ResourceKind kind, string? ns, string name, CancellationToken ct, string? subresource = null) =>
        ObjectAsync(new ApiCall(What("get", kind, ns, name, subresource), HttpMethod.Get, kind.Path(ns, name, subresource), true), ct);

    /// <summary>Pages through the collection; namespace null means all. When the pages' version expires in between, the rest is of a newer one; no object comes twice.</summary>
    public async IAsyncEnumerable<KubeObject> ListAsync(ResourceKind kind, string? ns, [EnumeratorCancellation] CancellationToken ct, ListOptions? options = null)
    {
        options ??= new ListOptions();
        var delivered = new HashSet<string>(StringComparer.Ordinal);
        string? next = null;
        do
        {
            ListPage page;
            try
            {
                page = await PageAsync(kind, ns, options, next, dropManagedFields: false, ct);
            }
            catch (KubernetesException e) when (e.IsExpired && next is not null)
            {
                next = e.Continue ?? ""; // "" begins again
                continue;
            }

            foreach (var item in page.Items)
            {
                if (delivered.Add(item.Uid ?? item.Key)) yield return item;
            }

            next = page.Continue;
        }
        while (next is not null);
    }

    public Task<KubeObject> CreateAsync(ResourceKind kind, string? ns, JsonNode body, CancellationToken ct, WriteOptions? options = null)
    {
        var name = options?.Name ?? (body["metadata"]?["name"] as JsonValue)?.ToString() ?? "";
        if (kind.Namespaced && string.IsNullOrEmpty(ns)) throw new ArgumentException($"{kind} need a namespace", nameof(ns));
        var path = options?.Subresource is null ? kind.Path(ns) : kind.Path(ns, options.Name ?? throw new ArgumentException("A subresource needs the name of its object", nameof(options)), options.Subresource);
        return ObjectAsync(
            new ApiCall(What("create", kind, ns, name, options?.Subresource), HttpMethod.Post, path + Query(options), false) { Body = Bytes(body), ContentType = "application/json" }, ct);
    }

    /// <summary>With a resourceVersion in the body it is a conflict when the object changed since.</summary>
    public Task<KubeObject> ReplaceAsync(ResourceKind kind, string? ns, string name, JsonNode body, CancellationToken ct, WriteOptions? options = null) =>
        ObjectAsync(
            new ApiCall(What("replace", kind, ns, name, options?.Subresource), HttpMethod.Put, kind.Path(ns, name, options?.Subresource) + Query(options), true) { Body = Bytes(body), ContentType = "application/json" }, ct);

    public Task<KubeObject> PatchAsync(ResourceKind kind, string? ns, string name, PatchType type, JsonNode patch, CancellationToken ct, WriteOptions? options = null)
    {
        if (options?.Force == true && type != PatchType.Apply) throw new ArgumentException("Only an apply can be forced", nameof(options));
        if (type == PatchType.Apply) options = (options ?? new WriteOptions()) with { FieldManager = options?.FieldManager ?? Names.FieldManager };
        var contentType = type switch
        {
            PatchType.Json => "application/json-patch+json",
            PatchType.Merge => "application/merge-patch+json",
            PatchType.Strategic => "application/strategic-merge-patch+json",
            _ => "application/apply-patch+yaml", // JSON is YAML
        };
        return ObjectAsync(
            new ApiCall(What(type == PatchType.Apply ? "apply" : "patch", kind, ns, name, options?.Subresource), HttpMethod.Patch, kind.Path(ns, name, options?.Subresource) + Query(options), type != PatchType.Json)
            {
                Body = Bytes(patch),
                ContentType = contentType,
            }, ct);
    }

    public async Task DeleteAsync(ResourceKind kind, string? ns, string name, CancellationToken ct, DeleteOptions? options = null)
    {
        var body = new JsonObject { ["kind"] = "DeleteOptions", ["apiVersion"] = "v1" };
        if (options?.GracePeriodSeconds is { } grace) body["gracePeriodSeconds"] = grace;
        if (options?.PropagationPolicy is { } propagation) body["propagationPolicy"] = propagation;
        if (options?.DryRun == true) body["dryRun"] = new JsonArray("All");
        if (options?.Preconditions is { } conditions)
        {
            var preconditions = new JsonObject();
            if (conditions.Uid is not null) preconditions["uid"] = conditions.Uid;
            if (conditions.ResourceVersion is not null) preconditions["resourceVersion"] = conditions.ResourceVersion;
            body["preconditions"] = preconditions;
        }

        using var answer = await connection.CallAsync(
            new ApiCall(What("delete", kind, ns, name, null), HttpMethod.Delete, kind.Path(ns, name), true) { Body = Bytes(body), ContentType = "application/json" }, ct);
    }

    /// <summary>A new token of a ServiceAccount (TokenRequest): a secret.</summary>
    /// <param name="audience">Null: the API server's own.</param>
    /// <param name="lifetime">From 10 minutes on; the server may give another. Null: its default of an hour.</param>
    /// <param name="boundTo">A Pod or Secret with which it ends to be good; null: nothing.</param>
    public async Task<string> TokenAsync(string ns, string account, CancellationToken ct, string? audience = null, TimeSpan? lifetime = null, KubeObject? boundTo = null)
    {
        var spec = new JsonObject { ["audiences"] = audience is null ? [] : new JsonArray(audience) };
        if (lifetime is { } life) spec["expirationSeconds"] = (long)life.TotalSeconds;
        if (boundTo is not null) spec["boundObjectRef"] = new JsonObject { ["kind"] = boundTo.Kind, ["apiVersion"] = "v1", ["name"] = boundTo.Name, ["uid"] = boundTo.Uid };
        var request = new JsonObject { ["apiVersion"] = "authentication.k8s.io/v1", ["kind"] = "TokenRequest", ["spec"] = spec };
        var made = await CreateAsync(Kinds.ServiceAccount, ns, request, ct, new WriteOptions { Name = account, Subresource = "token" });
        return made.Json.GetProperty("status").GetProperty("token").GetString()!;
    }

    /// <summary>At most 16 MiB from the beginning of the log.</summary>
    /// <param name="tail">Only so many lines from its end.</param>
    public async Task<string> LogsAsync(string ns, string pod, CancellationToken ct, string? container = null, int? tail = null)
    {
        var query = new QueryString().Add("container", container).Add("limitBytes", LogLimit.ToString()).Add("tailLines", tail?.ToString());
        using var body = await connection.CallAsync(
            new ApiCall(What("get", Kinds.Pod, ns, pod, "log"), HttpMethod.Get, Kinds.Pod.Path(ns, pod, "log") + query, true) { Limit = LogLimit, Cut = true }, ct);
        return Encoding.UTF8.GetString(body.Memory.Span);
    }

    /// <summary>Any other JSON the server has, such as /version or /apis.</summary>
    public async Task<JsonElement> GetRawAsync(string path, CancellationToken ct)
    {
        var call = new ApiCall($"get {path}", HttpMethod.Get, path, true) { Limit = PageLimit };
        using var body = await connection.CallAsync(call, ct);
        return Parse(call, body, element => element.Clone());
    }

    /// <summary>Text the server has, such as /readyz or /metrics; at most 16 MiB of it.</summary>
    public async Task<string> GetTextAsync(string path, CancellationToken ct)
    {
        using var body = await connection.CallAsync(new ApiCall($"get {path}", HttpMethod.Get, path, true) { Limit = LogLimit, Cut = true }, ct);
        return Encoding.UTF8.GetString(body.Memory.Span);
    }

    /// <summary>What time it is at the server, by the Date of an answer: whole seconds; null where it sends none.</summary>
    public async Task<DateTimeOffset?> GetTimeAsync(CancellationToken ct)
    {
        using var answer = await connection.OpenAsync(new ApiCall($"get {Names.Paths.Version}", HttpMethod.Get, Names.Paths.Version, true), ct);
        return answer.Headers.Date;
    }

    /// <summary>JSON that the kubelet of a node answers, through the API server; needs the permission "get nodes/proxy".</summary>
    /// <param name="path">From "/" on, with its query.</param>
    public async Task<JsonElement> GetFromNodeAsync(string node, string path, CancellationToken ct)
    {
        var call = new ApiCall(What("get", Kinds.Node, null, node, "proxy"), HttpMethod.Get, Kinds.Node.Path(null, node, "proxy") + path, true);
        using var body = await connection.CallAsync(call, ct);
        return Parse(call, body, element => element.Clone());
    }

    /// <summary>
    /// A connection to a port of a Pod, through the API server and the kubelet. It is the protocol of one WebSocket for each connection, which every kubelet serves since 1.7 and
    /// API servers pass on unread; needs the permissions "get" and "create" on pods/portforward.
    /// </summary>
    public async Task<Stream> PortForwardAsync(string ns, string pod, int port, CancellationToken ct)
    {
        var path = Kinds.Pod.Path(ns, pod, "portforward") + new QueryString().Add("ports", port.ToString());
        var socket = await connection.OpenSocketAsync(new ApiCall(What("get", Kinds.Pod, ns, pod, "portforward"), HttpMethod.Get, path, true), PodConnection.Protocol, ct);
        return new PodConnection(socket, $"port {port} of Pod {ns}/{pod}");
    }

    /// <summary>The log of a container as it is written, a line at a time, until it ends.</summary>
    public async IAsyncEnumerable<string> FollowLogsAsync(string ns, string pod, [EnumeratorCancellation] CancellationToken ct, string? container = null)
    {
        var query = new QueryString().Add("container", container).Add("follow", "true");
        using var response = await connection.OpenAsync(new ApiCall(What("get", Kinds.Pod, ns, pod, "log"), HttpMethod.Get, Kinds.Pod.Path(ns, pod, "log") + query, true), ct);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(ct));
        var buffer = new char[4096];
        var line = new StringBuilder();
        int count;
        while ((count = await reader.ReadAsync(buffer, ct)) > 0)
        {
            foreach (var one in buffer.AsSpan(0, count).ToArray())
            {
                // What has no end of line is handed on in pieces.
                if (one != '\n') line.Append(one);
                if (one != '\n' && line.Length < LineLimit) continue;
                yield return line.ToString();
                line.Clear();
            }
        }

        if (line.Length > 0) yield return line.ToString();
    }

    public void Dispose() => connection.Dispose();

    /// <summary>One page; continue null is the first, and null in the answer says that it was the last.</summary>
    internal async Task<ListPage> PageAsync(ResourceKind kind, string? ns, ListOptions options, string? next, bool dropManagedFields, CancellationToken ct)
    {
        var query = new QueryString().Add("labelSelector", options.LabelSelector).Add("fieldSelector", options.FieldSelector)
            .Add("limit", options.PageSize > 0 ? options.PageSize.ToString() : null).Add("continue", string.IsNullOrEmpty(next) ? null : next);
        var call = new ApiCall(What("list", kind, ns, "", null), HttpMethod.Get, kind.Path(ns) + query, true) { Limit = PageLimit };
        using var body = await connection.CallAsync(call, ct);
        return Parse(call, body, root =>
        {
            var metadata = root.TryGetProperty("metadata", out var found) ? found : default;
            var items = root.TryGetProperty("items", out var list) && list.ValueKind == JsonValueKind.Array
                ? list.EnumerateArray().Select(item => ObjectReader.Read(Slice(body, item), kind, dropManagedFields)).ToList()
                : [];
            return new ListPage(items, Text(metadata, "resourceVersion"), Text(metadata, "continue") is { Length: > 0 } token ? token : null);
        });
    }

    /// <summary>The bytes of a watch, as they come. Null version with initial events is a streaming list.</summary>
    internal Task<HttpResponseMessage> WatchAsync(ResourceKind kind, string? ns, ListOptions options, string? version, TimeSpan duration, CancellationToken ct)
    {
        var query = new QueryString().Add("watch", "true").Add("allowWatchBookmarks", "true")
            .Add("labelSelector", options.LabelSelector).Add("fieldSelector", options.FieldSelector)
            .Add("resourceVersion", version)
            .Add("sendInitialEvents", version is null ? "true" : null)
            .Add("resourceVersionMatch", version is null ? "NotOlderThan" : null)
            .Add("timeoutSeconds", ((int)duration.TotalSeconds).ToString());
        return connection.OpenAsync(new ApiCall(What("watch", kind, ns, "", null), HttpMethod.Get, kind.Path(ns) + query, true), ct);
    }

    private async Task<KubeObject> ObjectAsync(ApiCall call, CancellationToken ct)
    {
        using var body = await connection.CallAsync(call, ct);
        return Parse(call, body, root => new KubeObject(root.Clone()));
    }

    private static T Parse<T>(ApiCall call, PooledBody body, Func<JsonElement, T> read)
    {
        try
        {
            using var document = JsonDocument.Parse(body.Memory, new JsonDocumentOptions { MaxDepth = ObjectReader.MaxDepth });
            if (document.RootElement.ValueKind == JsonValueKind.Object) return read(document.RootElement);
        }
        catch (JsonException)
        {
            // Said below.
        }

        throw new KubernetesException($"{call.What}: the answer is not a JSON object, so not from a Kubernetes API server. Check the server address and what stands between.") { Code = 200, Reason = KubernetesException.NotKubernetes };
    }

    // The element's own bytes, without a copy.
    private static ReadOnlyMemory<byte> Slice(PooledBody body, JsonElement item)
    {
        var raw = JsonMarshal.GetRawUtf8Value(item);
        return body.Memory.Span.Overlaps(raw, out var offset) ? body.Memory.Slice(offset, raw.Length) : raw.ToArray();
    }

    private static string What(string verb, ResourceKind kind, string? ns, string name, string? subresource) =>
        $"{verb} {kind}{(subresource is null ? "" : "/" + subresource)}{(kind.Namespaced && ns is not null ? $" {ns}/{name}" : name.Length == 0 ? "" : " " + name)}";

    private static string Query(WriteOptions? options) =>
        options is null ? "" : new QueryString()
            .Add("dryRun", options.DryRun ? "All" : null)
            .Add("fieldManager", options.FieldManager)
            .Add("fieldValidation", options.FieldValidation)
            .Add("force", options.Force ? "true" : null)
            .ToString();

    private static byte[] Bytes(JsonNode node)
    {
        var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer)) node.WriteTo(writer);
        return buffer.ToArray();
    }

    private static string? Text(JsonElement of, string name) =>
        of.ValueKind == JsonValueKind.Object && of.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}

internal sealed record ListPage(IReadOnlyList<KubeObject> Items, string? ResourceVersion, string? Continue);
