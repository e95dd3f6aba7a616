using System.Collections.Immutable;
using System.Text.Json.Nodes;
using Fabrik.Sandbox.Discovery;

namespace Fabrik.Sandbox.Store;

/// <summary>
/// All objects, in memory only: nothing outlives the process. One counter numbers every change of every kind (resourceVersion).
/// Writers compare and swap against the state they have read; readers never wait.
/// </summary>
public sealed class ObjectStore(int eventWindow = 10_000)
{
    private readonly Lock gate = new();
    private readonly Dictionary<string, ResourceLog> logs = new(StringComparer.Ordinal);
    private readonly Dictionary<string, StoredObject> byUid = new(StringComparer.Ordinal);
    private readonly Dictionary<string, HashSet<string>> dependents = new(StringComparer.Ordinal);
    private long revision = 1;

    /// <summary>Called inside the write, in order of the changes: it must only take note.</summary>
    public Action<StoreEvent>? OnChange { get; set; }

    public long Revision => Volatile.Read(ref revision);

    public ResourceLog Log(ResourceType type)
    {
        lock (gate)
        {
            if (!logs.TryGetValue(type.Storage, out var log)) logs[type.Storage] = log = new ResourceLog(eventWindow, gate, () => revision);
            return log;
        }
    }

    public StoredObject? Get(ResourceType type, string? ns, string name) => Log(type).Get(ns ?? "", name);

    public StoredObject? ByUid(string uid)
    {
        lock (gate) return byUid.GetValueOrDefault(uid);
    }

    /// <summary>Objects that name this uid among their owners.</summary>
    public IReadOnlyList<StoredObject> DependentsOf(string uid)
    {
        lock (gate) return dependents.TryGetValue(uid, out var uids) ? [.. uids.Select(each => byUid[each])] : [];
    }

    /// <summary>
    /// Stores <paramref name="content"/> in the place of <paramref name="expected"/> (null: it must be new). Returns null when another
    /// write came first. The content belongs to the store afterwards. <paramref name="guard"/> runs inside the write and may throw.
    /// </summary>
    public StoredObject? Put(ResourceType type, JsonObject content, StoredObject? expected, Action? guard = null)
    {
        var log = Log(type);
        lock (gate)
        {
            var metadata = content.Metadata();
            if (!ReferenceEquals(log.Get(metadata.Text("namespace") ?? "", metadata.Text("name") ?? ""), expected)) return null;
            guard?.Invoke();
            metadata["resourceVersion"] = (revision + 1).ToString(System.Globalization.CultureInfo.InvariantCulture);
            var stored = new StoredObject(type, content, revision + 1);
            Commit(log, new StoreEvent(expected is null ? StoreEventType.Added : StoreEventType.Modified, stored, expected));
            return stored;
        }
    }

    /// <summary>Removes the object when it is still in this state; the last state, with the number of the removal, or null when another write came first.</summary>
    public StoredObject? Remove(StoredObject expected, JsonObject? lastContent = null)
    {
        var log = Log(expected.Type);
        lock (gate)
        {
            if (!ReferenceEquals(log.Get(expected.Namespace, expected.Name), expected)) return null;
            var content = lastContent ?? expected.Read();
            content.Metadata()["resourceVersion"] = (revision + 1).ToString(System.Globalization.CultureInfo.InvariantCulture);
            var last = new StoredObject(expected.Type, content, revision + 1);
            Commit(log, new StoreEvent(StoreEventType.Deleted, last, expected));
            return last;
        }
    }

    private void Commit(ResourceLog log, StoreEvent change)
    {
        Volatile.Write(ref revision, change.Object.ResourceVersion);
        if (change.Previous is { } previous)
        {
            byUid.Remove(previous.Uid);
            foreach (var owner in previous.Owners)
            {
                if (dependents.TryGetValue(owner.Uid, out var uids) && uids.Remove(previous.Uid) && uids.Count == 0) dependents.Remove(owner.Uid);
            }
        }

        if (change.Type != StoreEventType.Deleted)
        {
            byUid[change.Object.Uid] = change.Object;
            foreach (var owner in change.Object.Owners)
            {
                if (!dependents.TryGetValue(owner.Uid, out var uids)) dependents[owner.Uid] = uids = new(StringComparer.Ordinal);
                uids.Add(change.Object.Uid);
            }
        }

        log.Append(change);
        OnChange?.Invoke(change);
    }
}
