using System.Globalization;
using System.Text.Json.Nodes;
using Fabrik.Sandbox.Discovery;
using Fabrik.Sandbox.Schema;
using Fabrik.Sandbox.Store;
using Fabrik.Sandbox.Tables;
using Microsoft.AspNetCore.Http;

namespace Fabrik.Sandbox.Server;

/// <summary>
/// Streams changes, one JSON line each. A watch is a cursor into the resource's log: it holds nothing for slow readers, who fall out of the
/// log's window instead and get 410. An object that enters or leaves the selection is ADDED or DELETED.
/// </summary>
public sealed class Watcher(Cluster cluster, CancellationToken stopping)
{
    private static readonly TimeSpan BookmarkInterval = TimeSpan.FromMinutes(1);

    // As the real server: between 30 and 60 minutes, so that clients do not come back all at once.
    private static readonly TimeSpan ShortestTimeout = TimeSpan.FromMinutes(30);

    public async Task StreamAsync(ResourceType type, string? ns, ListQuery query, AnswerForm form, IncludeObject include, HttpContext http)
    {
        var log = cluster.Store.Log(type);
        var now = log.Now();
        var start = now;
        if (query.Version is > 0 && !query.SendInitialEvents)
        {
            if (query.Version < log.Oldest || (query.Version <= now.Version && log.At(query.Version.Value) is null))
            {
                await FailAsync(http, ApiException.TooOld(query.Version.Value, log.Oldest));
                return;
            }

            start = query.Version >= now.Version ? now : log.At(query.Version.Value)!;
        }

        var timeout = query.Timeout ?? ShortestTimeout * (1 + Random.Shared.NextDouble());
        using var timer = new CancellationTokenSource(timeout, TimeProvider.System);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, stopping, timer.Token);
        var output = new Output(type, form, include, cluster, http);
        await output.StartAsync();
        try
        {
            if (query.SendInitialEvents || query.Version is null or 0)
            {
                foreach (var stored in now.From(ns).Where(query.Selects)) await output.SendAsync("ADDED", stored);
                if (query is { SendInitialEvents: true, Bookmarks: true }) await output.BookmarkAsync(now.Version, initialEventsEnd: true);
                await output.FlushAsync(linked.Token);
            }

            await FollowAsync(log, start.Cursor, ns, query, output, linked.Token);
        }
        catch (OperationCanceledException)
        {
            // The client went away, the time is over or the server stops: a watch just ends.
        }
    }

    private async Task FollowAsync(ResourceLog log, long cursor, string? ns, ListQuery query, Output output, CancellationToken ct)
    {
        var bookmark = query.Bookmarks ? Task.Delay(BookmarkInterval, cluster.Clock, ct) : Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, ct);
        while (true)
        {
            if (log.Read(cursor) is not { } batch)
            {
                await output.ErrorAsync(ApiException.TooOld(0, log.Oldest));
                await output.FlushAsync(ct);
                return;
            }

            cursor = batch.Cursor;
            foreach (var change in batch.Events)
            {
                if (ns is not null && change.Object.Namespace != ns) continue;
                if (Kind(change, query) is { } kind) await output.SendAsync(kind, change.Object);
            }

            if (batch.Events.Count > 0)
            {
                await output.FlushAsync(ct);
                continue;
            }

            if (bookmark.IsCompletedSuccessfully)
            {
                await output.BookmarkAsync(batch.Version, initialEventsEnd: false);
                await output.FlushAsync(ct);
                bookmark = Task.Delay(BookmarkInterval, cluster.Clock, ct);
            }

            await Task.WhenAny(batch.Changed, bookmark);
            ct.ThrowIfCancellationRequested();
        }
    }

    private static string? Kind(StoreEvent change, ListQuery query)
    {
        var before = change.Previous is { } previous && query.Selects(previous);
        if (change.Type == StoreEventType.Deleted) return before ? "DELETED" : null;
        var after = query.Selects(change.Object);
        return (before, after) switch
        {
            (false, true) => "ADDED",
            (true, true) => "MODIFIED",
            (true, false) => "DELETED",
            _ => null,
        };
    }

    private static async Task FailAsync(HttpContext http, ApiException error)
    {
        // A watch has already been accepted: the failure is its first and last event.
        http.Response.ContentType = "application/json";
        await http.Response.Body.WriteAsync(ObjectJson.Serialize(new JsonObject { ["type"] = "ERROR", ["object"] = error.ToStatus() }));
        await http.Response.Body.WriteAsync("\n"u8.ToArray());
    }

    private sealed class Output(ResourceType type, AnswerForm form, IncludeObject include, Cluster cluster, HttpContext http)
    {
        private bool columnsSent;

        public Task StartAsync()
        {
            http.Response.ContentType = "application/json";
            http.Response.Headers.CacheControl = "no-cache, private";
            // The headers at once: a client takes the watch for established when it has them.
            return http.Response.Body.FlushAsync();
        }

        public async Task SendAsync(string kind, StoredObject stored)
        {
            var body = http.Response.BodyWriter;
            Write($$"""{"type":"{{kind}}","object":""");
            await body.WriteAsync(form switch
            {
                AnswerForm.Table => Row(stored),
                AnswerForm.Metadata => ObjectJson.Serialize(Views.Metadata(stored)),
                _ => Views.Bytes(type, stored),
            });
            await body.WriteAsync("}\n"u8.ToArray());
        }

        public async Task BookmarkAsync(long version, bool initialEventsEnd)
        {
            var metadata = new JsonObject { ["resourceVersion"] = version.ToString(CultureInfo.InvariantCulture) };
            if (initialEventsEnd) metadata["annotations"] = new JsonObject { ["k8s.io/initial-events-end"] = "true" };
            var shown = form switch
            {
                AnswerForm.Table => new JsonObject { ["kind"] = "Table", ["apiVersion"] = "meta.k8s.io/v1", ["metadata"] = metadata, ["columnDefinitions"] = null, ["rows"] = new JsonArray() },
                AnswerForm.Metadata => new JsonObject { ["kind"] = "PartialObjectMetadata", ["apiVersion"] = "meta.k8s.io/v1", ["metadata"] = metadata },
                _ => new JsonObject { ["kind"] = type.Kind, ["apiVersion"] = type.ApiVersion, ["metadata"] = metadata },
            };
            await http.Response.BodyWriter.WriteAsync(ObjectJson.Serialize(new JsonObject { ["type"] = "BOOKMARK", ["object"] = shown }));
            await http.Response.BodyWriter.WriteAsync("\n"u8.ToArray());
        }

        public async Task ErrorAsync(ApiException error)
        {
            await http.Response.BodyWriter.WriteAsync(ObjectJson.Serialize(new JsonObject { ["type"] = "ERROR", ["object"] = error.ToStatus() }));
            await http.Response.BodyWriter.WriteAsync("\n"u8.ToArray());
        }

        public async Task FlushAsync(CancellationToken ct) => await http.Response.BodyWriter.FlushAsync(ct);

        private byte[] Row(StoredObject stored)
        {
            var metadata = new JsonObject { ["resourceVersion"] = stored.ResourceVersion.ToString(CultureInfo.InvariantCulture) };
            var table = Views.Table(type, [stored], metadata, cluster, include);
            if (columnsSent) table["columnDefinitions"] = null;
            columnsSent = true;
            return ObjectJson.Serialize(table);
        }

        private void Write(string text)
        {
            var span = http.Response.BodyWriter.GetSpan(text.Length);
            http.Response.BodyWriter.Advance(System.Text.Encoding.ASCII.GetBytes(text, span));
        }
    }
}
