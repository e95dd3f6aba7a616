using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Dapper;
using Fabrik.Gateway;
using Fabrik.Storage;
using Fabrik.Tests.Gateway;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;

namespace Fabrik.Tests.Api;

public class UsageApiTests
{
    private static readonly DateTimeOffset Now = TimeProvider.System.GetUtcNow();

    [Fact]
    public async Task A_batch_that_is_delivered_twice_is_counted_once()
    {
        await using var host = await ApiHost.StartAsync();
        (await PostAsync(host, Batch(Event(1), Event(2)))).ShouldBe((200, """{"inserted":2,"known":0}"""));
        (await PostAsync(host, Batch(Event(2), Event(3), Event(3)))).ShouldBe((200, """{"inserted":1,"known":2}"""));
        (await PostAsync(host, "[]")).ShouldBe((200, """{"inserted":0,"known":0}"""));
        (await host.JsonAsync(Names.Paths.Usage)).GetProperty("total").GetProperty("attempts").GetInt32().ShouldBe(3);
        using var metrics = await host.SendAsync(Names.Paths.Metrics);
        (await metrics.Content.ReadAsStringAsync()).ShouldContain("fabrik_api_usage_events_total{result=\"known\"} 2");
    }

    [Fact]
    public async Task Bad_events_are_named_by_their_places_nothing_of_the_batch_is_taken_in_and_the_rest_can_be_delivered_without_them()
    {
        await using var host = await ApiHost.StartAsync();
        JsonNode?[] batch =
        [
            Event(0), With(1, "id", "7"), Event(2), With(3, "tokens", new JsonObject { ["input"] = "many" }), JsonValue.Create(5), null, With(6, "outcome", 3), With(7, "operation", "sing"),
            With(8, "startedAt", "soon"), With(9, "provider", null), With(10, "costMicros", 1e300), Without(11, "currency"),
        ];
        var (status, text) = await PostAsync(host, Batch(batch));
        status.ShouldBe(400, text);
        var problem = JsonDocument.Parse(text).RootElement;
        problem.GetProperty("code").GetString().ShouldBe("FAB-2012");
        var invalid = problem.GetProperty("invalid").EnumerateArray().ToDictionary(one => one.GetProperty("index").GetInt32(), one => one.GetProperty("reason").GetString()!);
        invalid.Keys.ShouldBe([1, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
        invalid[1].ShouldBe("id is not a UUID in lower case");
        invalid[3].ShouldBe("tokens.input is not of its type");
        invalid[4].ShouldBe("it is not an object");
        invalid[6].ShouldBe("outcome is not of its type");
        invalid[9].ShouldBe("provider is null");
        invalid[11].ShouldBe("currency is missing");
        (await host.JsonAsync(Names.Paths.Usage)).GetProperty("total").GetProperty("attempts").GetInt32().ShouldBe(0);

        (await PostAsync(host, Batch([.. batch.Where((_, index) => !invalid.ContainsKey(index))]))).ShouldBe((200, """{"inserted":2,"known":0}"""));
    }

    [Fact]
    public async Task A_batch_of_bad_events_alone_is_answered_shortly_with_all_their_places()
    {
        await using var host = await ApiHost.StartAsync();
        var (status, text) = await PostAsync(host, $"[{string.Join(',', Enumerable.Repeat("{}", 1000))}]");
        status.ShouldBe(400);
        text.Length.ShouldBeLessThan(32 * 1024);
        JsonDocument.Parse(text).RootElement.GetProperty("invalid").EnumerateArray().Select(one => one.GetProperty("index").GetInt32()).ShouldBe(Enumerable.Range(0, 1000));
    }

    [Fact]
    public async Task What_a_newer_gateway_adds_is_ignored_and_what_a_job_names_is_kept_as_it_is()
    {
        await using var host = await ApiHost.StartAsync();
        var odd = With(1, "sentModel", "a\u0000\u001b[31m\ud83d\ude00");
        odd["novelty"] = new JsonObject { ["x"] = new JsonArray(1, 2) };
        (await PostAsync(host, Batch(odd))).ShouldBe((200, """{"inserted":1,"known":0}"""));
        (await host.JsonAsync($"{Names.Paths.Usage}?groupBy=model")).GetProperty("items")[0].GetProperty("key").GetString().ShouldBe("a\u0000\u001b[31m\ud83d\ude00");
        var broken = Encoding.UTF8.GetString(Batch(Event(2))).Replace("\"gpt-5.4-mini\"", "\"\\ud800\"", StringComparison.Ordinal);
        (await PostAsync(host, broken)).Status.ShouldBe(400);
    }

    [Theory]
    [InlineData(null, 401, "FAB-2001")]
    [InlineData("other", 401, "FAB-2001")]
    [InlineData("reader", 403, "FAB-2002")]
    [InlineData("nobody", 403, "FAB-2002")]
    public async Task Only_the_gateway_may_deliver_usage(string? token, int status, string code)
    {
        await using var host = await ApiHost.StartAsync();
        var (answered, text) = await PostAsync(host, Batch(Event(1)), token);
        (answered, JsonDocument.Parse(text).RootElement.GetProperty("code").GetString()).ShouldBe((status, code));
        if (status == 403) text.ShouldContain(Names.GatewayUser);
        (await host.JsonAsync(Names.Paths.Usage)).GetProperty("total").GetProperty("attempts").GetInt32().ShouldBe(0);
        (await host.ProblemAsync(Names.Paths.Usage, "gateway")).ShouldBe((403, "FAB-2002"));
    }

    [Fact]
    public async Task Gateways_alone_are_told_which_runs_have_ended_each_once()
    {
        await using var host = await ApiHost.StartAsync();
        host.Database.Store.Write([new Fabrik.Runs.RunChange(Runs.Some.Run() with { RunId = "run-of-a", CreatedAt = Now }, new Fabrik.Runs.Evidence { Id = "run-1", Job = new Fabrik.Runs.JobFacts { Version = 1, Namespace = "ci", Name = "a", CreatedAt = Now, Stratum = "s" } }, [], null)]);
        var told = await host.JsonAsync(Names.Paths.RunEnds, "gateway");
        told.GetProperty("ends").EnumerateArray().Single().GetProperty("runId").GetString().ShouldBe("run-of-a");
        var next = await host.JsonAsync($"{Names.Paths.RunEnds}?after={Uri.EscapeDataString(told.GetProperty("cursor").GetString()!)}", "gateway");
        (next.GetProperty("ends").GetArrayLength(), next.GetProperty("cursor").GetString()).ShouldBe((0, told.GetProperty("cursor").GetString()));

        (await host.ProblemAsync(Names.Paths.RunEnds, "reader")).ShouldBe((403, "FAB-2002"));
        (await host.ProblemAsync(Names.Paths.RunEnds, null)).ShouldBe((401, "FAB-2001"));
        (await host.ProblemAsync($"{Names.Paths.RunEnds}?after={new string('x', 200)}", "gateway")).ShouldBe((400, "FAB-2004"));
    }

    [Theory]
    [InlineData("{", "application/json", 400)]
    [InlineData("{}", "application/json", 400)]
    [InlineData("", "application/json", 400)]
    [InlineData("[]", "text/plain", 415)]
    public async Task What_is_no_batch_is_refused(string body, string type, int status)
    {
        await using var host = await ApiHost.StartAsync();
        (await PostAsync(host, body, type: type)).Status.ShouldBe(status);
    }

    [Fact]
    public async Task More_than_a_thousand_events_or_a_mebibyte_are_refused_before_they_are_looked_at()
    {
        await using var host = await ApiHost.StartAsync();
        (await PostAsync(host, $"[{string.Join(',', Enumerable.Repeat("1", 1001))}]")).Status.ShouldBe(413);
        (await PostAsync(host, $"[{new string(' ', 1 << 20)}]")).Status.ShouldBe(413);
        (await PostAsync(host, new string('[', 500_000))).Status.ShouldBe(400);
        var full = Batch([.. Enumerable.Range(0, 1000).Select(Event)]);
        full.Length.ShouldBeInRange(500_000, 1 << 20);
        (await PostAsync(host, full)).ShouldBe((200, """{"inserted":1000,"known":0}"""));
    }

    [Fact]
    public async Task While_the_database_is_locked_or_gone_the_gateway_is_asked_to_keep_what_it_has()
    {
        await using var host = await ApiHost.StartAsync();

        // Not the five seconds that it waits otherwise.
        host.Services.GetRequiredService<Database>().Write((connection, transaction) => (connection.DefaultTimeout = 1, connection.Execute("PRAGMA busy_timeout = 50", transaction: transaction)));
        using (var other = new SqliteConnection($"Data Source={host.Database.File};Pooling=False"))
        {
            other.Open();
            other.Execute("BEGIN IMMEDIATE");
            await KeptAsync();
            other.Execute("ROLLBACK");
            (await PostAsync(host, Batch(Event(1)))).ShouldBe((200, """{"inserted":1,"known":0}"""));
            other.Execute("ALTER TABLE model_calls RENAME TO gone");
            await KeptAsync();
        }

        async Task KeptAsync()
        {
            using var answer = await SendAsync(host, Batch(Event(1)), "gateway");
            ((int)answer.StatusCode, answer.Headers.RetryAfter?.Delta).ShouldBe((503, TimeSpan.FromSeconds(2)));
            (await answer.Content.ReadAsStringAsync()).ShouldContain("FAB-2009");
        }
    }

    [Fact]
    public async Task Totals_are_of_the_last_day_unless_a_time_is_given_and_say_what_they_cover()
    {
        await using var host = await ApiHost.StartAsync();
        await PostAsync(host, Batch(Event(1), At(Event(2), Now.AddHours(-25)), With(3, "project", "x")));
        var day = await host.JsonAsync(Names.Paths.Usage);
        (day.GetProperty("groupBy").GetString(), day.GetProperty("total").GetProperty("attempts").GetInt32(), day.GetProperty("more").GetBoolean()).ShouldBe(("project", 2, false));
        (day.GetProperty("until").GetDateTimeOffset() - day.GetProperty("since").GetDateTimeOffset()).ShouldBe(TimeSpan.FromDays(1));
        day.GetProperty("items")[0].GetRawText().ShouldBe(
            """{"key":"shop","calls":1,"attempts":1,"tokens":{"input":100,"cacheRead":40,"cacheWrite":5,"cacheWriteHour":2,"output":20,"reasoning":8,"webSearches":1},"costs":[{"currency":"USD","micros":1500}],"estimated":false,"priceUnknown":false}""");
        var week = await host.JsonAsync($"{Names.Paths.Usage}?since={Now.AddDays(-7):yyyy-MM-dd'T'HH:mm:ss}Z&groupBy=day&project=shop");
        week.GetProperty("items").GetArrayLength().ShouldBe(2);
    }

    [Fact]
    public async Task Who_reads_one_namespace_sees_what_its_jobs_called_and_nothing_else()
    {
        await using var host = await ApiHost.StartAsync();
        var key = With(3, "keyId", "laptop");
        foreach (var field in (string[])["runId", "namespace"]) key.Remove(field);
        await PostAsync(host, Batch(Event(1), With(2, "namespace", "prod"), key));
        foreach (var query in (string[])["", "?namespace=prod", "?project=shop", "?key=laptop"]) (await host.ProblemAsync(Names.Paths.Usage + query, "of-ci")).ShouldBe((403, "FAB-2002"), query);
        (await host.JsonAsync($"{Names.Paths.Usage}?namespace=ci", "of-ci")).GetProperty("total").GetProperty("attempts").GetInt32().ShouldBe(1);
        (await host.JsonAsync(Names.Paths.Usage)).GetProperty("total").GetProperty("attempts").GetInt32().ShouldBe(3);
    }

    [Theory]
    [InlineData("?color=red")]
    [InlineData("?groupBy=mood")]
    [InlineData("?since=yesterday")]
    [InlineData("?since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z")]
    [InlineData("?limit=0")]
    [InlineData("?limit=1001")]
    [InlineData("?project=a&project=b")]
    [InlineData("?project=")]
    public async Task A_question_that_cannot_be_answered_is_refused(string query)
    {
        await using var host = await ApiHost.StartAsync();
        (await host.ProblemAsync(Names.Paths.Usage + query)).ShouldBe((400, "FAB-2004"));
    }

    internal static JsonObject Event(int number) => JsonSerializer.SerializeToNode(Attempts.Of(number, at: Now), JsonSerializerOptions.Web)!.AsObject();

    internal static byte[] Batch(params JsonNode?[] events) => Encoding.UTF8.GetBytes(new JsonArray([.. events.Select(one => one?.DeepClone())]).ToJsonString());

    private static JsonObject At(JsonObject one, DateTimeOffset time)
    {
        one["startedAt"] = time;
        return one;
    }

    private static JsonObject With(int number, string field, JsonNode? value)
    {
        var one = Event(number);
        one[field] = value;
        return one;
    }

    private static JsonObject Without(int number, string field)
    {
        var one = Event(number);
        one.Remove(field);
        return one;
    }

    private static Task<(int Status, string Text)> PostAsync(ApiHost host, string body, string? token = "gateway", string type = "application/json") => PostAsync(host, Encoding.UTF8.GetBytes(body), token, type);

    private static async Task<(int Status, string Text)> PostAsync(ApiHost host, byte[] body, string? token = "gateway", string type = "application/json")
    {
        using var answer = await SendAsync(host, body, token, type);
        return ((int)answer.StatusCode, await answer.Content.ReadAsStringAsync());
    }

    private static Task<HttpResponseMessage> SendAsync(ApiHost host, byte[] body, string? token, string type = "application/json") =>
        host.SendAsync(Names.Paths.Usage, token, HttpMethod.Post, new ByteArrayContent(body) { Headers = { ContentType = new MediaTypeHeaderValue(type) } });
}
