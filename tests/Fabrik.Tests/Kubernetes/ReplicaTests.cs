using System.Text;
using Fabrik.Kubernetes;
using Fabrik.Kubernetes.Watching;
using FsCheck;
using FsCheck.Fluent;

namespace Fabrik.Tests.Kubernetes;

/// <summary>Any server history, any interleaving of cuts, repetitions, bookmarks and new snapshots.</summary>
public class ReplicaTests
{
    private enum Act
    {
        Put,
        Replace,
        Remove,
        Read,
        Repeat,
        Bookmark,
        List,
        BrokenList,
        Expire,
    }

    [Fact]
    public void Whatever_breaks_the_told_changes_are_in_order_once_each_and_end_in_the_state_of_the_server()
    {
        var step = Gen.Zip(Gen.Elements(Enum.GetValues<Act>().Concat([Act.Put, Act.Put, Act.Read, Act.Read, Act.Read]).ToArray()), Gen.Choose(0, 3));
        var history = Gen.ListOf(step).Select(steps => steps.ToArray());
        Prop.ForAll(Arb.From(history), steps => Run(steps)).Check(Config.QuickThrowOnFailure.WithMaxTest(3000).WithEndSize(120));
    }

    private static bool Run((Act Act, int Which)[] steps)
    {
        var server = new Dictionary<string, (int Uid, int Version)>(StringComparer.Ordinal);
        var log = new List<(int Version, string Line)>();
        var (version, uids) = (10, 0);

        var mirror = new Dictionary<string, (string Uid, int Version)>(StringComparer.Ordinal);
        var replica = new Replica(change =>
        {
            // A consumer that is told one change twice, or two in the wrong order, or misses one, notices here.
            var (key, uid, at) = (change.Object.Key, change.Object.Uid!, int.Parse(change.Object.ResourceVersion!));
            switch (change.Type)
            {
                case WatchEventType.Added:
                    change.Previous.ShouldBeNull();
                    mirror.ContainsKey(key).ShouldBeFalse();
                    mirror[key] = (uid, at);
                    break;
                case WatchEventType.Modified:
                    mirror[key].Uid.ShouldBe(uid);
                    mirror[key].Version.ShouldBeLessThan(at);
                    change.Previous!.ResourceVersion.ShouldBe($"{mirror[key].Version}");
                    mirror[key] = (uid, at);
                    break;
                default:
                    mirror[key].Uid.ShouldBe(uid);
                    change.Previous!.ResourceVersion.ShouldBe($"{mirror[key].Version}");
                    mirror.Remove(key);
                    break;
            }
        });

        foreach (var (act, which) in steps)
        {
            var name = $"n{which}";
            switch (act)
            {
                case Act.Put:
                    Put(name);
                    break;
                case Act.Replace:
                    Remove(name);
                    Put(name);
                    break;
                case Act.Remove:
                    Remove(name);
                    break;
                case Act.Read:
                    Read(1 + which);
                    break;
                case Act.Repeat:
                    // The server sends again what was seen already.
                    if (replica.ResourceVersion is { } last) Feed(log.Where(entry => entry.Version <= int.Parse(last)).TakeLast(5));
                    break;
                case Act.Bookmark:
                    Read(int.MaxValue);
                    if (replica.ResourceVersion is not null) Feed([(version, Line("BOOKMARK", "", 0, version))]);
                    break;
                case Act.List:
                    List(int.MaxValue);
                    break;
                case Act.BrokenList:
                    List(which);
                    break;
                default:
                    replica.Expire();
                    break;
            }
        }

        if (replica.ResourceVersion is null) List(int.MaxValue);
        Read(int.MaxValue);
        var state = server.Select(pair => $"{pair.Key} {pair.Value.Uid} {pair.Value.Version}").Order().ToList();
        mirror.Select(pair => $"{pair.Key} {pair.Value.Uid} {pair.Value.Version}").Order().ShouldBe(state);
        replica.Items.Values.Select(item => $"{item.Key} {item.Uid} {item.ResourceVersion}").Order().ShouldBe(state);
        return true;

        void Put(string name)
        {
            var known = server.TryGetValue(name, out var old);
            server[name] = (known ? old.Uid : ++uids, ++version);
            log.Add((version, Line(known ? "MODIFIED" : "ADDED", name, server[name].Uid, version)));
        }

        void Remove(string name)
        {
            if (server.Remove(name, out var old)) log.Add((++version, Line("DELETED", name, old.Uid, version)));
        }

        // A watch that breaks after some events.
        void Read(int events)
        {
            if (replica.ResourceVersion is { } from) Feed(log.Where(entry => entry.Version > int.Parse(from)).Take(events).ToList());
        }

        // A streaming list that may break before its end.
        void List(int objects)
        {
            replica.BeginSnapshot();
            Feed(server.Take(objects).Select(pair => (version, Line("ADDED", pair.Key, pair.Value.Uid, pair.Value.Version))));
            if (objects == int.MaxValue) Feed([(version, Line("BOOKMARK", "", 0, version, end: true))]);
            else replica.Expire();
        }

        void Feed(IEnumerable<(int Version, string Line)> lines)
        {
            foreach (var (_, line) in lines) replica.Apply(WatchLine.Parse(Encoding.UTF8.GetBytes(line), Kinds.Job, true));
        }
    }

