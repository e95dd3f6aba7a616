using Fabrik.Runs;
using Fabrik.Runs.Usage;
using static Fabrik.Tests.Runs.Usage.Readings;

namespace Fabrik.Tests.Runs.Usage;

public class UsageRulesTests
{
    [Fact]
    public void Each_containers_highest_in_any_pod_is_summed_as_the_limits_are()
    {
        var first = Pod(UsageSource.Kubelet, Memory(10, 100), Memory(20, 900), Memory(20, 50, "side"), Counter(20, 20, since: 0), Counter(20, 2, since: 0, "side"));
        var second = Pod(UsageSource.Kubelet, Memory(10, 700), Memory(10, 60, "side"), Counter(10, 40, since: 0));
        var usage = UsageRules.Summarise([first, second], "main,side", new MissingSources(), settled: true);
        usage.PeakMemoryBytes.ShouldBe(960);
        usage.MeanCpuMillis.ShouldBe(2000 + 100);
        usage.PeakCpuMillis.ShouldBe(4000 + 100);
        usage.Samples.ShouldBe(3);
        (usage.Source, usage.Settled).ShouldBe((UsageSource.Kubelet, true));
    }

    [Fact]
    public void Containers_that_are_not_in_the_jobs_template_do_not_count()
    {
        var pod = Pod(UsageSource.MetricsServer, Memory(10, 100), Memory(10, 5000, "istio-proxy"), Memory(5, 9000, "clone"));
        UsageRules.Summarise([pod], "main", new MissingSources(), settled: true).PeakMemoryBytes.ShouldBe(100);
        UsageRules.Summarise([pod], "other", new MissingSources(), settled: true).Source.ShouldBe(UsageSource.None);
        UsageRules.Summarise([pod], null, new MissingSources(), settled: true).PeakMemoryBytes.ShouldBe(14_100);
    }

    [Fact]
    public void The_pod_as_a_whole_counts_only_where_no_container_is_known()
    {
        var both = Pod(UsageSource.Prometheus, Memory(10, 100), Memory(10, 130, ""));
        var whole = Pod(UsageSource.Prometheus, Memory(10, 140, ""));
        UsageRules.Summarise([both], "main", new MissingSources(), settled: true).PeakMemoryBytes.ShouldBe(100);
        UsageRules.Summarise([whole], "main", new MissingSources(), settled: true).PeakMemoryBytes.ShouldBe(140);
        UsageRules.Summarise([both, whole], "main", new MissingSources(), settled: true).PeakMemoryBytes.ShouldBe(100);
    }

    [Fact]
    public void A_run_without_samples_says_so_and_why()
    {
        var missing = new MissingSources(UsageGap.NoSamples, UsageGap.Forbidden);
        var usage = UsageRules.Summarise([new PodTally { Source = UsageSource.Kubelet }], "main", missing, settled: true);
        usage.ShouldBe(new RunUsage { Source = UsageSource.None, Missing = missing, Settled = true });
    }

    [Fact]
    public void Ninety_five_percent_of_the_time_leaves_out_a_short_peak()
    {
        var steady = Enumerable.Range(1, 99).Select(minute => Mean(minute * 60, 60, 400));
        var usage = UsageRules.Summarise([Pod(UsageSource.MetricsServer, [.. steady, Mean(100 * 60, 60, 3000)])], "main", new MissingSources(), settled: true);
        usage.P95CpuMillis.ShouldNotBeNull().ShouldBeInRange(400, 420);
        (usage.MeanCpuMillis, usage.PeakCpuMillis).ShouldBe((426, 3000));
    }

    [Theory]
    [InlineData(false, 300L, 1000L, 300L, false)]
    [InlineData(true, 300L, 1000L, 1000L, true)]
    [InlineData(true, null, 1000L, 1000L, true)]
    [InlineData(true, 300L, null, 300L, true)]
    public void The_need_of_a_run_that_was_killed_for_memory_is_at_least_its_limit(bool killed, long? peak, long? limit, long bytes, bool atLeast)
    {
        var run = Some.Run() with { OomKilled = killed, Applied = new RunResources { MemoryLimitBytes = limit }, Usage = new RunUsage { Source = UsageSource.Prometheus, PeakMemoryBytes = peak } };
        MemoryNeed.Of(run).ShouldBe(new MemoryNeed(bytes, atLeast));
    }

    [Fact]
    public void Nothing_is_claimed_of_a_run_that_nobody_sampled() => MemoryNeed.Of(Some.Run()).ShouldBeNull();
}
