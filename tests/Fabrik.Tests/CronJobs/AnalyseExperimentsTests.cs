using System.Diagnostics.Metrics;
using System.Text.Json.Nodes;
using Fabrik.Analysis;
using Fabrik.Costs;
using Fabrik.CronJobs;
using Fabrik.CronJobs.Decisions;
using Fabrik.CronJobs.Hosting;
using Fabrik.Experiments;
using Fabrik.Kubernetes;
using Fabrik.Runs;
using Fabrik.Storage;
using Fabrik.Tests.Gateway;
using Fabrik.Tests.Kubernetes;
using Fabrik.Tests.Storage;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fabrik.Tests.CronJobs;

/// <summary>From runs in a database and changes on an API server to stored evidence.</summary>
public sealed class AnalyseExperimentsTests : IAsyncLifetime
{
    private static readonly DateTimeOffset Start = new(2026, 11, 20, 12, 0, 0, TimeSpan.Zero);
    private readonly FakeCluster cluster = new();
    private readonly TemporaryDatabase database = new();
    private readonly TestClock clock = new(Start);
    private readonly OptimizerMetrics told = new();
    private PriceBook prices = PriceBook.Default;
    private FakeApiServer server = null!;
    private KubernetesClient client = null!;

    [Fact]
    public async Task A_memory_change_that_stops_the_kills_is_found_better_and_the_evidence_is_stored()
    {
        await RunningAsync("memory", "memoryLimit", "4Gi");
        Write(1, 400, _ => false, seq => seq % 3 == 0);
        clock.Advance(TimeSpan.FromDays(1));
        await LookAsync();

        var stored = Newest("memory");
        stored.Verdict.Decision.ShouldBe(Decision.Rollout);
        (stored.Goal, stored.Experiment, stored.AnalyzedAt, stored.Threshold).ShouldBe((Goal.Win, "exp-1", clock.GetUtcNow(), new DecisionRules().Threshold));
        stored.State.Evidence.Goal.ShouldBe(new Tally(40, 40, stored.State.Evidence.Goal.ControlGood, 360));
        stored.State.Points.Count.ShouldBe((int)stored.State.Blocks);
        (stored.State.Duration.Count, stored.State.Duration.Ratio).ShouldBe((400, 1));
    }

    [Theory]
    [InlineData(1, 1, 1.5)]
    [InlineData(2, 1, 5.0 / 3)]
    public async Task What_the_arms_cost_is_compared_in_the_prices_of_the_installation(int cpuHour, int memoryHour, double ratio)
    {
        prices = PriceBook.Default with { CpuHour = cpuHour, MemoryHour = memoryHour };
        await RunningAsync("memory", "cpuRequest", "2");
        Write(1, 4_000, _ => false, _ => false, treatedCores: 2);
        clock.Advance(TimeSpan.FromDays(4));
        await LookAsync();

        Newest("memory").State.Cost.Ratio.ShouldBe(ratio, ratio * 0.05);
    }

    [Fact]
    public async Task A_cheaper_model_is_approved_by_the_ledger_of_its_runs_calls_ten_minutes_after_they_ended()
    {
        await RunningAsync("memory", "model", "small", "model", "save");
        Write(1, 1000, _ => false, _ => false);
        new ModelCallStore(database.Database).Insert([.. Enumerable.Range(1, 1000).Select(seq => Attempts.Of(seq, at: Start.AddMinutes(seq)) with { RunId = $"run-{seq}", CostMicros = seq % 10 == 0 ? 400 : 2000 })]);
        clock.Advance(TimeSpan.FromMinutes(1005));
        await LookAsync();
        var early = Newest("memory");
        (early.State.Cost.Count, early.State.Unpaid.Count).ShouldBe((994, 6)); // the last have ended less than ten minutes ago

        clock.Advance(UnpaidRun.Wait);
        await LookAsync();
        var stored = Newest("memory");
        (stored.Verdict.Decision, stored.State.Cost.Count, stored.State.Unpaid.Count, stored.State.Currency).ShouldBe((Decision.Rollout, 1000, 0, "USD"));
        stored.State.Cost.Ratio.ShouldBe(0.2, 0.02);
        stored.State.Trial.Treated.CostOfSuccess.ShouldBe(0.0004, 1e-9);
        stored.State.Trial.Control.CostOfSuccess.ShouldBe(0.002, 1e-9);

        await LookAsync();
        Newest("memory").State.Cost.Count.ShouldBe(1000);
    }

