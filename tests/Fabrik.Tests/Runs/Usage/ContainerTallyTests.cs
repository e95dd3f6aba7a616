using System.Text.Json;
using Fabrik.Runs;
using Fabrik.Runs.Usage;
using FsCheck;
using FsCheck.Fluent;
using static Fabrik.Tests.Runs.Usage.Readings;

namespace Fabrik.Tests.Runs.Usage;

public class ContainerTallyTests
{
    [Fact]
    public void A_counter_counts_from_the_start_of_the_container_and_its_highest_slope_is_the_peak()
    {
        var tally = Tally(Counter(10, 5, since: 0), Counter(20, 25, since: 0), Counter(40, 27, since: 0));
        (tally.CoreSeconds, tally.Seconds).ShouldBe((27, 40));
        tally.PeakMillis.ShouldBe(2000);
    }

    [Fact]
    public void A_container_that_was_started_again_counts_with_both_its_lives()
    {
        var reset = Tally(Counter(10, 5, since: 0), Counter(30, 2));
        (reset.CoreSeconds, reset.Seconds).ShouldBe((7, 30));

        // Its new counter may have passed the old one already: the start tells.
        var passed = Tally(Counter(10, 5, since: 0), Counter(30, 6, since: 20));
        (passed.CoreSeconds, passed.Seconds).ShouldBe((11, 20));
    }

    [Fact]
    public void A_counter_whose_beginning_is_not_known_counts_from_its_second_reading()
    {
        Tally(Counter(10, 500)).Seconds.ShouldBe(0);
        var tally = Tally(Counter(10, 500), Counter(20, 501));
        (tally.CoreSeconds, tally.Seconds).ShouldBe((1, 10));
    }

    [Fact]
    public void No_moment_counts_twice_when_windows_overlap_or_sources_take_turns()
    {
        var overlapping = Tally(Mean(30, 30, 1000), Mean(45, 30, 1000), Mean(60, 30, 1000));
        (overlapping.CoreSeconds, overlapping.Seconds).ShouldBe((60, 60));

        var turns = Tally(Mean(30, 30, 1000), Counter(40, 40, since: 0), Mean(50, 30, 1000), Counter(60, 60, since: 0));
        (turns.CoreSeconds, turns.Seconds).ShouldBe((60, 60));
        turns.PeakMillis.ShouldBe(1000);
    }

    [Fact]
    public void Readings_that_come_again_in_any_order_change_nothing() => Prop.ForAll(
        Gen.Zip(Gen.ArrayOf(Some()), Gen.Choose(0, 1000)).ToArbitrary(),
        drawn =>
        {
            var (readings, seed) = (drawn.Item1.OrderBy(reading => reading.At).ToArray(), drawn.Item2);
            var once = Tally(readings);
            var again = readings.Where((_, index) => (index * 7919 + seed) % 3 != 0).Reverse().Aggregate(once, (tally, reading) => tally.Add(reading));
            return Text(once) == Text(again);
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void What_is_covered_is_never_longer_than_the_time_and_the_mean_never_above_the_highest_reading() => Prop.ForAll(
        Gen.ArrayOf(Some()).ToArbitrary(),
        readings =>
        {
            var tally = Tally(readings);
            var most = readings.Max(reading => (double?)reading.At.Subtract(Start).TotalSeconds) ?? 0;
            return tally.Seconds <= most + 1e-6 && tally.CoreSeconds >= 0 && tally.Spread.Values.Sum() <= tally.Seconds + 1e-6 && tally.Samples <= readings.Length;
        }).QuickCheckThrowOnFailure();

    [Theory]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    [InlineData(-1)]
    [InlineData(1e30)]
    public void A_value_that_is_no_measurement_is_left_out(double value)
    {
        var tally = Tally(Counter(10, value, since: 0), Mean(20, 10, value), Memory(20, -5), Memory(30, long.MaxValue));
        (tally.CoreSeconds, tally.Seconds, tally.PeakMillis, tally.PeakMemoryBytes, tally.Samples).ShouldBe((0, 0, null, null, 0));
    }

    [Fact]
    public void What_is_stored_is_read_back_as_it_was()
    {
        var pod = Pod(UsageSource.Kubelet, Memory(10, 5), Counter(10, 3, since: 0), Memory(10, 7, "side"), Mean(30, 10, 250, "side"));
        var read = JsonSerializer.Deserialize(JsonSerializer.Serialize(pod, UsageJson.Default.PodTally), UsageJson.Default.PodTally)!;
        read.Source.ShouldBe(pod.Source);
        foreach (var (name, tally) in pod.Containers) Text(read.Containers[name]).ShouldBe(Text(tally));

        // And goes on as the one that was stored would have.
        Text(read.Add(UsageSource.Kubelet, Counter(20, 6, since: 0)).Containers["main"]).ShouldBe(Text(pod.Add(UsageSource.Kubelet, Counter(20, 6, since: 0)).Containers["main"]));
    }

    private static Gen<ContainerReading> Some() =>
        from at in Gen.Choose(1, 600)
        from window in Gen.Choose(1, at)
        from value in Gen.Choose(0, 4000)
        from kind in Gen.Choose(0, 3)
        select kind switch { 0 => Memory(at, value), 1 => Mean(at, window, value), 2 => Counter(at, value / 10.0, since: 0), _ => Counter(at, value / 10.0) };

    private static string Text(ContainerTally tally) => JsonSerializer.Serialize(new PodTally { Source = UsageSource.None }.Containers.Add("x", tally)["x"]);
}