    [Fact]
    public void Versions_that_are_no_numbers_are_told_apart_by_equality()
    {
        var told = new List<string>();
        var replica = new Replica(change => told.Add($"{change.Type} {change.Object.ResourceVersion}"));
        replica.BeginSnapshot();
        replica.EndSnapshot("x");
        foreach (var version in new[] { "b", "b", "a", "a", "c" }) replica.Apply(WatchLine.Parse(Encoding.UTF8.GetBytes(Line("MODIFIED", "n", 1, version)), Kinds.Job, true));
        told.ShouldBe(["Added b", "Modified a", "Modified c"]);
        replica.ResourceVersion.ShouldBe("c");
    }

    [Fact]
    public void A_cluster_restored_from_a_backup_counts_from_its_own_version_again()
    {
        var told = new List<string>();
        var replica = new Replica(change => told.Add($"{change.Type} {change.Object.ResourceVersion}"));
        replica.BeginSnapshot();
        replica.Apply(Parse(Line("ADDED", "n", 1, 900)));
        replica.Apply(Parse(Line("BOOKMARK", "", 0, 1000, end: true)));
        replica.BeginSnapshot();
        replica.Apply(Parse(Line("ADDED", "n", 1, 200)));
        replica.Apply(Parse(Line("BOOKMARK", "", 0, 300, end: true)));
        replica.Apply(Parse(Line("MODIFIED", "n", 1, 301)));
        told.ShouldBe(["Added 900", "Modified 200", "Modified 301"]);
    }

    [Fact]
    public void A_deletion_of_a_replacement_that_was_never_seen_takes_what_was_told_of()
    {
        var told = new List<string>();
        var replica = new Replica(change => told.Add($"{change.Type} {change.Object.Uid}"));
        replica.BeginSnapshot();
        replica.Apply(Parse(Line("ADDED", "n", 1, 5)));
        replica.Apply(Parse(Line("BOOKMARK", "", 0, 6, end: true)));
        replica.Apply(Parse(Line("DELETED", "n", 2, 9)));
        replica.Apply(Parse(Line("DELETED", "never", 3, 10)));
        told.ShouldBe(["Added 1", "Deleted 1"]);
        replica.ResourceVersion.ShouldBe("10");
    }

    [Fact]
    public void Changes_and_deletions_before_the_end_of_the_initial_events_belong_to_them()
    {
        var told = new List<string>();
        var replica = new Replica(change => told.Add($"{change.Type} {change.Object.Name} {change.Object.ResourceVersion}"));
        replica.BeginSnapshot();
        foreach (var line in new[] { Line("ADDED", "a", 1, 5), Line("ADDED", "b", 2, 4), Line("BOOKMARK", "", 0, 5), Line("MODIFIED", "a", 1, 7), Line("DELETED", "b", 2, 8), Line("BOOKMARK", "", 0, 8, end: true) }) replica.Apply(Parse(line));
        told.ShouldBe(["Added a 7"]);
        replica.ResourceVersion.ShouldBe("8");
    }

    private static WatchLine Parse(string line) => WatchLine.Parse(Encoding.UTF8.GetBytes(line), Kinds.Job, true);

    private static string Line(string type, string name, int uid, object version, bool end = false) =>
        $$"""{"type":"{{type}}","object":{"kind":"Job","metadata":{"name":"{{name}}","uid":"{{uid}}","resourceVersion":"{{version}}","annotations":{"{{(end ? "k8s.io/initial-events-end" : "x")}}":"true"} } } }""";
}
