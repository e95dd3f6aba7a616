using System.Collections.Immutable;

namespace Fabrik.Sandbox.Store;

/// <summary>
/// The objects of one resource and its last changes. Each change keeps the (shared) set of objects as it was, so that pages of a long
/// list and lists at an old version come from one moment. Changes older than the window are gone: their readers get 410.
/// </summary>
public sealed class ResourceLog
{
    private static readonly IComparer<Entry> ByKey = Comparer<Entry>.Create((left, right) =>
    {
        var ns = string.CompareOrdinal(left.Namespace, right.Namespace);
        return ns != 0 ? ns : string.CompareOrdinal(left.Name, right.Name);
    });

    private readonly Change[] ring;
    private readonly Lock gate;
    private readonly Func<long> revision;
    private readonly Dictionary<(string, string), StoredObject> current = [];
    private ImmutableSortedSet<Entry> objects = ImmutableSortedSet.Create(ByKey);
    private long first;
    private long next;
    private TaskCompletionSource changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool awaited;
    private (long Version, ImmutableSortedSet<Entry> Objects) horizon;

    internal ResourceLog(int window, Lock gate, Func<long> revision)
    {
        ring = new Change[window];
        this.gate = gate;
        this.revision = revision;
        horizon = (0, objects);
    }

    public StoredObject? Get(string ns, string name)
    {
        lock (gate) return current.GetValueOrDefault((ns, name));
    }

    /// <summary>The objects now, the store's version now, and the cursor from which <see cref="Read"/> goes on without a gap.</summary>
    public Snapshot Now()
    {
        lock (gate) return new(revision(), objects, next);
    }

    /// <summary>The objects as they were at a version; null when that is no longer known.</summary>
    public Snapshot? At(long version)
    {
        lock (gate)
        {
            if (version < horizon.Version) return null;
            var low = first;
            var high = next;
            while (low < high)
            {
                var middle = (low + high) / 2;
                if (ring[middle % ring.Length].Event.Object.ResourceVersion <= version) low = middle + 1;
                else high = middle;
            }

            return new(version, low == first ? horizon.Objects : ring[(low - 1) % ring.Length].Objects, low);
        }
    }

    /// <summary>
    /// Up to 256 changes from a cursor on and the cursor after them; when there is none yet, <see cref="Batch.Changed"/> completes with the next one.
    /// <see cref="Batch.Version"/> is the version up to which nothing is missing once the batch has been read. Null when the cursor fell out of the window.
    /// </summary>
    public Batch? Read(long cursor)
    {
        lock (gate)
        {
            if (cursor < first) return null;
            var count = (int)Math.Min(next - cursor, 256);
            if (count == 0)
            {
                awaited = true;
                return new([], cursor, revision(), changed.Task);
            }

            var events = new StoreEvent[count];
            for (var i = 0; i < count; i++) events[i] = ring[(cursor + i) % ring.Length].Event;
            return new(events, cursor + count, cursor + count == next ? revision() : events[^1].Object.ResourceVersion, Task.CompletedTask);
        }
    }

    /// <summary>The oldest version from which a watch can start.</summary>
    public long Oldest
    {
        get { lock (gate) return horizon.Version; }
    }

    // The caller holds the gate.
    internal void Append(StoreEvent change)
    {
        var entry = new Entry(change.Object.Namespace, change.Object.Name, change.Object);
        objects = objects.Remove(entry);
        if (change.Type == StoreEventType.Deleted) current.Remove((entry.Namespace, entry.Name));
        else
        {
            objects = objects.Add(entry);
            current[(entry.Namespace, entry.Name)] = change.Object;
        }

        if (next - first == ring.Length)
        {
            ref var oldest = ref ring[first % ring.Length];
            horizon = (oldest.Event.Object.ResourceVersion, oldest.Objects);
            first++;
        }

        ring[next++ % ring.Length] = new(change, objects);
        if (!awaited) return;
        awaited = false;
        var waiting = changed;
        changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        waiting.SetResult();
    }

    public readonly record struct Entry(string Namespace, string Name, StoredObject Object);

    public sealed record Batch(IReadOnlyList<StoreEvent> Events, long Cursor, long Version, Task Changed);

    public sealed record Snapshot(long Version, ImmutableSortedSet<Entry> Objects, long Cursor)
    {
        /// <summary>In order of namespace and name: those of one namespace (null: of all), from behind a key on.</summary>
        public IEnumerable<StoredObject> From(string? ns, (string Namespace, string Name)? after = null)
        {
            var index = 0;
            if (after is { } key) index = IndexAfter(key.Namespace, key.Name);
            else if (ns is not null) index = IndexAfter(ns, "");
            if (index == 0)
            {
                foreach (var entry in Objects)
                {
                    if (ns is null || entry.Namespace == ns) yield return entry.Object;
                    else if (string.CompareOrdinal(entry.Namespace, ns) > 0) yield break;
                }

                yield break;
            }

            for (; index < Objects.Count; index++)
            {
                var entry = Objects[index];
                if (ns is not null && entry.Namespace != ns) yield break;
                yield return entry.Object;
            }
        }

        private int IndexAfter(string ns, string name)
        {
            var index = Objects.IndexOf(new(ns, name, null!));
            return index < 0 ? ~index : index + 1;
        }
    }

    private readonly record struct Change(StoreEvent Event, ImmutableSortedSet<Entry> Objects);
}
