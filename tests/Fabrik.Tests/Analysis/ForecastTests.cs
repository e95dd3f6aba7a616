using Fabrik.Analysis;
using Fabrik.Experiments;

namespace Fabrik.Tests.Analysis;

public class ForecastTests
{
    private static readonly DecisionRules NoMinimum = new() { MinimumRunsPerArm = 0 };

    /// <summary>The reference's table of sample sizes, 1,000 to 4,000 simulations each: within their spread and a block.</summary>
    [Theory]
    [InlineData(0.65, 0.95, 0.1, 160, 240, 290)]
    [InlineData(0.65, 0.95, 0.2, 95, 145, 180)]
    [InlineData(0.65, 0.95, 0.5, 60, 100, 124)]
    [InlineData(0.75, 0.90, 0.1, 480, 890, 1160)]
    [InlineData(0.75, 0.90, 0.5, 200, 380, 496)]
    public void A_win_takes_as_many_runs_as_the_reference_says(double baseline, double treatment, double share, int median, int p80, int p90) =>
        Is(Forecast.Of(baseline, treatment, share, 10, Goal.Win, NoMinimum), share, 0.08, median, p80, p90);

    [Theory]
    [InlineData(0.1, 300, 350, 380)]
    [InlineData(0.2, 155, 180, 200)]
    public void Thirty_treated_runs_take_their_time(double share, int median, int p80, int p90) =>
        Is(Forecast.Of(0.65, 0.95, share, 10, Goal.Win, new DecisionRules()), share, 0.08, median, p80, p90);

    [Theory]
    [InlineData(0.75, 0.90, 0.1, 310, 520, 680)]
    [InlineData(0.95, 0.95, 0.5, 584, 1296, 1880)]
    [InlineData(0.99, 0.99, 0.1, 670, 1330, 1820)]
    public void A_saving_takes_as_many_runs_as_the_reference_says(double baseline, double treatment, double share, int median, int p80, int p90) =>
        Is(Forecast.Of(baseline, treatment, share, 10, Goal.Save, NoMinimum), share, 0.12, median, p80, p90);

    [Fact]
    public void What_makes_no_difference_is_never_decided_and_the_forecast_says_so()
    {
        var forecast = Forecast.Of(0.9, 0.9, 0.5, 10, Goal.Win, new DecisionRules());
        (forecast.Median, forecast.P90, forecast.Days.P90).ShouldBe((null, null, null));
    }

    [Fact]
    public void The_same_question_has_the_same_answer() =>
        Forecast.Of(0.7, 0.9, 0.1, 7, Goal.Win, new DecisionRules()).ShouldBe(Forecast.Of(0.7, 0.9, 0.1, 7, Goal.Win, new DecisionRules()));

    [Fact]
    public void Days_are_runs_over_runs_a_day()
    {
        var forecast = Forecast.Of(0.65, 0.95, 0.2, 8, Goal.Win, new DecisionRules());
        forecast.Days.Median.ShouldBe(Math.Round(forecast.Median!.Value / 8.0, 1));
    }

    private static void Is(Forecast forecast, double share, double spread, int median, int p80, int p90)
    {
        foreach (var (got, want) in ((int?, int)[])[(forecast.Median, median), (forecast.P80, p80), (forecast.P90, p90)])
            got!.Value.ShouldBeInRange((int)(want * (1 - spread)) - Block.Size(share), (int)(want * (1 + spread)) + Block.Size(share), $"{forecast}");
    }
}
