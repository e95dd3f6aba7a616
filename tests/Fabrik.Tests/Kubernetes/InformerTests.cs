using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.Kubernetes;
using Fabrik.Tests.Support;
using Microsoft.AspNetCore.Http;

namespace Fabrik.Tests.Kubernetes;

public sealed class InformerTests : IAsyncLifetime
{
    private static readonly TimeSpan Generous = TimeSpan.FromSeconds(60);

    // Pauses are shorter than this; what else waits (silence, requests) waits longer.
    private static readonly TimeSpan Backoff = TimeSpan.FromSeconds(30);

    private readonly FakeCluster cluster = new();
    private readonly TestClock clock = new();
    private readonly ConcurrentQueue<string> told = new();
    private readonly SemaphoreSlim telling = new(0);
    private readonly CancellationTokenSource stop = new();
    private FakeApiServer server = null!;
    private KubernetesClient client = null!;
    private Informer informer = null!;
    private Task running = Task.CompletedTask;

    public async ValueTask InitializeAsync()
    {
        server = await FakeApiServer.StartAsync(cluster.Answer);
        client = new KubernetesClient(server.Config, clock) { Timeout = TimeSpan.FromHours(1) };
        cluster.Put(Kinds.Job, "ci", "a");
        cluster.Put(Kinds.Job, "ci", "b");
    }

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        await running.WaitAsync(Generous);
        client.Dispose();
        await server.DisposeAsync();
    }

    [Fact]
    public async Task It_tells_what_is_there_then_each_change_and_knows_the_state()
    {
        await StartAsync();
        informer.Items.Keys.Order().ShouldBe(["ci/a", "ci/b"]);
        cluster.Put(Kinds.Job, "ci", "a", value: "2");
        cluster.Delete(Kinds.Job, "ci", "b");
        cluster.Put(Kinds.Job, "cd", "c");
        await ToldAsync("Added ci/a", "Added ci/b", "Modified ci/a", "Deleted ci/b", "Added cd/c");
        ShouldMirror();
    }

    [Fact]
    public async Task On_a_server_without_streaming_lists_it_pages_and_then_watches()
    {
        cluster.StreamingLists = false;
        for (var i = 0; i < 25; i++) cluster.Put(Kinds.Job, "ci", $"many-{i:00}");
        await StartAsync(new InformerOptions { PageSize = 10 });
        ShouldMirror();
        cluster.Put(Kinds.Job, "ci", "late");
        await ToldAsync(28);
        ShouldMirror();
        server.Requests.Count(request => request.Query.ContainsKey("continue")).ShouldBe(2);
        informer.Items["ci/many-03"].Json.GetProperty("kind").GetString().ShouldBe("Job");
        informer.Items["ci/many-03"].Json.GetProperty("metadata").TryGetProperty("managedFields", out _).ShouldBeFalse();
    }

    [Fact]
    public async Task A_namespace_and_selectors_go_into_every_request()
    {
        await StartAsync(new InformerOptions { Namespace = "ci", LabelSelector = "a=b,c!=d", FieldSelector = "status.phase=Running", KeepManagedFields = true });
        var request = server.Requests.Single();
        request.Path.ShouldBe("/apis/batch/v1/namespaces/ci/jobs");
        request.Query["labelSelector"].ToString().ShouldBe("a=b,c!=d");
        request.Query["fieldSelector"].ToString().ShouldBe("status.phase=Running");
        request.Query["allowWatchBookmarks"].ToString().ShouldBe("true");
        request.Query["resourceVersionMatch"].ToString().ShouldBe("NotOlderThan");
        informer.Items["ci/a"].Json.GetProperty("metadata").TryGetProperty("managedFields", out _).ShouldBeTrue();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task After_a_410_it_takes_a_new_snapshot_and_tells_the_differences(bool asStatus)
    {
        await StartAsync();
        var refused = 0;
        if (asStatus)
        {
            server.Answer = context => context.Request.Query.ContainsKey("resourceVersion") && Interlocked.Exchange(ref refused, 1) == 0
                ? FakeCluster.Fail(context, 410, "Expired", "too old resource version")
                : cluster.Answer(context);
        }

        var hole = new TaskCompletionSource();
        var answer = server.Answer;
        server.Answer = async context =>
        {
            await hole.Task; // nobody watches while all this happens
            await answer(context);
        };
        cluster.CloseWatches();
        await BackoffAsync(); // the watch had ended without an event
        await RequestsAsync(2);
        cluster.Delete(Kinds.Job, "ci", "a");
        cluster.Put(Kinds.Job, "ci", "b", uid: "another");
        cluster.Put(Kinds.Job, "ci", "c");
        cluster.Compact();
        hole.SetResult();
        await BackoffAsync();
        await ToldAsync("Added ci/a", "Added ci/b", "Deleted ci/a", "Deleted ci/b", "Added ci/b", "Added ci/c");
        ShouldMirror();
    }

    [Fact]
    public async Task What_happens_between_two_watches_is_told_once()
    {
        await StartAsync();
        cluster.Put(Kinds.Job, "ci", "b", value: "lively");
        await ToldAsync(3);
        for (var round = 0; round < 5; round++)
        {
            cluster.CloseWatches();
            cluster.Put(Kinds.Job, "ci", "a", value: $"{round}");
            await ToldAsync(4 + round);
        }

        ShouldMirror();
    }

    [Fact]
    public async Task A_connection_without_events_and_bookmarks_is_taken_for_dead()
    {
        await StartAsync();
        await UntilAsync(() => clock.Next == TimeSpan.FromSeconds(130));
        clock.Advance(TimeSpan.FromSeconds(129));
        server.Requests.Count.ShouldBe(1);
        informer.Staleness.ShouldBe(TimeSpan.FromSeconds(129));
        cluster.Bookmark(Kinds.Job);
        await UntilAsync(() => informer.Staleness == TimeSpan.Zero && clock.Next == TimeSpan.FromSeconds(130));
        clock.Advance(TimeSpan.FromSeconds(129));
        server.Requests.Count.ShouldBe(1);
        clock.Advance(TimeSpan.FromSeconds(2));
        await UntilAsync(() => informer.LastError is not null);
        await BackoffAsync();
        await RequestsAsync(2);
        server.Requests.Last().Query["resourceVersion"].ToString().ShouldBe("102");
    }

    [Fact]
    public async Task A_handler_that_throws_is_told_the_next_change_all_the_same()
    {
        await StartAsync(new InformerOptions
        {
            OnEvent = change =>
            {
                Tell(change);
                throw new InvalidOperationException("of the handler");
            },
        });
        cluster.Put(Kinds.Job, "ci", "a", value: "2");
        await ToldAsync("Added ci/a", "Added ci/b", "Modified ci/a");
        informer.LastError.ShouldBeNull();
        ShouldMirror();
    }

    [Fact]
    public async Task It_waits_longer_with_each_failure_and_says_why()
    {
        server.Answer = context => FakeCluster.Fail(context, 403, "Forbidden", "jobs.batch is forbidden");
        informer = new Informer(client, Kinds.Job, clock, new InformerOptions());
        running = informer.RunAsync(stop.Token);
        var waits = new List<double>();
        for (var failure = 1; failure <= 10; failure++) waits.Add((await BackoffAsync()).TotalSeconds);
        foreach (var (wait, full) in waits.Zip([0.5, 1, 2, 4, 8, 16, 30, 30, 30, 30])) wait.ShouldBeInRange(full / 2, full);
        informer.Synchronised.ShouldBeFalse();
        informer.Staleness.ShouldBe(TimeSpan.MaxValue);
        informer.LastError.ShouldBeOfType<KubernetesException>().IsForbidden.ShouldBeTrue();
    }

    [Fact]
    public async Task A_server_whose_watches_always_expire_is_not_listed_in_a_tight_loop()
    {
        cluster.StreamingLists = false;
        server.Answer = context => context.Request.Query.ContainsKey("resourceVersion") ? FakeCluster.Fail(context, 410, "Expired", "too old") : cluster.Answer(context);
        await StartAsync();
        for (var end = clock.GetUtcNow() + TimeSpan.FromMinutes(1); clock.GetUtcNow() < end;) await BackoffAsync();
        server.Requests.Count(request => !request.Query.ContainsKey("watch")).ShouldBeInRange(2, 12);
    }

    [Fact]
    public async Task A_server_that_never_ends_the_initial_events_is_listed_instead()
    {
        server.Answer = async context =>
        {
            if (!context.Request.Query.ContainsKey("sendInitialEvents"))
            {
                await cluster.Answer(context);
                return;
            }

            await context.Response.WriteAsync("""{"type":"ADDED","object":{"kind":"Job","metadata":{"name":"a","namespace":"ci","uid":"1","resourceVersion":"5"} } }""" + "\n");
            await context.Response.Body.FlushAsync();
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, context.RequestAborted);
        };
        informer = new Informer(client, Kinds.Job, clock, new InformerOptions { OnEvent = Tell });
        running = informer.RunAsync(stop.Token);
        await UntilAsync(() => clock.Next == TimeSpan.FromSeconds(30));
        clock.Advance(TimeSpan.FromSeconds(30));
        await BackoffAsync();
        await ToldAsync("Added ci/a", "Added ci/b");
        ShouldMirror();
    }

    [Fact]
    public async Task A_recorded_stream_over_connections_that_are_cut_again_and_again_is_told_as_recorded()
    {
        var lines = TestData.Text("watch/jobs.ndjson").Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => (Version: ulong.Parse(JsonNode.Parse(line)!["object"]!["metadata"]!["resourceVersion"]!.GetValue<string>()), Line: line)).ToList();
        var expected = lines.Where(line => !line.Line.StartsWith("""{"type":"BOOKMARK""", StringComparison.Ordinal)).Select(line => $"{line.Version}").ToList();
        var connections = 0;
        server.Answer = async context =>
        {
            var from = context.Request.Query["resourceVersion"].ToString() is { Length: > 0 } asked ? ulong.Parse(asked) : 0;
            var rest = System.Text.Encoding.UTF8.GetBytes(string.Concat(lines.Where(line => line.Version > from).Select(line => line.Line + "\n")));
            var cut = 5000 + Interlocked.Increment(ref connections) * 7919 % 9000;
            if (cut < rest.Length) context.Response.ContentLength = rest.Length; // so that the connection breaks, behind the last byte
            await context.Response.Body.WriteAsync(rest.AsMemory(0, Math.Min(cut, rest.Length)));
            await context.Response.Body.FlushAsync();
            if (cut >= rest.Length) await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, context.RequestAborted);
        };
        var versions = new ConcurrentQueue<string>();
        informer = new Informer(client, Kinds.Job, clock, new InformerOptions { OnEvent = change => versions.Enqueue(change.Object.ResourceVersion!) });
        running = informer.RunAsync(stop.Token);
        while (versions.Count < expected.Count)
        {
            await UntilAsync(() => versions.Count >= expected.Count || clock.Next < Backoff);
            if (versions.Count < expected.Count) await BackoffAsync();
        }

        versions.ShouldBe(expected);
        connections.ShouldBeGreaterThan(10);
    }

    [Fact]
    public async Task It_returns_when_cancelled_at_once()
    {
        await StartAsync();
        await stop.CancelAsync();
        await running.WaitAsync(Generous);
        running.IsCompletedSuccessfully.ShouldBeTrue();
    }

    [Fact]
    public async Task A_line_that_is_no_event_breaks_the_watch_and_not_the_informer()
    {
        await StartAsync();
        var strange = 0;
        server.Answer = context => Interlocked.Increment(ref strange) == 1 ? FakeApiServer.Reply(context, 200, "<html>\n") : cluster.Answer(context);
        cluster.CloseWatches();
        await BackoffAsync();
        await UntilAsync(() => informer.LastError is not null);
        informer.LastError.ShouldBeOfType<KubernetesException>().Reason.ShouldBe(KubernetesException.NotKubernetes);
        await BackoffAsync();
        cluster.Put(Kinds.Job, "ci", "c");
        await ToldAsync("Added ci/a", "Added ci/b", "Added ci/c");
    }

    private async Task StartAsync(InformerOptions? options = null)
    {
        options ??= new InformerOptions();
        informer = new Informer(client, Kinds.Job, clock, options with { OnEvent = options.OnEvent ?? Tell });
        running = informer.RunAsync(stop.Token);
        var synchronised = informer.WaitForSyncAsync(stop.Token);
        while (!synchronised.IsCompleted)
        {
            // From streaming lists to plain ones there is a pause.
            await UntilAsync(() => synchronised.IsCompleted || clock.Next < Backoff);
            if (!synchronised.IsCompleted) await BackoffAsync();
        }
    }

    private void Tell(WatchEvent change)
    {
        told.Enqueue($"{change.Type} {change.Object.Key}");
        telling.Release();
    }

    private async Task ToldAsync(int count)
    {
        while (told.Count < count) (await telling.WaitAsync(Generous)).ShouldBeTrue($"told {string.Join(", ", told)}; error {informer.LastError}");
    }

    private async Task ToldAsync(params string[] expected)
    {
        await ToldAsync(expected.Length);
        told.ToArray().ShouldBe(expected);
    }

    private Task RequestsAsync(int count) => UntilAsync(() => server.Requests.Count >= count);

    /// <summary>Waits until the informer pauses before it tries again, and ends the pause.</summary>
    private async Task<TimeSpan> BackoffAsync()
    {
        var pause = TimeSpan.Zero;
        await UntilAsync(() => clock.Next is { } next && (pause = next) < Backoff);
        clock.Advance(pause);
        return pause;
    }

    private static async Task UntilAsync(Func<bool> condition)
    {
        for (var i = 0; !condition(); i++)
        {
            i.ShouldBeLessThan(12_000);
            await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System);
        }
    }

    private void ShouldMirror() =>
        informer.Items.Values.Select(item => FakeCluster.Describe(JsonSerializer.SerializeToNode(item.Json)!)).Order(StringComparer.Ordinal).ShouldBe(cluster.State(Kinds.Job));
}
