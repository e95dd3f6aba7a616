using System.Runtime.CompilerServices;
using System.Text;
using Fabrik.Kubernetes;
using Fabrik.Kubernetes.Watching;
using Fabrik.Tests.Support;

namespace Fabrik.Tests.Kubernetes;

/// <summary>Watch streams of a real API server, cut wherever a connection can break.</summary>
public class RecordedStreamTests
{
    private static readonly Dictionary<string, ResourceKind> Kind = new(StringComparer.Ordinal) { ["jobs"] = Kinds.Job, ["pods"] = Kinds.Pod, ["cronjobs"] = Kinds.CronJob, ["events"] = Kinds.Event };

    public static TheoryData<string> Streams => [.. Kind.Keys];

    [Theory]
    [InlineData("cronjobs")]
    public async Task A_stream_cut_at_any_byte_and_resumed_tells_what_the_uncut_one_tells(string name)
    {
        var recorded = TestData.Bytes($"watch/{name}.ndjson");
        var whole = await FollowAsync(name, recorded);
        whole.Count.ShouldBeGreaterThan(5);
        for (var cut = 0; cut <= recorded.Length; cut++)
        {
            var told = new List<string>();
            var replica = new Replica(change => told.Add(Describe(change)));
            replica.BeginSnapshot();
            await FeedAsync(replica, name, recorded.AsMemory(0, cut));
            await ResumeAsync(replica, name, recorded);
            if (!told.SequenceEqual(whole)) told.ShouldBe(whole, $"cut at byte {cut}");
        }
    }

    // The long streams: a cut inside of a line must leave the replica exactly as the line before left it, so that going on from there is
    // the same as never having been cut; at a few cuts of each line the rest is followed as well.
    [Theory]
    [MemberData(nameof(Streams))]
    public async Task A_line_cut_at_any_byte_changes_nothing_and_is_told_once_when_the_watch_goes_on(string name)
    {
        var lines = Lines(TestData.Bytes($"watch/{name}.ndjson"));
        var told = new List<string>();
        var replica = new Replica(change => told.Add(Describe(change)));
        replica.BeginSnapshot();
        foreach (var line in lines)
        {
            var (items, version, count) = (replica.Items, replica.ResourceVersion, told.Count);
            for (var cut = 0; cut <= line.Length; cut++)
            {
                using var reader = new LineReader(new MemoryStream(line, 0, cut));
                if (await reader.ReadAsync(default) is not null) Assert.Fail($"a line out of {cut} bytes of {line.Length}");
            }

            await FeedAsync(replica, name, Join([line]));
            if (version is null) continue;
            var after = told.Skip(count).ToList();
            foreach (var cut in new[] { 0, 1, line.Length / 2, line.Length - 1, line.Length, line.Length + 1 })
            {
                var again = new List<string>();
                var resumed = new Replica(change => again.Add(Describe(change)));
                resumed.BeginSnapshot();
                foreach (var item in items.Values) resumed.Add(item);
                resumed.EndSnapshot(version);
                again.Clear();
                await FeedAsync(resumed, name, Join([line]).AsMemory(0, cut));
                await ResumeAsync(resumed, name, Join([line]));
                again.ShouldBe(after, $"cut at byte {cut} of {Encoding.UTF8.GetString(line)[..80]}");
                resumed.ResourceVersion.ShouldBe(replica.ResourceVersion);
                resumed.Items.Keys.ShouldBe(replica.Items.Keys, ignoreOrder: true);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Streams))]
    public async Task A_stream_in_pieces_of_any_size_gives_the_same_lines(string name)
    {
        var recorded = TestData.Bytes($"watch/{name}.ndjson");
        var lines = Lines(recorded);
        foreach (var size in new[] { 1, 2, 3, 7, 64, 4095, 4096, 4097, 32768, 100_000 })
        {
            using var reader = new LineReader(new Pieces(recorded, size));
            for (var i = 0; i < lines.Count; i++) (await reader.ReadAsync(default))!.Value.Span.SequenceEqual(lines[i]).ShouldBeTrue($"line {i} in pieces of {size}");
            (await reader.ReadAsync(default)).ShouldBeNull();
        }
    }

