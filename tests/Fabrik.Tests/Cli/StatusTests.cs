using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.Cli.Output;
using Fabrik.Experiments;
using Fabrik.Reports;
using Fabrik.Tests.Kubernetes;

namespace Fabrik.Tests.Cli;

public sealed class StatusTests(ClusterOfObjects cluster) : IClassFixture<ClusterOfObjects>
{
    private static readonly DateTimeOffset Now = new(2026, 11, 20, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public void Checklist_45_the_status_puts_every_change_where_a_person_looks_for_it()
    {
        var status = Status(
            Change("a-runs", Phase.ExperimentRunning), Change("b-waits", Phase.Queued), Change("c-risky-winner", Phase.Approved, Risk.Medium), Change("d-safe-winner", Phase.Approved),
            Change("e-new", Phase.Proposed), Change("f-live", Phase.Applied), Change("g-bad", Phase.RolledBack, rolledBack: Now.AddDays(-2)), Change("h-old-bad", Phase.RolledBack, rolledBack: Now.AddDays(-8)),
            Change("i-rejected", Phase.Rejected), Change("j-asks", Phase.Proposed, asks: true), Change("k-answered", Phase.Approved, Risk.High, approval: new Approval { Approved = true }));

        Names(status.Running).ShouldBe(["a-runs"]);
        Names(status.Queued).ShouldBe(["b-waits"]);
        Names(status.Waiting).ShouldBe(["c-risky-winner", "j-asks"], ignoreOrder: true);
        Names(status.Proposed).ShouldBe(["e-new"]);
        Names(status.Applied).ShouldBe(["d-safe-winner", "f-live", "k-answered"], ignoreOrder: true);
        Names(status.RolledBack).ShouldBe(["g-bad"]);
    }

    [Fact]
    public void Checklist_54_55_and_67_the_status_tells_what_came_of_the_experiments_of_30_days()
    {
        var tried = new ChangeStatus { Phase = Phase.Rejected, StartedAt = Now.AddDays(-5), Conditions = [new Condition { Type = "Rejected", Status = "True", LastTransitionTime = Now.AddDays(-1) }] };

        var health = Status(
            Change("a", Phase.Applied, appliedAt: Now.AddDays(-3)), Change("b", Phase.Applied, appliedAt: Now.AddDays(-29)), Change("c", Phase.RolledBack, rolledBack: Now.AddDays(-2)), Change("d", Phase.Rejected) with { Status = tried },
            Change("too-old", Phase.Applied, appliedAt: Now.AddDays(-31)), Change("refused-untried", Phase.Rejected), Change("runs", Phase.ExperimentRunning)).Health;

        health.ShouldBe(new OptimizerHealth(4, 2, 1));
        (health.SuccessRate, health.RollbackRate).ShouldBe((0.5, 0.25));
    }

    [Theory]
    [InlineData(23, 205, false, null, "cannot be told yet: 23 of 30 treated runs")]
    [InlineData(40, 12, false, "continue", "cannot be told yet: 12 of 30 control runs")]
    [InlineData(40, 300, false, "continue", "cannot be told: it was proposed without a forecast")]
    [InlineData(40, 300, true, "continue", "cannot be told: it has had more runs than its forecast spoke of")]
    [InlineData(20, 150, true, "continue", null)]
    [InlineData(40, 300, false, "rollout", null)]
    public void Where_nobody_can_tell_when_it_is_decided_the_status_says_why(int treated, int control, bool forecast, string? verdict, string? expected)
    {
        var change = Change("x", Phase.ExperimentRunning);
        if (forecast) change = With(change, (Fabrik.Names.Figures.ForecastRuns, 200), (Fabrik.Names.Figures.ForecastRuns90, 300));
        var report = EvidenceTests.Some.Report("x") with { Treatment = new ArmReport(treated, 0, 0), Control = new ArmReport(control, 0, 0), Verdict = verdict, Forecast = null };
        var (output, status) = (new StringWriter(), Status([change], new() { ["x"] = report }, []));

        StatusView.Write(new Terminal(output, TextWriter.Null), status, Now, wide: false);

        status.Running.Single().NoForecast.ShouldBe(expected);
        if (expected is not null) output.ToString().ShouldContain("Decision    " + expected);
        else output.ToString().ShouldNotContain("cannot be told");
    }

    [Theory]
    [InlineData(null, "cannot be told yet: 0 of 30 runs")]
    [InlineData("the API is away", "cannot be told: what its runs have shown is not known here")]
    public void Where_nothing_was_shown_it_is_told_from_what_is_not_known(string? missing, string expected)
    {
        var (output, status) = (new StringWriter(), OptimizerStatus.Of(new PolicySpec(), null, [Change("x", Phase.ExperimentRunning)], new Dictionary<string, ExperimentReport>(), [], missing, Now));

        StatusView.Write(new Terminal(output, TextWriter.Null), status, Now, wide: false);

        output.ToString().ShouldContain("Decision    " + expected);
        (status.Running.Single().NoForecast is null).ShouldBe(missing is not null);
    }

    [Theory]
    [InlineData(Risk.Low, true, false)]
    [InlineData(Risk.Medium, true, true)]
    [InlineData(Risk.Low, false, true)]
    public void A_winner_still_in_analysis_asks_for_a_person_where_its_risk_or_its_author_does(Risk risk, bool autoApply, bool asks)
    {
        var change = Change("x", Phase.Analyzing, risk);
        change = change with { Spec = change.Spec with { AutoApply = autoApply } };
        var report = EvidenceTests.Some.Report("x") with { Verdict = "rollout" };

        ChangeStatusLine.Of(change, new PolicySpec(), report, Now).NeedsPerson.ShouldBe(asks);
        ChangeStatusLine.Of(change, new PolicySpec(), report with { Verdict = "continue" }, Now).NeedsPerson.ShouldBeFalse();
        ChangeStatusLine.Of(change with { Status = change.Status with { Phase = Phase.Approved } }, new PolicySpec(), null, Now).NeedsPerson.ShouldBe(asks);
    }

    [Theory]
    [InlineData(40)]
    [InlineData(80)]
    [InlineData(200)]
    public void The_view_fits_the_terminal_and_tells_what_was_shown_when_it_is_decided_and_why_not_yet(int width)
    {
        var output = new StringWriter();
        var change = Change("memory-4gi-for-impl-specs", Phase.ExperimentRunning);
        var status = Status([change], new() { [change.Name] = EvidenceTests.Some.Report(change.Name) }, [new IncidentReport("7", "bad", Now.AddMinutes(-38), "success", "success fell", Now.AddMinutes(22), null)]);

        StatusView.Write(new Terminal(output, TextWriter.Null) { Interactive = true, Width = width }, status, Now, wide: false);

        var text = output.ToString();
        text.Split('\n').ShouldAllBe(line => line.TrimEnd('\r').Length <= width);
        var words = string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        foreach (var expected in (string[])["23 treated, 205 control", "0.87 that it is better", "Not yet 23 of at least 30 treated runs", "in about 72 more runs, 8 days", "to be reviewed within 22m", "fabrik optimizer changes approve bad takes it up again with half the share", "fabrik optimizer changes reject bad --reason TEXT confirms it"]) words.ShouldContain(expected);
        text.ShouldNotContain('\e');
    }

    [Theory]
    [InlineData(23, 205, 46, "23 of at least 30 treated runs have ended; the others take about 14 hours at the rate so far")]
    [InlineData(10, 90, 240, "10 of at least 30 treated runs have ended; the others take about 20 days at the rate so far")]
    [InlineData(40, 12, 6, "12 of at least 30 control runs have ended; the others take about 9 hours at the rate so far")]
    [InlineData(1, 0, 5, "0 of at least 30 control runs have ended")]
    [InlineData(30, 300, 5, null)]
    public void Checklist_53_too_few_runs_are_told_with_when_there_will_be_enough(int treated, int control, int hours, string? expected)
    {
        var report = EvidenceTests.Some.Report("x") with { Treatment = new ArmReport(treated, 0, 0), Control = new ArmReport(control, 0, 0), FirstRunAt = Now.AddHours(-hours), LastRunAt = Now };

        ChangeStatusLine.Of(Change("x", Phase.ExperimentRunning), new PolicySpec(), report, Now).NotYet.ShouldBe(expected);
    }

    [Fact]
    public void Foreign_text_moves_no_cursor()
    {
        var output = new StringWriter();

        StatusView.Write(new Terminal(output, TextWriter.Null) { Interactive = true, Width = 80, Colours = false }, Status(Change("x", Phase.Queued, reason: "a\e[2Jb\nc")), Now, wide: false);

        output.ToString().ShouldNotContain('\e');
    }

    [Fact]
    public async Task Checklist_66_status_history_and_experiments_answer_from_the_objects_while_the_api_is_away()
    {
        await cluster.ChangeAsync("away-runs", "experiment_running", new JsonObject { ["share"] = 0.1, ["experimentId"] = "exp-7", ["startedAt"] = "2026-11-19T12:00:00Z", ["reason"] = "no analysis yet" });
        await cluster.ChangeAsync("away-asks", "approved", spec: new JsonObject { ["risk"] = "high" });

        var status = await cluster.FabrikAsync("optimizer", "status", "--server", "http://127.0.0.1:1");
        status.Code.ShouldBe(0, status.Error);
        status.Out.ShouldContain("away-runs");
        status.Out.ShouldContain("no analysis yet");
        status.Out.ShouldContain("fabrik optimizer changes approve away-asks");
        status.Error.ShouldContain("not known here");

        var list = await cluster.FabrikAsync("experiments", "list", "--server", "http://127.0.0.1:1");
        list.Code.ShouldBe(0, list.Error);
        list.Out.ShouldContain("away-runs");

        var history = await cluster.FabrikAsync("optimizer", "history", "--last-30d", "--server", "http://127.0.0.1:1");
        history.Code.ShouldBe(0, history.Error);
        history.Out.ShouldContain("proposed");
        history.Error.ShouldContain("what the objects still tell");

        (await cluster.FabrikAsync("experiments", "show", "away-runs", "-o", "json", "--server", "http://127.0.0.1:1")).Out.ShouldContain("\"experimentId\": \"exp-7\"");
        (await cluster.FabrikAsync("optimizer", "status", "-o", "name", "--server", "http://127.0.0.1:1")).Out.ShouldContain("optimizationchange.fabrik.dev/away-runs\n");
    }

    [Fact]
    public async Task The_evidence_of_the_api_is_drawn_over_time_and_given_as_points()
    {
        await cluster.ChangeAsync("drawn", "experiment_running");
        var report = JsonSerializer.Serialize(EvidenceTests.Some.Report("drawn") with
        {
            Trips = [new TripReport("first_runs_failed", "the first 5 treated runs all failed", new Dictionary<string, double>()), new TripReport("harm", "it harms", new Dictionary<string, double>())],
            Alerts = [new AlertReport("duration", "they are slow")],
            Watch = new WatchReport(200, 12, 20.44, 3.3, 1000),
            Duration = new RatioReport(1.2, 1.1, 1.3),
            Cost = new RatioReport(2, 1.5, 2.6),
        }, ReportJson.Default.ExperimentReport);
        await using var api = await FakeApiServer.StartAsync(context => context.Request.Path.Value switch
        {
            "/api/v1/experiments/drawn" => FakeApiServer.Reply(context, 200, report),
            "/api/v1/incidents" => FakeApiServer.Reply(context, 200, """{"items":[]}"""),
            _ => FakeApiServer.Reply(context, 404, """{"code":"FAB-2011","title":"there is no such experiment"}"""),
        });
        string[] server = ["--server", api.Url.ToString()];

        var shown = await cluster.FabrikAsync(["experiments", "show", "drawn", .. server]);
        shown.Code.ShouldBe(0, shown.Error);
        shown.Out.ShouldContain("20 |---");
        shown.Out.ShouldContain("200 runs");
        foreach (var line in (string[])["first_runs_failed, harm", "they are slow", "12 of 200 runs failed", "1.20 of control's (1.10 to 1.30)", "2.00 of control's (1.50 to 2.60)"]) shown.Out.ShouldContain(line);
        shown.Out.ShouldNotContain('\e');

        using var json = JsonDocument.Parse((await cluster.FabrikAsync(["experiments", "show", "drawn", "-o", "json", .. server])).Out);
        json.RootElement.GetProperty("report").GetProperty("points")[1].GetProperty("nonInferior").GetDouble().ShouldBe(6);
        (await cluster.FabrikAsync(["experiments", "list", .. server])).Out.ShouldContain("0.87");
        (await cluster.FabrikAsync(["optimizer", "status", .. server])).Out.ShouldContain("23 treated, 205 control");
    }

    [Fact]
    public async Task Who_may_read_changes_alone_sees_them_and_is_told_that_the_policy_is_not_known()
    {
        await cluster.ChangeAsync("for-readers", "experiment_running");
        var reader = await cluster.UserAsync("reads-changes", "get", "list");

        var run = await Command.RunAsync(["optimizer", "status", "--kubeconfig", reader]);

        run.Code.ShouldBe(0, run.Error);
        run.Out.ShouldContain("for-readers");
        run.Out.ShouldNotContain("Optimizer: on");
        run.Error.ShouldContain("lacks the verb get on optimizerpolicies.fabrik.dev");
    }

    [Fact]
    public async Task An_experiment_of_no_change_ends_with_3() => (await cluster.FabrikAsync("experiments", "show", "nothing")).Code.ShouldBe(3);

    [Theory]
    [InlineData("--last", "yesterday")]
    [InlineData("--last-", "")]
    public async Task A_span_that_is_none_is_a_usage_error(string option, string value) =>
        (await cluster.FabrikAsync([.. new[] { "optimizer", "history", option, value }.Where(one => one.Length > 0)])).Code.ShouldBe(2);

    private static IEnumerable<string> Names(IEnumerable<ChangeStatusLine> lines) => lines.Select(line => line.Name);

    private static OptimizationChange With(OptimizationChange change, params (string Name, double Value)[] figures) =>
        change with { Spec = change.Spec with { Evidence = new ChangeEvidence { Figures = figures.ToDictionary(one => one.Name, one => one.Value) } } };

    private static OptimizerStatus Status(params OptimizationChange[] changes) => Status(changes, [], []);

    private static OptimizerStatus Status(OptimizationChange[] changes, Dictionary<string, ExperimentReport> reports, IncidentReport[] incidents) =>
        OptimizerStatus.Of(new PolicySpec(), null, changes, reports, incidents, null, Now);

    private static OptimizationChange Change(string name, Phase phase, Risk risk = Risk.Low, DateTimeOffset? rolledBack = null, bool asks = false, Approval? approval = null, string? reason = null, DateTimeOffset? appliedAt = null) => new()
    {
        Metadata = new ChangeMetadata { Name = name },
        Spec = new ChangeSpec { Risk = risk, AutoApply = true, Approval = approval, Change = new Treatment { MemoryLimit = "4Gi" } },
        Status = new ChangeStatus
        {
            Phase = phase,
            Reason = reason,
            LastAppliedAt = appliedAt,
            StartedAt = phase == Phase.ExperimentRunning ? Now.AddDays(-3) : null,
            Conditions =
            [
                .. rolledBack is { } at ? [new Condition { Type = "RolledBack", Status = "True", LastTransitionTime = at }] : Array.Empty<Condition>(),
                .. asks ? [new Condition { Type = Fabrik.Names.Conditions.ApprovalRequired, Status = "True", Message = "namespace shop is prod" }] : Array.Empty<Condition>(),
            ],
        },
    };
}
