using Fabrik.Decisions;
using Fabrik.Experiments;
using Fabrik.Storage;

namespace Fabrik.Tests.Api;

public class DecisionsApiTests
{
    private static readonly DateTimeOffset Start = new(2026, 11, 20, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public async Task Steps_that_were_taken_are_told_newest_first_a_page_at_a_time_and_others_are_not()
    {
        await using var host = await StartAsync();
        var (met, cursor) = (new List<string>(), (string?)null);
        do
        {
            var page = await host.JsonAsync($"{Names.Paths.Decisions}?limit=1{(cursor is null ? "" : $"&cursor={cursor}")}");
            met.AddRange(page.GetProperty("items").EnumerateArray().Select(item => item.GetProperty("to").GetString()!));
            cursor = page.TryGetProperty("next", out var next) ? next.GetString() : null;
        }
        while (cursor is not null);
        met.ShouldBe(["rolled_back", "experiment_running", "proposed"]);
    }

    [Fact]
    public async Task A_step_says_when_from_where_by_whom_and_why()
    {
        await using var host = await StartAsync();
        var items = (await host.JsonAsync($"{Names.Paths.Decisions}?change=memory&since=2026-11-20T12:01:00Z")).GetProperty("items");
        items[1].GetRawText().ShouldBe("""{"at":"2026-11-20T12:01:00+00:00","change":"memory","from":"proposed","to":"experiment_running","actor":"fabrik","reasons":["the trial begins"]}""");
        items.GetArrayLength().ShouldBe(2);
        (await host.JsonAsync($"{Names.Paths.Decisions}?change=other")).GetProperty("items").GetArrayLength().ShouldBe(0);
    }

    [Fact]
    public async Task An_emergency_is_open_for_an_hours_review_until_a_person_has_spoken()
    {
        await using var host = await StartAsync();
        var incident = (await host.JsonAsync($"{Names.Paths.Incidents}?open=true")).GetProperty("items")[0];
        incident.GetRawText().ShouldBe("""{"id":"t3","change":"memory","at":"2026-11-20T12:02:00+00:00","trigger":"harm","reason":"it costs success","reviewBy":"2026-11-20T13:02:00+00:00"}""");
        new TransitionStore(host.Database.Database).Note(new Bookkeeping([], [], [new IncidentReview("t3", "alice", "seen", Start.AddMinutes(5))]), Start);
        (await host.JsonAsync($"{Names.Paths.Incidents}?open=true")).GetProperty("items").GetArrayLength().ShouldBe(0);
        (await host.JsonAsync(Names.Paths.Incidents)).GetProperty("items")[0].GetProperty("reviewedAt").GetString().ShouldBe("2026-11-20T12:05:00+00:00");
    }

    [Theory]
    [InlineData("?since=yesterday")]
    [InlineData("?limit=0")]
    [InlineData("?limit=501")]
    [InlineData("?cursor=-1")]
    [InlineData("?open=true")]
    [InlineData("?change=UPPER")]
    public async Task A_parameter_that_cannot_be_used_is_refused(string query)
    {
        await using var host = await StartAsync();
        (await host.ProblemAsync(Names.Paths.Decisions + query)).Status.ShouldBe(400);
    }

    [Theory]
    [InlineData(Names.Paths.Decisions)]
    [InlineData(Names.Paths.Incidents)]
    public async Task Who_may_not_list_all_runs_may_not_read_the_record(string path)
    {
        await using var host = await StartAsync();
        (await host.ProblemAsync(path, "of-ci")).Status.ShouldBe(403);
        (await host.ProblemAsync(path, null)).Status.ShouldBe(401);
    }

    private static async Task<ApiHost> StartAsync()
    {
        var host = await ApiHost.StartAsync();
        var record = new TransitionStore(host.Database.Database);
        record.Note(new Bookkeeping([], [Step("t1", 0, null, Phase.Proposed)], []), Start);
        Write(Step("t2", 1, Phase.Proposed, Phase.ExperimentRunning, "the trial begins"), TransitionResult.Written);
        Write(Step("t3", 2, Phase.ExperimentRunning, Phase.RolledBack, "it costs success") with { Incident = "harm" }, TransitionResult.Written);
        Write(Step("t4", 3, Phase.RolledBack, Phase.Proposed), TransitionResult.Overtaken);
        record.Intend(Step("t5", 4, Phase.RolledBack, Phase.Proposed));
        return host;

        void Write(Transition step, TransitionResult result)
        {
            record.Intend(step);
            record.Became(step.Id, result, null, step.At);
        }
    }

    private static Transition Step(string id, int minute, Phase? from, Phase to, params string[] reasons) =>
        new(id, "uid", "memory", null, from, to, Fabrik.Decisions.Step.Scheduler, reasons, new Dictionary<string, double>(), null, 1, "7", Start.AddMinutes(minute));
}
