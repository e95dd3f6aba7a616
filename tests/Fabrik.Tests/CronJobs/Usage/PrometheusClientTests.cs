using System.Text;
using Fabrik.CronJobs.Usage;
using Fabrik.Runs;
using Fabrik.Runs.Usage;
using Fabrik.Tests.Kubernetes;
using Microsoft.AspNetCore.Http;

namespace Fabrik.Tests.CronJobs.Usage;

public sealed class PrometheusClientTests : IDisposable
{
    private const string Empty = """{"status":"success","data":{"resultType":"vector","result":[]}}""";
    private readonly DirectoryInfo directory = Directory.CreateTempSubdirectory("fabrik-test-");
    private readonly UsageMetrics metrics = new();

    public void Dispose()
    {
        metrics.Dispose();
        directory.Delete(recursive: true);
    }

    [Fact]
    public async Task A_query_goes_out_as_a_form_below_the_path_that_is_configured()
    {
        await using var server = await FakeApiServer.StartAsync(context => FakeApiServer.Reply(context, 200, Empty));
        using var client = Client(new PrometheusOptions { Url = new Uri(server.Url, "/tenant") });
        await client.QueryAsync("up{a=\"b c\"}", DateTimeOffset.FromUnixTimeMilliseconds(1795211896464), default);
        await client.QueryRangeAsync("up", DateTimeOffset.FromUnixTimeSeconds(10), DateTimeOffset.FromUnixTimeSeconds(20), TimeSpan.FromSeconds(5), default);
        server.Requests.Select(request => (request.Method, request.Path, request.Body)).ShouldBe(
        [
            ("POST", "/tenant/api/v1/query", "query=up%7Ba%3D%22b+c%22%7D&time=1795211896.464&timeout=15s"),
            ("POST", "/tenant/api/v1/query_range", "query=up&start=10&end=20&step=5&timeout=15s"),
        ]);
    }

