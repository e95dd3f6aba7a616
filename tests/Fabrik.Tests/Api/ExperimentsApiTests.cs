using Fabrik.Analysis;
using Fabrik.Experiments;
using Fabrik.Reports;
using Fabrik.Runs;
using Fabrik.Storage;
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
    public async Task What_the_last_analysis_found_is_told_whole_of_one_experiment_without_points_in_lists_and_not_of_a_single_namespace()
    {
        await using var host = await StartAsync();
        var state = new ExperimentState { Points = { new EvidencePoint(10, 1.5, 1.25, 0.5) } };
        state.Evidence.Win.MaximumLog = Math.Log(7.5);
        var verdict = new Verdict(Decision.Continue, ["12 of 30 treated runs"], 0.8);
        new AnalysisStore(host.Database.Database).Save(new StoredAnalysis("uid", DateTimeOffset.UnixEpoch, "memory", "exp-1", 3, DateTimeOffset.UnixEpoch.AddDays(1), Goal.Win, verdict, 20, state));

        var memory = await host.JsonAsync($"{Names.Paths.Experiments}/memory");
        memory.GetProperty("verdict").GetString().ShouldBe("continue");
        memory.GetProperty("reasons")[0].GetString().ShouldBe("12 of 30 treated runs");
        memory.GetProperty("evidence").GetProperty("win").GetDouble().ShouldBe(7.5, 1e-9);
        memory.GetProperty("evidence").GetProperty("threshold").GetDouble().ShouldBe(20, 1e-9);
        memory.GetProperty("points")[0].GetRawText().ShouldBe("""{"runs":10,"win":1.5,"nonInferior":1.25,"harm":0.5}""");

        var listed = (await host.JsonAsync(Names.Paths.Experiments)).GetProperty("items").EnumerateArray().Single(item => item.GetProperty("change").GetString() == "memory");
        listed.GetProperty("verdict").GetString().ShouldBe("continue");
        listed.TryGetProperty("points", out _).ShouldBeFalse();
        (await host.JsonAsync($"{Names.Paths.Experiments}/memory?namespace=ci", "of-ci")).TryGetProperty("evidence", out _).ShouldBeFalse();
    }

    [Fact]
    public async Task Why_a_change_was_rolled_back_what_it_costs_and_what_is_watched_of_it_are_told()
    {
        await using var host = await StartAsync();
        var state = new ExperimentState { AppliedAt = 0 };
        foreach (var isTreated in (bool[])[true, false, true, false]) state.Cost.Add(isTreated, 3, 0.5);
        state.Watch.Baselines["s"] = 0.1;
        state.Watch.Add("s", failed: true);
        var verdict = new Verdict(Decision.Rollback, ["it fails"], 0.5)
        {
            Trips = [new Trip(Trigger.BaselineShift, "it fails", new Dictionary<string, double> { ["runs"] = 1 })],
            Alerts = [new Alert(AlertKind.Duration, "it is slow")],
        };
        new AnalysisStore(host.Database.Database).Save(new StoredAnalysis("uid", DateTimeOffset.UnixEpoch, "memory", "exp-1", 3, DateTimeOffset.UnixEpoch.AddDays(1), Goal.Win, verdict, 20, state));

        var memory = await host.JsonAsync($"{Names.Paths.Experiments}/memory");
        memory.GetProperty("trips").GetRawText().ShouldBe("""[{"trigger":"baseline_shift","text":"it fails","figures":{"runs":1}}]""");
        memory.GetProperty("alerts").GetRawText().ShouldBe("""[{"kind":"duration","text":"it is slow"}]""");
        memory.GetProperty("cost").GetProperty("ratio").GetDouble().ShouldBe(1, 1e-9);
        (memory.GetProperty("watch").GetProperty("failed").GetInt32(), memory.GetProperty("watch").GetProperty("limit").GetDouble()).ShouldBe((1, 1000));
        memory.TryGetProperty("duration", out _).ShouldBeFalse();
        (await host.JsonAsync($"{Names.Paths.Experiments}/memory?namespace=ci", "of-ci")).TryGetProperty("trips", out _).ShouldBeFalse();
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
