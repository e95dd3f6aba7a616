using Fabrik.CronJobs.Usage;
using Fabrik.Tests.Runs;
using Fabrik.Tests.Runs.Usage;

namespace Fabrik.Tests.CronJobs.Usage;

public class PatienceTests
{
    private static readonly Patience Patience = new(TimeSpan.FromMinutes(2));

    [Fact]
    public void A_run_without_samples_is_asked_for_a_few_times_and_then_let_go()
    {
        var (attempt, at, asked) = (Patience.First(Readings.Start), Readings.Start, 0);
        for (var next = (Attempt?)attempt; next is { } one; next = Patience.Answered(one, at), asked++) at = one.Next;
        (asked, at).ShouldBe((Patience.Tries, Readings.At(6 * 60)));
    }

    [Fact]
    public void A_prometheus_that_is_away_is_waited_for_half_an_hour()
    {
        var (attempt, at) = (Patience.First(Readings.Start), Readings.Start);
        var run = Some.Run();
        for (var next = (Attempt?)attempt; next is { } one; next = Patience.Failed(one, at, run, run.FinishedAt, sampled: true)) at = one.Next;
        at.ShouldBe(Readings.At(30 * 60));
    }

    [Fact]
    public void Nobody_waits_where_something_else_looked_on_all_the_time_prometheus_was_away()
    {
        var (attempt, run) = (Patience.First(Readings.Start), Some.Run());
        Patience.Failed(attempt, Readings.Start, run, run.StartedAt, sampled: true).ShouldBeNull();
        Patience.Failed(attempt, Readings.Start, run, run.StartedAt, sampled: false).ShouldNotBeNull();
        Patience.Failed(attempt, Readings.Start, run, run.StartedAt!.Value.AddSeconds(1), sampled: true).ShouldNotBeNull();
    }
}
