using Fabrik.Experiments;
using Fabrik.Runs;
using Fabrik.Tests.Runs;

namespace Fabrik.Tests.Api;

public class ExperimentsApiTests
{
    [Fact]
    public async Task Runs_are_counted_once_by_arm_with_how_they_ended()
    {
        await using var host = await StartAsync();

        var memory = await host.JsonAsync($"{Names.Paths.Experiments}/memory");

        memory.GetProperty("treatment").GetRawText().ShouldBe("""{"runs":2,"succeeded":2,"oomKilled":0,"running":1}""");
        memory.GetProperty("control").GetRawText().ShouldBe("""{"runs":3,"succeeded":1,"oomKilled":2,"running":0}""");
        memory.TryGetProperty("applied", out _).ShouldBeFalse();
        memory.TryGetProperty("evidence", out _).ShouldBeFalse();
        (await host.JsonAsync($"{Names.Paths.Experiments}/older")).GetProperty("applied").GetProperty("runs").GetInt32().ShouldBe(1);
    }

    [Fact]
    public async Task Pages_give_every_experiment_once_by_name()
    {
        await using var host = await StartAsync();
        var met = new List<string>();
        string? cursor = null;
        do
        {
            var page = await host.JsonAsync($"{Names.Paths.Experiments}?limit=1{(cursor is null ? "" : $"&cursor={cursor}")}");
            page.GetProperty("items").GetArrayLength().ShouldBeLessThanOrEqualTo(1);
            met.AddRange(page.GetProperty("items").EnumerateArray().Select(item => item.GetProperty("change").GetString()!));
            cursor = page.TryGetProperty("next", out var next) ? next.GetString() : null;
        }
        while (cursor is not null);
        met.ShouldBe(["cpu", "memory", "older"]);
    }

    [Fact]
    public async Task Who_reads_one_namespace_sees_the_runs_of_that_alone()
    {
        await using var host = await StartAsync();

        (await host.JsonAsync($"{Names.Paths.Experiments}/memory?namespace=ci", "of-ci")).GetProperty("control").GetProperty("runs").GetInt32().ShouldBe(2);
        (await host.ProblemAsync($"{Names.Paths.Experiments}/memory", "of-ci")).ShouldBe((403, "FAB-2002"));
        (await host.ProblemAsync($"{Names.Paths.Experiments}/nothing", "of-ci")).ShouldBe((403, "FAB-2002"));
        (await host.ProblemAsync(Names.Paths.Experiments, "of-ci")).ShouldBe((403, "FAB-2002"));
        (await host.ProblemAsync(Names.Paths.Experiments, "nobody")).ShouldBe((403, "FAB-2002"));
        (await host.ProblemAsync(Names.Paths.Experiments, null)).ShouldBe((401, "FAB-2001"));
        (await host.JsonAsync($"{Names.Paths.Experiments}?namespace=ci", "of-ci")).GetProperty("items").GetArrayLength().ShouldBe(2);
    }

    [Theory]
    [InlineData("?color=red", 400, "FAB-2004")]
    [InlineData("?limit=0", 400, "FAB-2004")]
    [InlineData("?limit=101", 400, "FAB-2004")]
    [InlineData("?limit=1&limit=2", 400, "FAB-2004")]
    [InlineData("?cursor=A%27", 400, "FAB-2004")]
    [InlineData("?namespace=a%27%20OR%201=1", 400, "FAB-2004")]
    [InlineData("/memory?limit=1", 400, "FAB-2004")]
    [InlineData("/nothing", 404, "FAB-2011")]
    [InlineData("/A%27B", 404, "FAB-2011")]
    public async Task What_cannot_be_answered_is_refused_with_a_stable_id(string rest, int status, string code)
    {
        await using var host = await StartAsync();
        (await host.ProblemAsync(Names.Paths.Experiments + rest)).ShouldBe((status, code));
    }

    private static async Task<ApiHost> StartAsync()
    {
        var host = await ApiHost.StartAsync();
        Run[] runs =
        [
            Made("t1", Arm.Treatment, ["memory"]), Made("t2", Arm.Treatment, ["memory"]),
            Made("t3", Arm.Treatment, ["memory"]) with { Outcome = Outcome.Running, FinishedAt = null },
            Made("c1", Arm.Control, ["memory", "cpu"]), Made("c2", Arm.Control, ["memory"]) with { Outcome = Outcome.Failed, OomKilled = true },
            Made("c3", Arm.Control, ["memory"]) with { Outcome = Outcome.Failed, OomKilled = true, Namespace = "other" },
            Made("a1", Arm.Applied, []) with { AppliedChanges = ["older"], Namespace = "other" },
            Made("n1", Arm.None, []),
        ];
        host.Database.Store.Write(runs.Select(run => new RunChange(run, new Fabrik.Runs.Evidence { Id = run.Id, Job = new JobFacts { Version = 1, Namespace = run.Namespace, Name = run.Name, CreatedAt = run.CreatedAt, Stratum = "s" } }, [], null)));
        return host;
    }

    private static Run Made(string id, Arm arm, string[] experiments) => Some.Run(id, id) with { RunId = $"run-{id}", Arm = arm, Experiments = [.. experiments] };
}
