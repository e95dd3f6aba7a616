using Fabrik.Tests.Kubernetes;
using Fabrik.Tests.Runs;

namespace Fabrik.Tests.Api;

public class CallerTests
{
    [Theory]
    [InlineData(null, 401, "FAB-2001")]
    [InlineData("unknown", 401, "FAB-2001")]
    [InlineData("other", 401, "FAB-2001")]
    [InlineData("nobody", 403, "FAB-2002")]
    public async Task Who_is_not_known_or_not_allowed_is_told_apart(string? token, int status, string code)
    {
        await using var host = await ApiHost.StartAsync();
        (await host.ProblemAsync(Names.Paths.Runs, token)).ShouldBe((status, code));
    }

    [Fact]
    public async Task Who_reads_one_namespace_reads_that_and_cannot_tell_what_is_elsewhere()
    {
        await using var host = await ApiHost.StartAsync();
        var ledger = Recording.Ledger();
        foreach (var change in Recording.All) ledger.Tell(change);
        host.Database.Store.Write(ledger.Take(int.MaxValue));
        var runs = host.Database.All();

        (await host.JsonAsync($"{Names.Paths.Runs}?namespace=ci", "of-ci")).GetProperty("items").GetArrayLength().ShouldBe(11);
        (await host.JsonAsync($"{Names.Paths.Runs}/{runs.First(run => run.Namespace == "ci").Id}", "of-ci")).GetProperty("namespace").GetString().ShouldBe("ci");
        foreach (var path in (string[])["", "?namespace=default", $"/{runs.Single(run => run.Namespace == "default").Id}", "/no-such-run", "/default/plain"])
            (await host.ProblemAsync(Names.Paths.Runs + path, "of-ci")).ShouldBe((403, "FAB-2002"), path);
    }

    [Fact]
    public async Task Answers_of_the_cluster_are_kept_for_a_moment_refusals_too()
    {
        await using var host = await ApiHost.StartAsync();
        foreach (var token in (string[])["reader", "nobody", "unknown"])
        {
            host.Cluster.Requests.Clear();
            for (var i = 0; i < 5; i++) (await host.SendAsync(Names.Paths.Runs, token)).Dispose();
            host.Cluster.Requests.Count.ShouldBe(token == "unknown" ? 1 : 2, token);
        }
    }

    [Theory]
    [InlineData(500)]
    [InlineData(403)]
    [InlineData(429)]
    public async Task A_cluster_that_cannot_review_makes_the_api_unavailable_and_nothing_is_kept(int status)
    {
        await using var host = await ApiHost.StartAsync();
        var review = host.Cluster.Answer;
        host.Cluster.Answer = context => FakeCluster.Fail(context, status, "x", "no");
        (await host.ProblemAsync(Names.Paths.Runs)).ShouldBe((503, "FAB-2003"));
        host.Cluster.Answer = review;
        (await host.SendAsync(Names.Paths.Runs)).EnsureSuccessStatusCode().Dispose();
    }

    [Fact]
    public async Task A_review_without_our_audience_in_it_does_not_count()
    {
        await using var host = await ApiHost.StartAsync();
        host.Cluster.Answer = context => FakeApiServer.Reply(context, 201, """{"kind":"TokenReview","apiVersion":"authentication.k8s.io/v1","status":{"authenticated":true,"user":{"username":"system:admin"}}}""");
        (await host.ProblemAsync(Names.Paths.Runs)).ShouldBe((401, "FAB-2001"));
    }

    [Fact]
    public async Task Health_and_metrics_need_no_token_and_tell_no_names()
    {
        await using var host = await ApiHost.StartAsync();
        (await host.SendAsync(Names.Paths.Runs)).Dispose();
        foreach (var path in (string[])[Names.Paths.Live, Names.Paths.Ready, Names.Paths.Metrics])
        {
            using var answer = await host.SendAsync(path, token: null);
            answer.IsSuccessStatusCode.ShouldBeTrue(path);
            if (path == Names.Paths.Metrics) (await answer.Content.ReadAsStringAsync()).ShouldContain("fabrik_api_reviews_total{kind=\"TokenReview\",answered=\"true\"} 1");
        }
    }
}
