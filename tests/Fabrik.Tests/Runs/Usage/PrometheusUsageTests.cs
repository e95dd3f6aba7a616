using Fabrik.Runs;
using Fabrik.Runs.Usage;
using static Fabrik.Tests.Runs.Usage.Readings;

namespace Fabrik.Tests.Runs.Usage;

public class PrometheusUsageTests
{
    [Fact]
    public void A_counter_counts_from_the_pods_start_to_its_last_sample()
    {
        var tally = Tallied(Series("main", "/x", (30, 15), (60, 60)));
        (tally.CoreSeconds, tally.Seconds, tally.PeakMillis).ShouldBe((60, 60, 1500));
    }

    [Theory]
    [InlineData("the same container scraped twice")]
    [InlineData("scraped with and without an id")]
    [InlineData("with another image")]
    [InlineData("twice, shifted by some seconds")]
    public void A_container_that_is_in_several_series_counts_once(string how)
    {
        var first = Series("main", "/x", (30, 15), (60, 60), (90, 90));
        PrometheusSeries[] series = how switch
        {
            "scraped with and without an id" => [first, Series("main", "", (31, 16), (61, 61))],
            "with another image" => [Series("main", "/x", (30, 15)), Series("main", "/x", (60, 60), (90, 90))],
            "twice, shifted by some seconds" => [first, Series("main", "/x", (35, 20), (65, 62), (92, 91))],
            _ => [first, Series("main", "/x", (30, 15), (60, 60), (90, 90))],
        };
        foreach (var order in (PrometheusSeries[][])[series, [.. series.Reverse()]])
        {
            var tally = Tallied(order);
            tally.CoreSeconds.ShouldBeInRange(90, 91);
            tally.Seconds.ShouldBeInRange(90, 92);
        }
    }

    [Fact]
    public void Each_life_of_a_restarted_container_counts_whether_it_has_an_id_of_its_own_or_not()
    {
        var own = Tallied(Series("main", "/one", (30, 30), (60, 40)), Series("main", "/two", (120, 60), (150, 90)));
        (own.CoreSeconds, own.Seconds).ShouldBe((130, 150));
        var none = Tallied(Series("main", "", (30, 30), (60, 40), (120, 30), (150, 60)));
        (none.CoreSeconds, none.Seconds).ShouldBe((100, 150));
    }

    [Fact]
    public void A_single_sample_is_enough_where_the_start_is_known()
    {
        Tallied(Series("main", "/x", (20, 10))).ShouldSatisfyAllConditions(tally => tally.CoreSeconds.ShouldBe(10), tally => tally.Seconds.ShouldBe(20));
        Tallied(Window(since: null), Series("main", "/x", (20, 10))).Seconds.ShouldBe(0);
    }

    [Fact]
    public void What_a_range_query_repeats_after_the_end_is_no_idle_time()
    {
        var batch = new PrometheusBatch([Window()], TimeSpan.FromMinutes(5));
        var tally = PrometheusUsage.Tally(batch, Answer(), Answer(), Answer(Series("main", "/x", (300, 300), (600, 600), (900, 600), (1200, 600))))["ci/a-1"].Containers["main"];
        (tally.CoreSeconds, tally.Seconds).ShouldBe((600, 600));
    }

    [Fact]
    public void Memory_and_its_number_of_samples_belong_together_and_pods_nobody_asked_for_are_left_out()
    {
        var stranger = new PrometheusSeries("ci", "b-1", "main", "", [new PrometheusSample(At(1), 5)]);
        var found = PrometheusUsage.Tally(new PrometheusBatch([Window()], null), Answer(Series("main", "", (600, 4096)), Series("side", "", (600, 10)), stranger), Answer(Series("main", "", (600, 12)), stranger), Answer(stranger));
        found.Keys.ShouldBe(["ci/a-1"]);
        var containers = found["ci/a-1"].Containers;
        (containers["main"].PeakMemoryBytes, containers["main"].Samples).ShouldBe((4096, 12));
        (containers["side"].PeakMemoryBytes, containers["side"].Samples).ShouldBe((10, 0));
    }

    [Fact]
    public void Every_pod_is_asked_for_once_in_batches_of_bounded_width_and_number()
    {
        var pods = Enumerable.Range(0, 1_234).Select(number => Window($"p-{number}", from: number * 7, to: (number * 7) + (number % 10 == 0 ? 40_000 : 300), run: $"r{number / 3}")).ToList();
        var batches = PrometheusBatch.Plan(pods);
        batches.SelectMany(batch => batch.Pods).OrderBy(pod => pod.Pod, StringComparer.Ordinal).ShouldBe(pods.OrderBy(pod => pod.Pod, StringComparer.Ordinal));
        batches.ShouldAllBe(batch => batch.Pods.Count <= PrometheusBatch.MaximumPods);
        batches.Where(batch => batch.Step is null).ShouldAllBe(batch => batch.To - batch.From <= TimeSpan.FromHours(3));
        batches.Where(batch => batch.Step is not null).ShouldAllBe(batch => (batch.To - batch.From) / batch.Step <= 501);
        batches.Count.ShouldBeLessThan(30);
    }

    [Fact]
    public void A_label_is_matched_as_it_is_whatever_characters_it_has()
    {
        PrometheusQueries.Selector([Window("a-1")]).ShouldBe("""{namespace="ci",pod="a-1",container!="POD"}""");
        PrometheusQueries.Selector([Window("a.b"), Window("c\"|d\\", ns: "x\ny")]).ShouldBe("""{namespace=~"ci|x\ny",pod=~"a\\.b|c\"\\|d\\\\",container!="POD"}""");
    }

    private static ContainerTally Tallied(params PrometheusSeries[] series) => Tallied(Window(), series);

    private static ContainerTally Tallied(PodWindow pod, params PrometheusSeries[] series) =>
        PrometheusUsage.Tally(new PrometheusBatch([pod], null), Answer(), Answer(), Answer(series))["ci/a-1"].Containers["main"];
}
