using System.Text.Json.Nodes;
using Fabrik.Tests.Support;

namespace Fabrik.Tests.Sandbox.Server;

public class WatchTests
{
    private const string Jobs = "/apis/batch/v1/namespaces/default/jobs";

    [Fact]
    public async Task A_watch_goes_on_from_its_version_without_gap_and_shows_each_change_once()
    {
        await using var api = await ApiServer.StartAsync();
        var version = Version(await api.GetAsync(Jobs));
        await api.PostAsync(Jobs, ApiServer.Job("a"));
        await using var watch = await Stream.OpenAsync(api, $"{Jobs}?watch=true&resourceVersion={version}");
        await api.PostAsync(Jobs, ApiServer.Job("b"));
        await api.SendAsync("DELETE", Jobs + "/a?propagationPolicy=Background");

        (await watch.NextAsync()).ShouldBe("ADDED a");
        (await watch.NextAsync()).ShouldBe("ADDED b");
        (await watch.NextAsync()).ShouldBe("DELETED a");
    }

    [Fact]
    public async Task An_object_that_leaves_the_selection_is_deleted_for_its_watcher_and_added_when_it_enters()
    {
        await using var api = await ApiServer.StartAsync();
        await using var watch = await Stream.OpenAsync(api, $"{Jobs}?watch=true&labelSelector=on%3Dyes");
        await api.PostAsync(Jobs, ApiServer.Job("a"));
        await Label("yes");
        await Label("no");
        await Label("yes");

        (await watch.NextAsync()).ShouldBe("ADDED a");
        (await watch.NextAsync()).ShouldBe("DELETED a");
        (await watch.NextAsync()).ShouldBe("ADDED a");

        async Task Label(string value) =>
            (await api.SendAsync("PATCH", Jobs + "/a", """{"metadata":{"labels":{"on":"VALUE"}}}""".Replace("VALUE", value, StringComparison.Ordinal), "application/merge-patch+json")).ShouldBe(200);
    }

    [Fact]
    public async Task A_streaming_list_ends_with_its_bookmark_and_another_comes_each_minute()
    {
        var clock = new TestClock();
        await using var api = await ApiServer.StartAsync(new() { Clock = clock });
        await api.PostAsync(Jobs, ApiServer.Job("a"));
        await using var watch = await Stream.OpenAsync(api, $"{Jobs}?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true");

        (await watch.NextAsync()).ShouldBe("ADDED a");
        var bookmark = await watch.NextObjectAsync();
        bookmark["type"]!.GetValue<string>().ShouldBe("BOOKMARK");
        bookmark["object"]!["metadata"]!["annotations"]!["k8s.io/initial-events-end"]!.GetValue<string>().ShouldBe("true");
        bookmark["object"]!["kind"]!.GetValue<string>().ShouldBe("Job");
        while (clock.Waiting == 0) await Task.Yield();
        clock.Advance(TimeSpan.FromMinutes(1));
        (await watch.NextObjectAsync())["type"]!.GetValue<string>().ShouldBe("BOOKMARK");
    }

    [Fact]
    public async Task A_version_that_fell_out_of_the_window_is_expired_for_watches_and_continued_lists()
    {
        await using var api = await ApiServer.StartAsync(new() { EventWindow = 4 });
        for (var i = 0; i < 3; i++) await api.PostAsync(Jobs, ApiServer.Job("a" + i));
        var page = (await api.GetAsync(Jobs + "?limit=2")).Json["metadata"]!;
        for (var i = 0; i < 6; i++) await api.PostAsync(Jobs, ApiServer.Job("b" + i));

        (await api.GetAsync($"{Jobs}?limit=2&continue={page["continue"]}")).ShouldBe(410).Json["reason"]!.GetValue<string>().ShouldBe("Expired");
        await using var watch = await Stream.OpenAsync(api, $"{Jobs}?watch=true&resourceVersion={page["resourceVersion"]}");
        var error = await watch.NextObjectAsync();
        error["type"]!.GetValue<string>().ShouldBe("ERROR");
        error["object"]!["code"]!.GetValue<int>().ShouldBe(410);
        error["object"]!["message"]!.GetValue<string>().ShouldStartWith("too old resource version: ");
    }

    [Fact]
    public async Task Pages_of_a_list_come_from_one_moment()
    {
        await using var api = await ApiServer.StartAsync();
        foreach (var name in (string[])["a", "b", "c", "d", "e"]) await api.PostAsync(Jobs, ApiServer.Job(name));
        var first = (await api.GetAsync(Jobs + "?limit=2")).Json;
        await api.PostAsync(Jobs, ApiServer.Job("bb"));
        await api.PostAsync(Jobs, ApiServer.Job("dd"));
        await api.SendAsync("DELETE", Jobs + "/e?propagationPolicy=Background");

        var second = (await api.GetAsync($"{Jobs}?limit=2&continue={first["metadata"]!["continue"]}")).Json;
        var third = (await api.GetAsync($"{Jobs}?limit=2&continue={second["metadata"]!["continue"]}")).Json;

        string.Concat(new[] { first, second, third }.SelectMany(page => page["items"]!.AsArray()).Select(item => item!["metadata"]!["name"]!.GetValue<string>())).ShouldBe("abcde");
        first["metadata"]!["remainingItemCount"]!.GetValue<int>().ShouldBe(3);
        third["metadata"]!.AsObject().ContainsKey("continue").ShouldBeFalse();
    }

    private static string Version(Answer list) => list.Json["metadata"]!["resourceVersion"]!.GetValue<string>();

    private sealed class Stream(HttpResponseMessage response, StreamReader reader) : IAsyncDisposable
    {
        public static async Task<Stream> OpenAsync(ApiServer api, string path)
        {
            var response = await api.RequestAsync("GET", path);
            return new(response, new StreamReader(await response.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken)));
        }

        public async Task<JsonObject> NextObjectAsync() =>
            (JsonObject)JsonNode.Parse((await reader.ReadLineAsync(TestContext.Current.CancellationToken).AsTask().WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken))!)!;

        public async Task<string> NextAsync()
        {
            var change = await NextObjectAsync();
            return $"{change["type"]} {change["object"]!["metadata"]!["name"]}";
        }

        public ValueTask DisposeAsync()
        {
            response.Dispose();
            reader.Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