    /// <summary>What is known of 370 runs would be a clear win: controls fail when nobody sees them, and treated runs never.</summary>
    [Fact]
    public async Task Controls_of_which_nobody_knows_the_end_make_no_win_the_experiment_says_so_and_ends_without_a_decision()
    {
        await RunningAsync("memory", "cpuRequest", "2");
        Write(1, 400, _ => false, _ => false, isLost: seq => seq % 10 != 0 && seq % 3 == 0);
        clock.Advance(TimeSpan.FromDays(1));
        await LookAsync();

        var stored = Newest("memory");
        stored.State.Evidence.Win.MaximumLog.ShouldBeGreaterThan(Math.Log(stored.Threshold)); // it would have been rolled out
        stored.Verdict.Decision.ShouldBe(Decision.Continue);
        stored.Verdict.Reasons.ShouldHaveSingleItem().ShouldContain("(0 of 40 treated, 120 of 360 control)");
        stored.Verdict.Alerts.ShouldHaveSingleItem().Kind.ShouldBe(AlertKind.Arms);

        clock.Advance(TimeSpan.FromDays(14));
        await LookAsync();
        Newest("memory").Verdict.Decision.ShouldBe(Decision.Inconclusive);
    }

    [Fact]
    public async Task Losses_that_meet_both_arms_alike_keep_nothing_from_being_decided()
    {
        await RunningAsync("memory", "memoryLimit", "4Gi");
        Write(1, 800, _ => false, seq => seq % 3 == 0, isLost: seq => seq % 20 is 0 or 1 or 3 or 7 or 9 or 11 or 13 or 17 or 19 or 2);
        clock.Advance(TimeSpan.FromDays(1));
        await LookAsync();

        var stored = Newest("memory");
        stored.Verdict.Alerts.ShouldBeEmpty();
        stored.State.Phases.ShouldHaveSingleItem().TreatedLost.ShouldBe(40);
    }

    [Fact]
    public async Task Records_that_are_missing_of_one_arm_keep_the_other_from_being_judged_by_them()
    {
        await RunningAsync("memory", "memoryLimit", "4Gi");
        Write(1, 1000, _ => false, seq => seq % 3 == 0, isMissing: seq => seq % 20 == 0);
        clock.Advance(TimeSpan.FromDays(1));
        await LookAsync();

        var stored = Newest("memory");
        stored.State.Phases.ShouldHaveSingleItem().Treated.ShouldBe(50);
        stored.Verdict.Decision.ShouldBe(Decision.Continue);
        stored.Verdict.Reasons.ShouldBe([SampleRatio.Broken]);
        stored.Verdict.Alerts.ShouldHaveSingleItem().Kind.ShouldBe(AlertKind.Arms);
    }

    [Fact]
    public async Task Checklist_18_42_and_60_a_change_that_makes_runs_fail_is_rolled_back_by_the_look_that_finds_it()
    {
        await RunningAsync("harm", "cpuLimit", "10m");
        Write(1, 80, _ => true, _ => false);
        clock.Advance(TimeSpan.FromHours(3));
        await LookAsync();
        Newest("harm").Verdict.Decision.ShouldBe(Decision.Rollback);
        var change = ObjectJson.Change((await client.GetAsync(Kinds.OptimizationChange, Names.SystemNamespace, "harm", default)).Json);
        (change.Phase, change.Status.Slot, change.Status.Share, change.Status.RolloutProgress).ShouldBe((Phase.RolledBack, null, null, "0%"));
        new TransitionStore(database.Database).Incidents(true, null, 10).ShouldHaveSingleItem().Value.Change.ShouldBe("harm");
    }

    [Fact]
    public async Task Looks_in_between_and_restarts_count_every_run_once()
    {
        await RunningAsync("memory", "memoryLimit", "4Gi");
        for (var from = 1; from <= 381; from += 20)
        {
            Write(from, from + 19, _ => false, seq => seq % 3 == 0);
            clock.Advance(TimeSpan.FromHours(1));
            await LookAsync();
            await LookAsync();
            database.Reopen();
        }

        var split = Newest("memory").State.Evidence;
        (split.Success.Treated + split.Success.Control).ShouldBe(400);
        split.Goal.Treated.ShouldBe(40);
        Newest("memory").State.Phases.ShouldHaveSingleItem().Treated.ShouldBe(40);
    }

