using System.Text.Json;
using Fabrik.Runs;
using Fabrik.Storage;
using Fabrik.Tests.Runs;
using Fabrik.Tests.Support;

namespace Fabrik.Tests.Api;

public class RunsApiTests
{
    [Fact]
    public async Task Pages_give_every_run_once()
    {
        await using var host = await StartAsync();
        var met = new List<string>();
        string? cursor = null;
        do
        {
            var page = await host.JsonAsync($"{Names.Paths.Runs}?limit=5{(cursor is null ? "" : $"&cursor={cursor}")}");
            met.AddRange(page.GetProperty("items").EnumerateArray().Select(item => item.GetProperty("id").GetString()!));
            cursor = page.TryGetProperty("next", out var next) ? next.GetString() : null;
        }
        while (cursor is not null);
        met.ShouldBe(host.Database.All().Select(run => run.Id));

        // What is not known is left out, save the duration, which a table wants in each row.
        var running = (await host.JsonAsync($"{Names.Paths.Runs}?outcome=running")).GetProperty("items")[0];
        running.TryGetProperty("reason", out _).ShouldBeFalse();
        running.GetProperty("durationSeconds").ValueKind.ShouldBe(JsonValueKind.Null);
    }

    [Theory]
    [InlineData("outcome=deadline", "deadline")]
    [InlineData("outcome=failed&arm=unassigned", "oom")]
    [InlineData("namespace=default", "plain")]
    [InlineData("name=minutely-&since=2026-11-20T21:12:30Z", "minutely-29920153")]
    [InlineData("until=2026-11-20T21:11:23.5%2B00:00&name=he", "hello")]
    [InlineData("sort=duration&limit=1", "oom")]
    [InlineData("sort=finished&order=asc&outcome=succeeded&specType=impl", "train-drqz6")]
    public async Task Filters_and_orders_are_applied(string query, string names)
    {
        await using var host = await StartAsync();
        var page = await host.JsonAsync($"{Names.Paths.Runs}?{query}");
        string.Join(",", page.GetProperty("items").EnumerateArray().Select(item => item.GetProperty("name").GetString())).ShouldBe(names);
    }

    [Fact]
    public async Task One_run_is_found_by_uid_and_by_namespace_and_name()
    {
        await using var host = await StartAsync();
        var oom = host.Database.All().Single(run => run.Name == "oom");
        foreach (var path in (string[])[oom.Id, "ci/oom"])
        {
            var got = (await host.JsonAsync($"{Names.Paths.Runs}/{path}")).Deserialize(RunJson.Default.Run)!;
            got.ShouldBe(oom);
        }
    }

    [Fact]
    public async Task A_run_comes_with_what_it_used_and_with_why_some_of_it_is_not_known()
    {
        await using var host = await StartAsync();
        var oom = host.Database.All().Single(run => run.Name == "oom");
        (await host.JsonAsync($"{Names.Paths.Runs}/{oom.Id}")).TryGetProperty("usage", out _).ShouldBeFalse("nobody has looked yet");
        var usage = new RunUsage { Source = UsageSource.MetricsServer, PeakMemoryBytes = 123, Samples = 4, Missing = new MissingSources(UsageGap.TimedOut), Settled = true };
        new UsageStore(host.Database.Database).Settle([(oom.Id, usage)]);
        var shown = (await host.JsonAsync($"{Names.Paths.Runs}/{oom.Id}")).GetProperty("usage");
        shown.GetRawText().ShouldBe("""{"source":"metrics-server","peakMemoryBytes":123,"samples":4,"missing":{"prometheus":"timed_out"},"settled":true}""");
        (await host.JsonAsync($"{Names.Paths.Runs}?name=oom")).GetProperty("items")[0].GetProperty("usage").GetRawText().ShouldBe(shown.GetRawText());
    }

    [Theory]
    [InlineData("?color=red", 400, "FAB-2004")]
    [InlineData("?limit=0", 400, "FAB-2004")]
    [InlineData("?limit=501", 400, "FAB-2004")]
    [InlineData("?limit=5&limit=6", 400, "FAB-2004")]
    [InlineData("?arm=left", 400, "FAB-2004")]
    [InlineData("?since=yesterday", 400, "FAB-2004")]
    [InlineData("?cursor=abc", 400, "FAB-2004")]
    [InlineData("?namespace=a%27%20OR%201=1", 400, "FAB-2004")]
    [InlineData("?name=", 400, "FAB-2004")]
    [InlineData("/00000000-0000-0000-0000-000000000000", 404, "FAB-2005")]
    [InlineData("/ci/nothing", 404, "FAB-2005")]
    [InlineData("/ci/oom?x=1", 400, "FAB-2004")]
    [InlineData("/a/b/c", 404, "FAB-2006")]
    public async Task What_cannot_be_answered_is_refused_with_a_stable_id(string rest, int status, string code)
    {
        await using var host = await StartAsync();
        (await host.ProblemAsync(Names.Paths.Runs + rest)).ShouldBe((status, code));
    }

    [Fact]
    public async Task A_cursor_of_another_order_is_refused()
    {
        await using var host = await StartAsync();
        var cursor = (await host.JsonAsync($"{Names.Paths.Runs}?limit=1")).GetProperty("next").GetString();
        (await host.ProblemAsync($"{Names.Paths.Runs}?limit=1&order=asc&cursor={cursor}")).ShouldBe((400, "FAB-2004"));
    }

    [Theory]
    [InlineData("POST")]
    [InlineData("DELETE")]
    [InlineData("PATCH")]
    public async Task Nothing_can_be_written(string method)
    {
        await using var host = await StartAsync();
        (await host.ProblemAsync(Names.Paths.Runs, method: new HttpMethod(method))).ShouldBe((405, "FAB-2007"));
    }

    [Fact]
    public async Task Answers_carry_the_headers_that_keep_browsers_from_harm()
    {
        await using var host = await StartAsync();
        using var answer = await host.SendAsync(Names.Paths.Runs);
        answer.Headers.GetValues("X-Content-Type-Options").ShouldBe(["nosniff"]);
        answer.Headers.CacheControl!.NoStore.ShouldBeTrue();
        answer.Headers.Contains("Server").ShouldBeFalse();
    }

    [Fact]
    public void Every_error_is_explained_where_it_points_to()
    {
        var explained = File.ReadAllText(Path.Combine(TestData.Checkout, Names.Documents.Errors));
        foreach (var id in Enumerable.Range(2001, 10).Select(number => $"FAB-{number}")) explained.ShouldContain($"## {id}\n");
    }

    private static async Task<ApiHost> StartAsync()
    {
        var host = await ApiHost.StartAsync();
        var ledger = Recording.Ledger();
        foreach (var change in Recording.All) ledger.Tell(change);
        host.Database.Store.Write(ledger.Take(int.MaxValue));
        return host;
    }
}
