using System.Text.Json;
using System.Threading.Channels;
using Fabrik.Audit;
using Fabrik.CronJobs.Hosting;
using Fabrik.Gateway;
using Fabrik.Kubernetes;
using Fabrik.Storage;
using Microsoft.Data.Sqlite;

namespace Fabrik.CronJobs.Audit;

/// <summary>
/// What people write, from the watches of changes, the policy and virtual keys to the audit record. What happened while nobody watched shows by
/// what was seen last, which is stored with each entry: a kill between any two leads to the same entry, once.
/// </summary>
public sealed partial class EditRecorder(KubernetesClient cluster, AuditStore store, SchedulerMetrics scheduler, TimeProvider clock, ILogger<EditRecorder> logger)
{
    private static readonly TimeSpan TryAgain = TimeSpan.FromSeconds(2);

    /// <summary>Records until cancelled.</summary>
    public async Task RunAsync(CancellationToken ct)
    {
        var news = Channel.CreateUnbounded<Action<Dictionary<(string, string), SeenObject>>>(new UnboundedChannelOptions { SingleReader = true });
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(ct);
        try
        {
            Informer[] watches =
            [
                Watch(news.Writer, Kinds.OptimizationChange, Names.SystemNamespace, null, Take),
                Watch(news.Writer, Kinds.OptimizerPolicy, null, $"metadata.name={Names.PolicyName}", Take),
                Watch(news.Writer, Kinds.Secret, Names.GatewayNamespace, $"metadata.name={Names.Objects.VirtualKeySecret}", TakeKeys),
            ];
            await Task.WhenAll(
            [
                .. watches.Select(watch => watch.RunAsync(stop.Token)),
                FirstAsync(news.Writer, watches[0], ObjectEdits.ChangeKind, stop.Token),
                FirstAsync(news.Writer, watches[1], ObjectEdits.PolicyKind, stop.Token),
                FirstAsync(news.Writer, watches[2], null, stop.Token),
                RecordAsync(news.Reader, stop.Token),
            ]);
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            // As asked.
        }
    }

    private Informer Watch(ChannelWriter<Action<Dictionary<(string, string), SeenObject>>> news, ResourceKind kind, string? ns, string? fields, Action<WatchEvent, DateTimeOffset, Dictionary<(string, string), SeenObject>> take) =>
        new(cluster, kind, clock, new InformerOptions
        {
            Namespace = ns,
            FieldSelector = fields,
            KeepManagedFields = true,
            Logger = logger,
            OnEvent = change =>
            {
                var at = clock.GetUtcNow();
                news.TryWrite(seen => take(change, at, seen));
            },
        });

    /// <summary>Once all is listed, what is not there any more is known to be gone.</summary>
    /// <param name="kind">Null: virtual keys, which are in one object.</param>
    private async Task FirstAsync(ChannelWriter<Action<Dictionary<(string, string), SeenObject>>> news, Informer watch, string? kind, CancellationToken ct)
    {
        await watch.WaitForSyncAsync(ct);
        var at = clock.GetUtcNow();
        var present = watch.Items.Values.Select(one => one.Uid ?? one.Name).ToHashSet(StringComparer.Ordinal);
        news.TryWrite(seen =>
        {
            var gone = kind is not null ? seen.Values.Where(one => one.Kind == kind && !present.Contains(one.Uid)) : present.Count > 0 ? [] : seen.Values.Where(one => one.Kind == ObjectEdits.KeyKind);
            foreach (var one in gone.ToList()) Lose(one, at, seen);
        });
    }

    private async Task RecordAsync(ChannelReader<Action<Dictionary<(string, string), SeenObject>>> news, CancellationToken ct)
    {
        Dictionary<(string, string), SeenObject>? seen = null;
        while (await news.WaitToReadAsync(ct))
        {
            if (!news.TryPeek(out var one)) continue;
            try
            {
                if (scheduler.Paused is null)
                {
                    seen ??= store.Seen().ToDictionary(known => (known.Kind, known.Uid));
                    one(seen);
                    news.TryRead(out _);
                    continue;
                }
            }
            catch (Exception e) when (e is StorageException or SqliteException)
            {
                Log.NotRecorded(logger, e.Message);
                seen = null; // what of it was written is known to the database alone
            }

            await Task.Delay(TryAgain, clock, ct);
        }
    }

    private void Take(WatchEvent change, DateTimeOffset at, Dictionary<(string, string), SeenObject> seen)
    {
        var one = change.Object;
        var kind = one.Name == Names.PolicyName && one.Namespace is null ? ObjectEdits.PolicyKind : ObjectEdits.ChangeKind;
        var before = seen.GetValueOrDefault((kind, one.Uid ?? one.Name));
        if (change.Type == WatchEventType.Deleted)
        {
            if (before is not null) Lose(before, at, seen);
            return;
        }

        var spec = one.Json.TryGetProperty("spec", out var found) && found.ValueKind == JsonValueKind.Object ? found.GetRawText() : "{}";
        var metadata = one.Json.GetProperty("metadata");
        var generation = metadata.TryGetProperty("generation", out var number) && number.TryGetInt64(out var counted) ? counted : 0;
        var now = new SeenObject(kind, one.Uid ?? one.Name, one.Namespace, one.Name, one.ResourceVersion, generation, spec);
        if (before?.Spec == spec) return; // a status
        See(now, ObjectEdits.Of(before, now, metadata.TryGetProperty("managedFields", out var fields) ? fields : null, at), seen);
    }

    private void TakeKeys(WatchEvent change, DateTimeOffset at, Dictionary<(string, string), SeenObject> seen)
    {
        IReadOnlyCollection<VirtualKey> keys = [];
        if (change.Type != WatchEventType.Deleted)
        {
            try
            {
                if (change.Object.Json.TryGetProperty("data", out var data) && data.ValueKind == JsonValueKind.Object && data.TryGetProperty(Names.Objects.VirtualKeyFile, out var content)) keys = VirtualKeys.Parse(content.GetBytesFromBase64()).All;
            }
            catch (FormatException e)
            {
                // The gateway goes on with those of before, and so does the record.
                Log.Unreadable(logger, e.Message);
                return;
            }
        }

        foreach (var key in keys)
        {
            var now = ObjectEdits.Seen(key, change.Object.ResourceVersion);
            var before = seen.GetValueOrDefault((now.Kind, now.Uid));
            if (before?.Spec != now.Spec) See(now, ObjectEdits.Of(before, key, now, at), seen);
        }

        var present = keys.Select(key => key.Id).ToHashSet(StringComparer.Ordinal);
        foreach (var gone in seen.Values.Where(one => one.Kind == ObjectEdits.KeyKind && !present.Contains(one.Uid)).ToList()) Lose(gone, at, seen);
    }

    private void See(SeenObject now, IReadOnlyList<AuditEntry> entries, Dictionary<(string, string), SeenObject> seen)
    {
        store.See(now, entries);
        seen[(now.Kind, now.Uid)] = now;
    }

    private void Lose(SeenObject gone, DateTimeOffset at, Dictionary<(string, string), SeenObject> seen)
    {
        store.Lose(gone, ObjectEdits.Gone(gone, at));
        seen.Remove((gone.Kind, gone.Uid));
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Warning, Message = "What somebody wrote could not be recorded yet, and is tried again: {Why}")]
        public static partial void NotRecorded(ILogger logger, string why);

        [LoggerMessage(Level = LogLevel.Warning, Message = "Secret " + Names.Objects.VirtualKeySecret + " cannot be read, so what became of virtual keys is not recorded: {Why}")]
        public static partial void Unreadable(ILogger logger, string why);
    }
}