    [Fact]
    public async Task A_look_that_finds_nothing_new_writes_nothing()
    {
        await RunningAsync("memory", "memoryLimit", "4Gi");
        await LookAsync();
        var first = Newest("memory").AnalyzedAt;
        first.ShouldBe(clock.GetUtcNow());
        clock.Advance(TimeSpan.FromSeconds(20));
        await LookAsync();
        Newest("memory").AnalyzedAt.ShouldBe(first);

        Write(1, 1, _ => false, _ => false);
        await LookAsync();
        Newest("memory").AnalyzedAt.ShouldBe(clock.GetUtcNow());
        clock.Advance(TimeSpan.FromSeconds(20));
        await PhaseAsync("memory", new JsonObject { ["share"] = 0.19 });
        await LookAsync();
        Newest("memory").AnalyzedAt.ShouldBe(clock.GetUtcNow());
        clock.Advance(TimeSpan.FromDays(15));
        await LookAsync();
        Newest("memory").Verdict.Decision.ShouldBe(Decision.Inconclusive);
    }

    [Fact]
    public void Checklist_59_Safety_is_looked_at_every_minute_or_more_often() => AnalyseExperiments.Interval.ShouldBeLessThanOrEqualTo(TimeSpan.FromMinutes(1));

    [Fact]
    public async Task A_change_that_waits_for_its_decision_is_looked_at_on()
    {
        await RunningAsync("memory", "memoryLimit", "4Gi");
        await LookAsync();
        clock.Advance(TimeSpan.FromHours(1));
        await PhaseAsync("memory", new JsonObject { ["phase"] = "analyzing" });
        Write(1, 40, _ => false, _ => false);
        await LookAsync();
        var state = Newest("memory").State;
        (state.Trial.Treated.Ended + state.Trial.Control.Ended, state.Phases.Count).ShouldBe((40, 1));
    }

    [Fact]
    public async Task After_the_rollout_the_same_evidence_goes_on_against_what_is_held_back_and_then_the_watch_alone()
    {
        await RunningAsync("memory", "memoryLimit", "4Gi");
        Write(1, 400, seq => seq % 100 == 0, seq => seq % 3 == 0);
        clock.Advance(TimeSpan.FromDays(1));
        await LookAsync();
        Newest("memory").Verdict.Decision.ShouldBe(Decision.Rollout);

        await PhaseAsync("memory", new JsonObject { ["phase"] = "applied", ["holdback"] = 0, ["lastAppliedAt"] = clock.GetUtcNow().ToString("O") });
        WriteApplied(2000, 2399, isHeldBack: seq => seq % 20 == 0, fails: _ => false);
        clock.Advance(TimeSpan.FromDays(1));
        await LookAsync();
        var held = Newest("memory");
        held.Verdict.Decision.ShouldBe(Decision.Continue);
        held.State.Evidence.Success.Treated.ShouldBe(40 + 379); // 21 blocks of 19, with 20 controls
        (held.State.Rollout.Treated.Ended, held.State.Rollout.Control.Ended, held.State.Watch.Runs).ShouldBe((380, 20, 380));

        await PhaseAsync("memory", new JsonObject { ["holdback"] = null });
        clock.Advance(TimeSpan.FromDays(1));
        await LookAsync();
        WriteApplied(5000, 5019, isHeldBack: _ => false, fails: _ => true);
        clock.Advance(TimeSpan.FromDays(1));
        await LookAsync();
        var alone = Newest("memory");
        (alone.Verdict.Decision, alone.Verdict.Trigger, alone.State.Blocks).ShouldBe((Decision.Rollback, Trigger.BaselineShift, held.State.Blocks));
        new AnalysisStore(database.Database).Find(alone.ChangeUid, Start)!.State.Watch.Runs.ShouldBe(400);
    }