    [Fact]
    public async Task Secrets_are_read_from_their_files_each_time_and_never_told()
    {
        var (token, password) = (Written("token", "first\n"), Written("password", "pass:wörd\n"));
        await using var server = await FakeApiServer.StartAsync(context => FakeApiServer.Reply(context, 200, Empty));
        using var bearer = Client(new PrometheusOptions { Url = server.Url, TokenFile = token });
        await bearer.QueryAsync("up", default, default);
        await File.WriteAllTextAsync(token, "second");
        await bearer.QueryAsync("up", default, default);
        using var basic = Client(new PrometheusOptions { Url = server.Url, Username = "fabrik", PasswordFile = password });
        await basic.QueryAsync("up", default, default);
        server.Requests.Select(request => request.Headers.Authorization.ToString()).ShouldBe(
            ["Bearer first", "Bearer second", "Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes("fabrik:pass:wörd"))]);

        server.Answer = context => FakeApiServer.Reply(context, 401, "no: Bearer second");
        (await GapAsync(bearer)).ToString().ShouldNotContain("second");
    }

    [Theory]
    [InlineData("")]
    [InlineData("two\nlines")]
    public async Task A_file_without_one_secret_is_refused_before_anything_is_sent(string content)
    {
        await using var server = await FakeApiServer.StartAsync(context => FakeApiServer.Reply(context, 200, Empty));
        using var client = Client(new PrometheusOptions { Url = server.Url, TokenFile = Written("token", content) });
        var error = await GapAsync(client);
        error.Gap.ShouldBe(UsageGap.Unauthorized);
        error.Message.ShouldContain("token");
        server.Requests.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(401, "no", UsageGap.Unauthorized, 1)]
    [InlineData(403, "no", UsageGap.Forbidden, 1)]
    [InlineData(404, "404 page not found", UsageGap.NotServed, 1)]
    [InlineData(302, "", UsageGap.BadAnswer, 1)]
    [InlineData(429, "slow down", UsageGap.Unavailable, 2)]
    [InlineData(500, "oops", UsageGap.Unavailable, 2)]
    [InlineData(503, "Service Unavailable", UsageGap.Unavailable, 2)]
    [InlineData(503, """{"status":"error","errorType":"unavailable","error":"TSDB not ready"}""", UsageGap.Unavailable, 2)]
    [InlineData(503, """{"status":"error","errorType":"timeout","error":"query timed out"}""", UsageGap.TimedOut, 1)]
    [InlineData(503, """{"message":"upstream"}""", UsageGap.Unavailable, 2)]
    [InlineData(400, """{"status":"error","errorType":"bad_data","error":"parse error"}""", UsageGap.BadAnswer, 1)]
    [InlineData(422, """{"status":"error","errorType":"execution","error":"query processing would load too many samples into memory in query execution"}""", UsageGap.TooLarge, 1)]
    [InlineData(200, "<html>sign in</html>", UsageGap.BadAnswer, 1)]
    [InlineData(200, """{"status":"success","data":{"resultType":"vector","result":[{"metric":{"po""", UsageGap.BadAnswer, 1)]
    public async Task Each_failure_has_its_reason_and_only_what_may_pass_is_tried_again(int status, string body, UsageGap gap, int requests)
    {
        await using var server = await FakeApiServer.StartAsync(context => FakeApiServer.Reply(context, status, body));
        using var client = Client(new PrometheusOptions { Url = server.Url });
        (await GapAsync(client)).Gap.ShouldBe(gap);
        server.Requests.Count.ShouldBe(requests);
    }

    [Fact]
    public async Task A_peer_that_fails_once_is_asked_again_and_gives_its_answer()
    {
        await using var server = await FakeApiServer.StartAsync();
        server.Answer = context => server.Requests.Count == 1 ? FakeApiServer.Reply(context, 502, "bad gateway") : FakeApiServer.Reply(context, 200, Empty);
        using var client = Client(new PrometheusOptions { Url = server.Url });
        (await client.QueryAsync("up", default, default)).Series.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_peer_that_is_not_there_or_breaks_off_is_unreachable()
    {
        var server = await FakeApiServer.StartAsync(context =>
        {
            context.Abort();
            return Task.CompletedTask;
        });
        using var client = Client(new PrometheusOptions { Url = server.Url });
        (await GapAsync(client)).Gap.ShouldBe(UsageGap.Unreachable);
        await server.DisposeAsync();
        (await GapAsync(client)).Gap.ShouldBe(UsageGap.Unreachable);
    }

    [Fact]
    public async Task A_peer_that_does_not_answer_costs_a_bounded_time()
    {
        await using var server = await FakeApiServer.StartAsync(context => Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, context.RequestAborted));
        using var client = new PrometheusClient(new PrometheusOptions { Url = server.Url }, metrics, TimeProvider.System) { Patience = TimeSpan.FromMilliseconds(200) };
        (await GapAsync(client)).Gap.ShouldBe(UsageGap.TimedOut);
    }

    [Fact]
    public async Task An_answer_without_end_is_given_up()
    {
        await using var server = await FakeApiServer.StartAsync(async context =>
        {
            await context.Response.WriteAsync("""{"status":"success","data":{"resultType":"vector","result":[""");
            var chunk = new string(' ', 1 << 20);
            while (!context.RequestAborted.IsCancellationRequested) await context.Response.WriteAsync(chunk, context.RequestAborted);
        });
        using var client = Client(new PrometheusOptions { Url = server.Url });
        (await GapAsync(client)).Gap.ShouldBe(UsageGap.TooLarge);
    }

    [Theory]
    [InlineData(true, "127.0.0.1", true)]
    [InlineData(false, "127.0.0.1", false)]
    [InlineData(true, "other.example", false)]
    public async Task A_certificate_is_taken_from_the_configured_authority_for_the_right_name_alone(bool ours, string name, bool taken)
    {
        var authority = new TestAuthority("ours");
        await using var server = await FakeApiServer.StartAsync(context => FakeApiServer.Reply(context, 200, Empty), (ours ? authority : new TestAuthority("other")).Issue("p", dns: name).Certificate);
        using var client = Client(new PrometheusOptions { Url = new UriBuilder(server.Url) { Host = "127.0.0.1" }.Uri, CaFile = Written("ca.crt", authority.Pem) });
        if (taken) (await client.QueryAsync("up", default, default)).Series.ShouldBeEmpty();
        else (await GapAsync(client)).Gap.ShouldBe(UsageGap.Unreachable);
    }

    private static async Task<SourceException> GapAsync(PrometheusClient client) => await Should.ThrowAsync<SourceException>(() => client.QueryAsync("up", default, default));

    private PrometheusClient Client(PrometheusOptions options) => new(options, metrics, TimeProvider.System);

    private string Written(string name, string content)
    {
        var path = Path.Combine(directory.FullName, name);
        File.WriteAllText(path, content);
        return path;
    }
}
