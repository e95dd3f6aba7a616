using Fabrik.Runs;
using Fabrik.Runs.Usage;
using Fabrik.Storage;
using Fabrik.Tests.Runs;
using Fabrik.Tests.Runs.Usage;

namespace Fabrik.Tests.Storage;

public class UsageStoreTests
{
    private static readonly RunUsage Whole = new()
    {
        Source = UsageSource.MetricsServer,
        PeakMemoryBytes = 5L << 30,
        MeanCpuMillis = 250,
        P95CpuMillis = 900,
        PeakCpuMillis = 1200,
        Samples = 17,
        Missing = new MissingSources(UsageGap.Unauthorized, null, UsageGap.NotServed),
        Settled = true,
    };

    [Fact]
    public void What_a_run_used_is_read_back_with_it_wherever_runs_are_read()
    {
        using var temporary = new TemporaryDatabase();
        Put(temporary, Some.Run("one"), Some.Run("two", "b"));
        new UsageStore(temporary.Database).Settle([("one", Whole)]);
        temporary.Reader.Get("one")!.Usage.ShouldBe(Whole);
        temporary.Reader.Latest("ci", "a")!.Usage.ShouldBe(Whole);
        temporary.Reader.Latest("ci", "b")!.Usage.ShouldBeNull();
        foreach (var sort in Enum.GetValues<RunSort>())
            temporary.Reader.List(new RunQuery { Sort = sort, Limit = 1, Ascending = true }).Items.Concat(temporary.Reader.List(new RunQuery { Sort = sort }).Items).Where(run => run.Id == "one").ShouldAllBe(run => run.Usage == Whole);
        temporary.All().Select(run => run.Usage is null).ShouldBe([true, false], ignoreOrder: true);
    }

    [Fact]
    public void Every_source_and_every_reason_survives_the_database()
    {
        using var temporary = new TemporaryDatabase();
        Put(temporary, Some.Run());
        foreach (var source in Enum.GetValues<UsageSource>())
        {
            foreach (var gap in Enum.GetValues<UsageGap>())
            {
                var usage = Whole with { Source = source, Missing = new MissingSources(gap, gap, gap), Settled = false };
                new UsageStore(temporary.Database).Sample([], [("run-1", usage)]);
                temporary.Reader.Get("run-1")!.Usage.ShouldBe(usage);
            }
        }
    }

    [Fact]
    public void What_is_settled_stays_and_takes_its_samples_with_it()
    {
        using var temporary = new TemporaryDatabase();
        var store = new UsageStore(temporary.Database);
        Put(temporary, Some.Run());
        var sampled = Readings.Pod(UsageSource.Kubelet, Readings.Memory(10, 77));
        store.Sample([("run-1", "a-1", sampled)], [("run-1", Whole with { Settled = false })]);
        store.Samples(["run-1"])["run-1"].Single().Tally.Containers["main"].PeakMemoryBytes.ShouldBe(77);
        store.Unsettled(DateTimeOffset.UnixEpoch, 10).Single().Id.ShouldBe("run-1");

        store.Settle([("run-1", Whole)]);
        store.Sample([("run-1", "a-1", sampled)], [("run-1", Whole with { Samples = 99, Settled = false })]);
        store.Settle([("run-1", Whole with { Samples = 98 })]);
        temporary.Reader.Get("run-1")!.Usage.ShouldBe(Whole);
        store.Samples(["run-1"]).ShouldBeEmpty();
        store.Unsettled(DateTimeOffset.UnixEpoch, 10).ShouldBeEmpty();
    }

    [Fact]
    public void Runs_wait_from_their_end_on_and_those_that_were_lost_while_they_have_samples()
    {
        using var temporary = new TemporaryDatabase();
        var store = new UsageStore(temporary.Database);
        Put(
            temporary,
            Some.Run("late", minutes: 30),
            Some.Run("early", minutes: 5),
            Some.Run("running") with { Outcome = Outcome.Running, FinishedAt = null },
            Some.Run("lost") with { Outcome = Outcome.Lost, FinishedAt = null },
            Some.Run("lost-unseen") with { Outcome = Outcome.Lost, FinishedAt = null });
        foreach (var run in (string[])["lost", "running"]) store.Sample([(run, "a-1", new PodTally { Source = UsageSource.Kubelet })], []);
        Ids(DateTimeOffset.UnixEpoch, 10).ShouldBe(["early", "late", "lost"]);
        Ids(Readings.At(6 * 60), 10).ShouldBe(["late", "lost"]);
        Ids(DateTimeOffset.UnixEpoch, 1).ShouldBe(["early", "lost"]);

        IEnumerable<string> Ids(DateTimeOffset since, int limit) => store.Unsettled(since, limit).Select(run => run.Id);
    }

    internal static void Put(TemporaryDatabase database, params Run[] runs) =>
        database.Store.Write(runs.Select(run => new RunChange(run, new Evidence { Id = run.Id, Job = JobOf(run) }, [Subject.Job], null)));

    private static JobFacts JobOf(Run run) => new() { Version = 1, Namespace = run.Namespace, Name = run.Name, CreatedAt = run.CreatedAt, Stratum = run.Stratum };
}
