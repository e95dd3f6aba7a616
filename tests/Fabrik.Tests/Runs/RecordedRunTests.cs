using System.Text.Json;
using Fabrik.Experiments;
using Fabrik.Runs;
using Fabrik.Tests.Support;

namespace Fabrik.Tests.Runs;

/// <summary>Eight Jobs that really ran, with what was left of their Pods and Events when they had ended.</summary>
public class RecordedRunTests
{
    private static readonly DateTimeOffset Now = new(2026, 11, 20, 22, 0, 0, TimeSpan.Zero);

    public static TheoryData<string> Names => [.. Directory.GetFiles(TestData.PathOf("runs/recorded"), "*.json").Select(path => Path.GetFileNameWithoutExtension(path)!).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Names))]
    public void What_is_left_of_a_recorded_job_gives_the_expected_run(string name) =>
        TestData.ShouldMatchGolden(RunJsonText.Of(RunOf(name)), $"runs/expected/{name}.json");

    [Fact]
    public void A_job_can_succeed_although_a_container_was_killed_for_memory()
    {
        var run = RunOf("realoom");
        (run.Outcome, run.OomKilled, run.ExitCode, run.Reason).ShouldBe((Outcome.Succeeded, true, 0, null));
    }

    [Fact]
    public void A_job_whose_pod_never_got_a_node_is_unschedulable_whatever_the_job_says()
    {
        var run = RunOf("toobig");
        (run.Outcome, run.Reason, run.Attempts, run.StartedAt).ShouldBe((Outcome.Unschedulable, "FailedScheduling", 0, null));
    }

    [Fact]
    public void An_image_that_cannot_be_pulled_is_the_reason_of_a_deadline()
    {
        var run = RunOf("nopull");
        (run.Outcome, run.Reason, run.Attempts).ShouldBe((Outcome.Deadline, "ErrImageNeverPull", 1));
    }

    [Fact]
    public void Restarts_are_counted_by_events_where_the_pod_is_gone() => RunOf("onfailure").Attempts.ShouldBe(4);

    [Fact]
    public void A_job_in_a_namespace_that_is_not_opted_in_is_not_a_run() => Observe("real", enabled: false).Take(10).ShouldBeEmpty();

    private static Run RunOf(string name) => Observe(name, enabled: true).Take(10).ShouldHaveSingleItem().Run;

    private static RunLedger Observe(string name, bool enabled)
    {
        using var recorded = JsonDocument.Parse(TestData.Bytes($"runs/recorded/{name}.json"));
        var ledger = new RunLedger(_ => null);
        ledger.Namespace("ci", Some.Namespace("ci", enabled));
        ledger.Job(recorded.RootElement.GetProperty("job"), deleted: false, Now);
        foreach (var pod in recorded.RootElement.GetProperty("pods").EnumerateArray()) ledger.Pod(pod, Now);
        foreach (var @event in recorded.RootElement.GetProperty("events").EnumerateArray()) ledger.Event(@event, Now);
        return ledger;
    }
}