    [Theory]
    [MemberData(nameof(Streams))]
    public async Task A_server_that_repeats_everything_after_a_cut_tells_nothing_twice(string name)
    {
        var recorded = TestData.Bytes($"watch/{name}.ndjson");
        var whole = await FollowAsync(name, recorded);
        var told = new List<string>();
        var replica = new Replica(change => told.Add(Describe(change)));
        replica.BeginSnapshot();
        await FeedAsync(replica, name, recorded.AsMemory(0, recorded.Length * 2 / 3));
        await FeedAsync(replica, name, recorded);
        told.ShouldBe(whole);
    }

    [Fact]
    public async Task The_recorded_410_is_an_expired_version()
    {
        var replica = new Replica(_ => { });
        var error = await Should.ThrowAsync<KubernetesException>(() => FeedAsync(replica, "jobs", TestData.Bytes("watch/410-gone.ndjson")));
        error.IsExpired.ShouldBeTrue();
        error.Message.ShouldContain("too old resource version: 1 (327)");
    }

    [Fact]
    public async Task The_end_of_the_recorded_jobs_is_what_was_left_in_the_cluster()
    {
        var replica = new Replica(_ => { });
        replica.BeginSnapshot();
        await FeedAsync(replica, "jobs", TestData.Bytes("watch/jobs.ndjson"));
        replica.ResourceVersion.ShouldBe("534");
        replica.Items.Keys.Order(StringComparer.Ordinal).ShouldBe(
            ["ci/bybot", "ci/deadline", "ci/hello", "ci/manual", "ci/minutely-29920152", "ci/minutely-29920153", "ci/oom", "ci/ssa", "ci/train-drqz6", "default/plain"]);
        foreach (var job in replica.Items.Values)
        {
            job.Kind.ShouldBe("Job");
            job.Json.GetProperty("metadata").TryGetProperty("managedFields", out _).ShouldBeFalse();
        }
    }

    private static string Describe(WatchEvent change) => $"{change.Type} {change.Object.Key} {change.Object.Uid} {change.Object.ResourceVersion} after {change.Previous?.ResourceVersion}";

    private static async Task<List<string>> FollowAsync(string name, byte[] recorded)
    {
        var told = new List<string>();
        var replica = new Replica(change => told.Add(Describe(change)));
        replica.BeginSnapshot();
        await FeedAsync(replica, name, recorded);
        return told;
    }

    // A server goes on behind the version asked for, or begins again when there is none.
    private static async Task ResumeAsync(Replica replica, string name, byte[] recorded)
    {
        if (replica.ResourceVersion is not { } version)
        {
            replica.BeginSnapshot();
            await FeedAsync(replica, name, recorded);
            return;
        }

        var last = ulong.Parse(version);
        await FeedAsync(replica, name, Join(Versions.GetValue(recorded, bytes => [.. Lines(bytes).Select(line => (line, ulong.Parse(WatchLine.Parse(line, Kind[name], true).Object.ResourceVersion!)))])
            .Where(line => line.Version > last).Select(line => line.Line)));
    }

    private static readonly ConditionalWeakTable<byte[], List<(byte[] Line, ulong Version)>> Versions = [];

    private static async Task FeedAsync(Replica replica, string name, ReadOnlyMemory<byte> bytes)
    {
        using var reader = new LineReader(new MemoryStream(bytes.ToArray()));
        while (await reader.ReadAsync(default) is { } line) replica.Apply(WatchLine.Parse(line, Kind.GetValueOrDefault(name, Kinds.Job), true));
    }

    private static List<byte[]> Lines(byte[] recorded) => [.. Encoding.UTF8.GetString(recorded).TrimEnd('\n').Split('\n').Select(Encoding.UTF8.GetBytes)];

    private static byte[] Join(IEnumerable<byte[]> lines) => [.. lines.SelectMany(line => line.Append((byte)'\n'))];

    private sealed class Pieces(byte[] bytes, int size) : MemoryStream(bytes)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => base.ReadAsync(buffer[..Math.Min(size, buffer.Length)], cancellationToken);
    }
}
