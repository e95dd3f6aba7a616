using Fabrik.Experiments;
using Fabrik.Reports;

namespace Fabrik.Tests.Experiments;

public sealed class ForecastReportTests
{
    private static readonly DateTimeOffset Start = new(2026, 11, 20, 12, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData(50, 300.0, 450.0, 5.0, 8.0)]
    [InlineData(400, 300.0, 450.0, 0.0, 0.125)]
    public void What_was_forecast_is_told_in_days_from_now_at_the_rate_so_far(int counted, double median, double late, double medianDays, double lateDays)
    {
        var told = ForecastReport.Of(Change((Names.Figures.ForecastRuns, median), (Names.Figures.ForecastRuns90, late)), Report(counted, 1)).ShouldNotBeNull();
        told.ShouldBe(new ForecastReport(median, late, medianDays, lateDays));
    }

    [Fact]
    public void Without_a_forecast_or_beyond_it_nothing_is_told()
    {
        ForecastReport.Of(Change(), Report(50, 1)).ShouldBeNull();
        ForecastReport.Of(Change((Names.Figures.ForecastRuns, 300), (Names.Figures.ForecastRuns90, 450)), Report(450, 1)).ShouldBeNull();
        ForecastReport.Of(Change((Names.Figures.ForecastRuns, 300), (Names.Figures.ForecastRuns90, 450)), Report(0, 1))!.MedianDays.ShouldBeNull();
    }

    private static OptimizationChange Change(params (string Name, double Value)[] figures) => new()
    {
        Metadata = new ChangeMetadata { Name = "a" },
        Spec = new ChangeSpec { Evidence = new ChangeEvidence { Figures = figures.ToDictionary(one => one.Name, one => one.Value) } },
    };

    private static ExperimentReport Report(int runs, double days) => new()
    {
        Change = "a",
        Generation = 1,
        Treatment = new ArmReport(runs / 10, 0, 0),
        Control = new ArmReport(runs - (runs / 10), 0, 0),
        FirstRunAt = Start,
        LastRunAt = Start.AddDays(days),
    };
}
