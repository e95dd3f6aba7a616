using System.Collections.Immutable;
using System.Globalization;

namespace Fabrik.Kubernetes.Watching;

/// <summary>
/// The state of a collection as the server last told it, and the one place where changes are told apart from repetitions:
/// whatever is cut, repeated or listed again, each change goes out once. Not thread-safe, except for reading <see cref="Items"/>.
/// </summary>
internal sealed class Replica(Action<WatchEvent> emit)
{
    private volatile ImmutableDictionary<string, KubeObject> items = ImmutableDictionary.Create<string, KubeObject>(StringComparer.Ordinal);
    private ImmutableDictionary<string, KubeObject>.Builder? snapshot;

    public ImmutableDictionary<string, KubeObject> Items => items;

    /// <summary>Where a watch goes on; null when only a new snapshot helps.</summary>
    public string? ResourceVersion { get; private set; }

    /// <summary>True once there was a whole snapshot, and ever after.</summary>
    public bool Synchronised { get; private set; }

    /// <summary>The server no longer knows <see cref="ResourceVersion"/>. Items stay until the next snapshot.</summary>
    public void Expire()
    {
        ResourceVersion = null;
        snapshot = null;
    }

    /// <summary>What was collected by a snapshot that broke off is forgotten.</summary>
    public void BeginSnapshot()
    {
        Expire();
        snapshot = ImmutableDictionary.CreateBuilder<string, KubeObject>(StringComparer.Ordinal);
    }

    public void Add(KubeObject found) => snapshot![found.Key] = found;

    /// <summary>The snapshot is whole: the differences to what was known before go out in the order in which they happened.</summary>
    public void EndSnapshot(string? resourceVersion)
    {
        var before = items;
        var after = snapshot!.ToImmutable();
        items = after;
        snapshot = null;
        ResourceVersion = string.IsNullOrEmpty(resourceVersion) ? null : resourceVersion;
        Synchronised = true;

        // A deletion was not seen, so when it happened is not known: first, because the name may have been taken again.
        foreach (var old in Ordered(before.Values.Where(old => !after.TryGetValue(old.Key, out var now) || now.Uid != old.Uid)))
            emit(new WatchEvent(WatchEventType.Deleted, old, old));

        var changed = after.Values.Where(now => !before.TryGetValue(now.Key, out var old) || old.Uid != now.Uid || old.ResourceVersion != now.ResourceVersion);
        foreach (var now in Ordered(changed))
        {
            var old = before.TryGetValue(now.Key, out var known) && known.Uid == now.Uid ? known : null;
            emit(new WatchEvent(old is null ? WatchEventType.Added : WatchEventType.Modified, now, old));
        }
    }

    public void Apply(WatchLine line)
    {
        if (snapshot is not null) Collect(line);
        else if (line.Type == WatchLineType.Bookmark) Advance(line.Object.ResourceVersion);
        else if (!Seen(line.Object.ResourceVersion)) Change(line.Type, line.Object);
    }

    private void Collect(WatchLine line)
    {
        if (line.EndsInitialEvents) EndSnapshot(line.Object.ResourceVersion);
        else if (line.Type == WatchLineType.Deleted) snapshot!.Remove(line.Object.Key);
        else if (line.Type != WatchLineType.Bookmark) Add(line.Object);
    }

    private void Change(WatchLineType type, KubeObject now)
    {
        var before = items;
        var old = before.GetValueOrDefault(now.Key);
        if (type == WatchLineType.Deleted)
        {
            items = before.Remove(now.Key);
            Advance(now.ResourceVersion);
            // Another uid under this name means that a replacement was missed: what was told of is what goes.
            if (old is not null) emit(new WatchEvent(WatchEventType.Deleted, old.Uid == now.Uid ? now : old, old));
            return;
        }

        if (old is not null && old.Uid == now.Uid && old.ResourceVersion == now.ResourceVersion)
        {
            Advance(now.ResourceVersion);
            return;
        }

        items = before.SetItem(now.Key, now);
        Advance(now.ResourceVersion);
        if (old is not null && old.Uid != now.Uid)
        {
            emit(new WatchEvent(WatchEventType.Deleted, old, old));
            old = null;
        }

        emit(new WatchEvent(old is null ? WatchEventType.Added : WatchEventType.Modified, now, old));
    }

    private static List<KubeObject> Ordered(IEnumerable<KubeObject> objects) => [.. objects.OrderBy(one => Number(one.ResourceVersion)).ThenBy(one => one.Key, StringComparer.Ordinal)];

    // Kubernetes promises that resource versions of one collection are numbers that grow; whatever else is only compared for equality.
    private bool Seen(string? version) => Number(version) is { } now && Number(ResourceVersion) is { } last && now <= last;

    private void Advance(string? version)
    {
        if (!string.IsNullOrEmpty(version) && !Seen(version)) ResourceVersion = version;
    }

    private static ulong? Number(string? version) => ulong.TryParse(version, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;
}