    [Fact]
    public async Task Checklist_59_A_duration_that_rises_by_half_is_told_by_a_metric()
    {
        var seen = new List<(string, int)>(); // of every scheduler in this process
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, self) =>
        {
            if (instrument.Name == Names.Metrics.ExperimentAlerts) self.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<int>((_, value, tags, _) => seen.Add(((string)tags[0].Value!, value)));
        listener.Start();
        await RunningAsync("memory", "memoryLimit", "4Gi");
        Write(1, 600, _ => false, _ => false, treatedSeconds: 40);
        clock.Advance(TimeSpan.FromDays(1));
        await LookAsync();
        listener.RecordObservableInstruments();
        seen.ShouldContain(("duration", 1));
        seen.ShouldContain(("rollback_plan", 0));
        (Newest("memory").Verdict.Alerts.Single().Kind, Newest("memory").Verdict.Trigger).ShouldBe((AlertKind.Duration, null));
    }

    [Fact]
    public async Task Runs_of_an_earlier_trial_do_not_count_in_a_later_one()
    {
        Write(1, 100, _ => true, _ => false);
        clock.Advance(TimeSpan.FromDays(2));
        await RunningAsync("memory", "memoryLimit", "4Gi");
        await LookAsync();
        Newest("memory").State.Evidence.Success.ShouldBe(new Tally());
    }

    [Fact]
    public async Task A_change_edited_into_nonsense_keeps_no_other_from_being_looked_at()
    {
        await client.CreateAsync(Kinds.OptimizationChange, Names.SystemNamespace, JsonNode.Parse("""{"metadata":{"name":"a-nonsense"},"spec":7,"status":{"phase":"experiment_running"}}""")!, default);
        await RunningAsync("memory", "memoryLimit", "4Gi");
        await LookAsync();
        Newest("memory").Verdict.Decision.ShouldBe(Decision.Continue);
    }

    [Fact]
    public async Task Without_an_experiment_nothing_is_stored()
    {
        await client.CreateAsync(Kinds.OptimizationChange, Names.SystemNamespace, JsonNode.Parse("""{"metadata":{"name":"idle"},"spec":{"type":"resource","change":{"memoryLimit":"4Gi"}}}""")!, default);
        await LookAsync();
        new AnalysisStore(database.Database).Newest("idle").ShouldBeNull();
    }

    [Theory]
    [InlineData(0.1, 0.1, 0.1, 0, 0.1 / 0.75)]
    [InlineData(0.1, 0, 0, 0, 0.1 / 0.95)]
    [InlineData(0.19, 0.1, 0, 2, 0.19 / 0.75)]
    public void The_share_among_treated_and_controls_leaves_out_what_other_experiments_and_holdbacks_take(double share, double second, double third, int heldBack, double expected)
    {
        OptimizationChange Made(string name, Phase phase, double? of, int? holdback = null) => new()
        {
            Metadata = new ChangeMetadata { Name = name, CreationTimestamp = Start },
            Spec = new ChangeSpec { Change = new Treatment { MemoryLimit = "4Gi" } },
            Status = new ChangeStatus { Phase = phase, Share = of, Holdback = holdback },
        };

        var change = Made("one", Phase.ExperimentRunning, share);
        var all = new List<OptimizationChange> { change };
        if (second > 0) all.Add(Made("two", Phase.ExperimentRunning, second));
        if (third > 0) all.Add(Made("three", Phase.ExperimentRunning, third));
        for (var i = 0; i < heldBack; i++) all.Add(Made($"applied-{i}", Phase.Applied, null, i));
        all.Add(Made("applied", Phase.Applied, null));
        var look = ExperimentLook.Of(change, all, new PolicySpec(), Start.AddDays(1));
        look.TreatedShare.ShouldBe(expected, 1e-9);
        (look.IsMemory, look.IsOver, look.StartedAt).ShouldBe((true, false, Start));
        ExperimentLook.Of(change, all, new PolicySpec(), Start.AddDays(15)).IsOver.ShouldBeTrue();
    }

    public async ValueTask InitializeAsync()
    {
        server = await FakeApiServer.StartAsync(cluster.Answer);
        client = new KubernetesClient(server.Config, TimeProvider.System);
    }

    public async ValueTask DisposeAsync()
    {
        client.Dispose();
        told.Dispose();
        await server.DisposeAsync();
        database.Dispose();
    }

    private StoredAnalysis Newest(string change) => new AnalysisStore(database.Database).Newest(change).ShouldNotBeNull();

