using System.Diagnostics;
using System.Diagnostics.Metrics;
using Fabrik.Metrics;

namespace Fabrik.Tests.Metrics;

public sealed class ExpositionTests : IDisposable
{
    private readonly Meter meter = new("test");
    private readonly MetricCollector collector;

    public ExpositionTests() => collector = new MetricCollector(one => ReferenceEquals(one, meter));

    public void Dispose()
    {
        collector.Dispose();
        meter.Dispose();
    }

    [Theory]
    [InlineData(null, false)]
    [InlineData("", false)]
    [InlineData("*/*", false)]
    [InlineData("text/plain;version=0.0.4", false)]
    [InlineData("application/openmetrics-text", true)]
    [InlineData("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", true)]
    [InlineData("application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2", true)]
    [InlineData("application/openmetrics-text;version=9.0.0,text/plain", false)]
    [InlineData("text/plain;q=1.0,application/openmetrics-text;q=0.1", false)]
    [InlineData("application/openmetrics-text;q=0", false)]
    [InlineData(";;q=,,=", false)]
    public void The_format_is_the_one_asked_for(string? accept, bool open) =>
        ExpositionFormat.For(accept).ShouldBe(open ? ExpositionFormat.OpenMetricsText : ExpositionFormat.Prometheus);

    [Fact]
    public void Every_kind_of_instrument_is_written_in_both_formats()
    {
        var counter = meter.CreateCounter<long>("jobs.seen", "{job}", "Jobs \"seen\" in C:\\\nand elsewhere");
        counter.Add(2, new KeyValuePair<string, object?>("name", "a\"b\\c\nd"));
        counter.Add(3, new KeyValuePair<string, object?>("name", "a\"b\\c\nd"));
        meter.CreateHistogram("took", "s", "Time", null, new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.5, 1] }).Record(0.75);
        meter.CreateObservableGauge("level", () => double.PositiveInfinity, "By");
        meter.CreateUpDownCounter<long>("open").Add(-4);
        meter.CreateGauge<double>("set").Record(1e-9);

        Exposition.Write(collector.Collect(), ExpositionFormat.Prometheus).ShouldBe("""
            # HELP jobs_seen_total Jobs "seen" in C:\\\nand elsewhere
            # TYPE jobs_seen_total counter
            jobs_seen_total{name="a\"b\\c\nd"} 5
            # TYPE level_bytes gauge
            level_bytes +Inf
            # TYPE open gauge
            open -4
            # TYPE set gauge
            set 1e-09
            # HELP took_seconds Time
            # TYPE took_seconds histogram
            took_seconds_bucket{le="0.5"} 0
            took_seconds_bucket{le="1"} 1
            took_seconds_bucket{le="+Inf"} 1
            took_seconds_count 1
            took_seconds_sum 0.75

            """);
        Exposition.Write(collector.Collect(), ExpositionFormat.OpenMetricsText).ShouldBe("""
            # HELP jobs_seen Jobs \"seen\" in C:\\\nand elsewhere
            # TYPE jobs_seen counter
            jobs_seen_total{name="a\"b\\c\nd"} 5.0
            # TYPE level_bytes gauge
            # UNIT level_bytes bytes
            level_bytes +Inf
            # TYPE open gauge
            open -4.0
            # TYPE set gauge
            set 1e-09
            # HELP took_seconds Time
            # TYPE took_seconds histogram
            # UNIT took_seconds seconds
            took_seconds_bucket{le="0.5"} 0
            took_seconds_bucket{le="1.0"} 1
            took_seconds_bucket{le="+Inf"} 1
            took_seconds_count 1
            took_seconds_sum 0.75
            # EOF

            """);
    }

    [Fact]
    public void Labels_without_end_end_in_one_series()
    {
        var counter = meter.CreateCounter<long>("wild");
        for (var i = 0; i < 10_000; i++) counter.Add(1, new KeyValuePair<string, object?>("id", i));
        var points = collector.Collect().ShouldHaveSingleItem().Points;
        points.Count.ShouldBeLessThan(200);
        points.Sum(point => point.Value).ShouldBe(10_000);
    }

    [Fact]
    public void Nothing_is_lost_when_many_record_at_once()
    {
        var counter = meter.CreateCounter<long>("busy");
        var histogram = meter.CreateHistogram<double>("busy.time", "s");
        Parallel.For(0, 8, worker =>
        {
            for (var i = 0; i < 20_000; i++)
            {
                counter.Add(1, new KeyValuePair<string, object?>("worker", worker % 3));
                histogram.Record(0.5);
            }
        });
        var families = collector.Collect().ToDictionary(family => family.Name, StringComparer.Ordinal);
        families["busy"].Points.Sum(point => point.Value).ShouldBe(160_000);
        var times = families["busy_time_seconds"].Points.ShouldHaveSingleItem();
        times.Value.ShouldBe(80_000);
        times.Buckets![^1].Count.ShouldBe(160_000);
    }

    [Fact]
    public void Recording_into_a_known_series_takes_no_memory()
    {
        var counter = meter.CreateCounter<long>("hot");
        counter.Add(1, new KeyValuePair<string, object?>("arm", "control"));
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1000; i++) counter.Add(1, new KeyValuePair<string, object?>("arm", "control"));
        (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBe(0);
    }

    [Fact]
    public void What_an_observable_no_longer_reports_goes_away()
    {
        var names = new List<string> { "a", "b" };
        meter.CreateObservableGauge("seen", () => names.Select(name => new Measurement<int>(1, new KeyValuePair<string, object?>("name", name))));
        collector.Collect()[0].Points.Count.ShouldBe(2);
        names.Remove("a");
        collector.Collect()[0].Points.ShouldHaveSingleItem().Labels[0].Value.ShouldBe("b");
    }

    [Fact]
    public void The_runtimes_own_instruments_are_valid_in_both_formats()
    {
        using var runtime = new MetricCollector(MetricCollector.IsRuntime);
        var families = runtime.Collect();
        families.ShouldContain(family => family.Name == "dotnet_gc_heap_total_allocated_bytes");
        ExpositionParser.Parse(Exposition.Write(families, ExpositionFormat.Prometheus), openMetrics: false).ShouldNotBeEmpty();
        ExpositionParser.Parse(Exposition.Write(families, ExpositionFormat.OpenMetricsText), openMetrics: true).ShouldNotBeEmpty();
    }

    [Fact]
    public async Task Promtool_finds_nothing_to_complain_about()
    {
        Assert.SkipUnless(File.Exists("/usr/bin/promtool"), "promtool is not installed; on Debian: apt-get install prometheus");
        meter.CreateCounter<long>("jobs.seen", "{job}", "Jobs seen").Add(1);
        meter.CreateHistogram<double>("took", "s", "Time it took").Record(1);
        var start = new ProcessStartInfo("/usr/bin/promtool", ["check", "metrics"]) { RedirectStandardInput = true, RedirectStandardError = true, RedirectStandardOutput = true, UseShellExecute = false };
        using var promtool = Process.Start(start)!;
        await promtool.StandardInput.WriteAsync(Exposition.Write(collector.Collect(), ExpositionFormat.Prometheus));
        promtool.StandardInput.Close();
        var said = await promtool.StandardOutput.ReadToEndAsync() + await promtool.StandardError.ReadToEndAsync();
        await promtool.WaitForExitAsync();
        promtool.ExitCode.ShouldBe(0, said);
    }
}
