using System.Text.Json;
using Fabrik.Cli.Output;
using Fabrik.Experiments;
using Fabrik.Reports;

namespace Fabrik.Tests.Cli;

/// <summary>How well the optimizer does, from the changes that ended within 30 days.</summary>
public sealed class HealthTests
{
    private static readonly DateTimeOffset Now = new(2026, 11, 20, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public void Checklist_56_the_status_tells_the_median_days_from_proposal_to_rollout_of_30_days()
    {
        OptimizationChange RolledOut(string name, double created, double applied, Phase phase = Phase.Applied) => Change(name, phase, Now.AddDays(-created), Now.AddDays(-applied));

        Status(Change("runs", Phase.ExperimentRunning, Now.AddDays(-9))).Health.DaysToRollout.ShouldBeNull();
        Status(RolledOut("a", 9, 5)).Health.DaysToRollout.ShouldBe(4);
        Status(RolledOut("a", 9, 5), RolledOut("b", 30, 4), RolledOut("too-old", 33, 31)).Health.DaysToRollout.ShouldBe(15);
        Status(RolledOut("a", 9, 5), RolledOut("b", 30, 4), RolledOut("taken-back", 12, 2, Phase.RolledBack)).Health.DaysToRollout.ShouldBe(10);
    }

    [Fact]
    public void Checklist_58_the_status_tells_what_runs_cost_less_by_what_was_applied_each_as_often_as_it_runs()
    {
        OptimizationChange Applied(string name, params (string, double)[] figures) => Change(name, Phase.Applied, Now.AddDays(-9), Now.AddDays(-3), figures);
        var measured = EvidenceTests.Some.Report("measured") with { FirstRunAt = Now.AddDays(-2), LastRunAt = Now, Cost = new RatioReport(0.5, 0.4, 0.6) };

        Status(Applied("a"), Applied("no-rate", (Names.Figures.CostRatio, 0.1)), Applied("nonsense", (Names.Figures.CostRatio, double.NaN), (Names.Figures.RunsPerDay, 3))).Health.CostSavings.ShouldBeNull();
        Status(Change("runs", Phase.ExperimentRunning, Now.AddDays(-9), null, (Names.Figures.CostRatio, 0.1), (Names.Figures.RunsPerDay, 3))).Health.CostSavings.ShouldBeNull();

        // 30 runs a day at 0.8 and 10 at 1.6 instead of 40 at 1.
        Saved(Applied("a", (Names.Figures.CostRatio, 0.8), (Names.Figures.RunsPerDay, 30)), Applied("b", (Names.Figures.CostRatio, 1.6), (Names.Figures.RunsPerDay, 10))).ShouldBe((0, 2, 0));

        // What was measured goes before what was expected.
        Saved(Applied("measured", (Names.Figures.CostRatio, 0.9), (Names.Figures.RunsPerDay, 5))).ShouldBe((0.5, 1, 1));

        // Without figures by the rate of the trial: 228 runs in the time of the report.
        Saved(Applied("measured")).ShouldBe((0.5, 1, 1));

        (double, int, int) Saved(params OptimizationChange[] changes)
        {
            var saved = Status(changes, new() { ["measured"] = measured }).Health.CostSavings.ShouldNotBeNull();
            return (Math.Round(saved.Fraction, 9), saved.Changes, saved.Measured);
        }
    }

    [Theory]
    [InlineData(5, 0.8, "5 days at the median (should be below 7)", "20 % less, as expected at the proposal (should be more than 5 % less)", false)]
    [InlineData(15, 1.1, "15 days at the median", "10 % more, as expected at the proposal", true)]
    [InlineData(14, 1.0, "14 days at the median", "0 % less", false)]
    [InlineData(null, null, "From proposal to rollout: no data (should be below 7)", "was applied: no data (should be more than 5 % less)", false)]
    public void Checklist_56_and_58_the_view_and_the_json_have_both_and_mark_what_should_alarm(int? days, double? ratio, string rollout, string cost, bool alarms)
    {
        (string, double)[] figures = ratio is { } known ? [(Names.Figures.CostRatio, known), (Names.Figures.RunsPerDay, 3)] : [];
        var change = Change("a", Phase.Applied, days is { } ago ? Now.AddDays(-1 - ago) : null, Now.AddDays(-1), figures);
        var (output, status) = (new StringWriter(), Status(change));

        StatusView.Write(new Terminal(output, TextWriter.Null) { Colours = true }, status, Now, wide: false);

        var lines = output.ToString().Split('\n');
        foreach (var expected in new[] { rollout, cost }) lines.Single(line => line.Contains(expected)).Contains('\e').ShouldBe(alarms);
        using var json = JsonDocument.Parse(JsonSerializer.Serialize(status, StatusJson.Default.OptimizerStatus));
        var health = json.RootElement.GetProperty("health");
        (health.TryGetProperty("daysToRollout", out var told) ? told.GetDouble() : null as double?).ShouldBe(days);
        health.TryGetProperty("costSavings", out var savings).ShouldBe(ratio is not null);
        if (ratio is not null) savings.GetProperty("fraction").GetDouble().ShouldBe(1 - ratio.Value, 1e-9);
    }

    private static OptimizerStatus Status(params OptimizationChange[] changes) => Status(changes, []);

    private static OptimizerStatus Status(OptimizationChange[] changes, Dictionary<string, ExperimentReport> reports) => OptimizerStatus.Of(new PolicySpec(), null, changes, reports, [], null, Now);

    private static OptimizationChange Change(string name, Phase phase, DateTimeOffset? created, DateTimeOffset? applied = null, params (string Name, double Value)[] figures) => new()
    {
        Metadata = new ChangeMetadata { Name = name, CreationTimestamp = created },
        Spec = new ChangeSpec { Change = new Treatment { MemoryLimit = "4Gi" }, Evidence = new ChangeEvidence { Figures = figures.ToDictionary(one => one.Name, one => one.Value) } },
        Status = new ChangeStatus { Phase = phase, LastAppliedAt = applied },
    };
}