    private async Task LookAsync()
    {
        using var metrics = new SchedulerMetrics(clock);
        metrics.Leads(true);
        var analyses = new AnalysisStore(database.Database);
        using var turn = new OptimizerTurn(client, new OptimizerObjects(client, NullLogger<OptimizerObjects>.Instance), new TransitionStore(database.Database), analyses, metrics, told, clock, NullLogger<OptimizerTurn>.Instance);
        await new AnalyseExperiments(turn, database.Members, new ModelCallStore(database.Database), analyses, told, new CronJobsOptions { Cluster = server.Config, Prices = prices }, metrics, NullLogger<AnalyseExperiments>.Instance).RunAsync(TestContext.Current.CancellationToken);
    }

    private static RunResources Cores(int cores) => new() { CpuRequestMillis = cores * 1000, MemoryRequestBytes = 1L << 30 };

    private Task RunningAsync(string name, string what, string value, string type = "resource", string goal = "win") => client.CreateAsync(Kinds.OptimizationChange, Names.SystemNamespace, new JsonObject
    {
        ["metadata"] = new JsonObject { ["name"] = name },
        ["spec"] = new JsonObject { ["type"] = type, ["change"] = new JsonObject { [what] = value }, ["goal"] = goal },
        ["status"] = new JsonObject { ["phase"] = "experiment_running", ["slot"] = 0, ["share"] = 0.1, ["experimentId"] = "exp-1", ["startedAt"] = clock.GetUtcNow().ToString("O") },
    }, default);

    private Task PhaseAsync(string name, JsonObject status) => client.PatchAsync(Kinds.OptimizationChange, Names.SystemNamespace, name, PatchType.Merge, new JsonObject { ["status"] = status }, default);

    /// <summary>Jobs after the rollout, a minute apart from so many minutes after the start.</summary>
    private void WriteApplied(int from, int to, Func<int, bool> isHeldBack, Func<int, bool> fails) => database.Store.Write(
    [
        .. Enumerable.Range(from, to - from + 1).Select(seq =>
        {
            var run = new Run
            {
                Id = $"{seq}",
                Namespace = "ci",
                Name = $"job-{seq}",
                Arm = isHeldBack(seq) ? Arm.Control : Arm.Applied,
                Change = "memory",
                Experiments = isHeldBack(seq) ? ["memory"] : [],
                AppliedChanges = isHeldBack(seq) ? [] : ["memory"],
                Stratum = "s",
                CreatedAt = Start.AddMinutes(seq),
                StartedAt = Start.AddMinutes(seq),
                FinishedAt = Start.AddMinutes(seq).AddSeconds(10),
                Outcome = fails(seq) ? Outcome.Failed : Outcome.Succeeded,
            };
            return new RunChange(run, new Fabrik.Runs.Evidence { Id = run.Id, Job = null }, [], null);
        }),
    ]);

    /// <summary>Every tenth is treated; the others fare as told. Jobs come a minute apart and take ten seconds.</summary>
    private void Write(int from, int to, Func<int, bool> treatedFails, Func<int, bool> controlOoms, int treatedSeconds = 10, int treatedCores = 1, Func<int, bool>? isLost = null, Func<int, bool>? isMissing = null) => database.Store.Write(
    [
        .. Enumerable.Range(from, to - from + 1).Where(seq => isMissing?.Invoke(seq) != true).Select(seq =>
        {
            var isTreated = seq % 10 == 0;
            var (fails, oom) = (isTreated && treatedFails(seq), !isTreated && controlOoms(seq));
            var created = Start.AddMinutes(seq);
            var run = new Run
            {
                Id = $"{seq}",
                RunId = $"run-{seq}",
                Namespace = "ci",
                Name = $"job-{seq}",
                Arm = isTreated ? Arm.Treatment : Arm.Control,
                Experiments = ["memory", "harm"],
                Stratum = "s",
                CreatedAt = created,
                StartedAt = created,
                FinishedAt = created.AddSeconds(isTreated ? treatedSeconds : 10),
                Outcome = isLost?.Invoke(seq) == true ? Outcome.Lost : fails || oom ? Outcome.Failed : Outcome.Succeeded,
                OomKilled = oom,
                Requested = Cores(1),
                Applied = Cores(isTreated ? treatedCores : 1),
            };
            return new RunChange(run, new Fabrik.Runs.Evidence { Id = run.Id, Job = null }, [], null);
        }),
    ]);
}
