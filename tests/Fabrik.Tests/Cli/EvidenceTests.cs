using Fabrik.Cli.Output;
using Fabrik.Experiments;
using Fabrik.Reports;

namespace Fabrik.Tests.Cli;

public class EvidenceTests
{
    private static readonly EvidencePoint[] Points = [new(10, 1.2, 1.3, 0.6), new(100, 4, 6, 0.2), new(200, 25, 40, 0.001)];

    [Theory]
    [InlineData(40, 6)]
    [InlineData(80, 14)]
    [InlineData(200, 30)]
    public void A_chart_is_as_wide_and_high_as_asked(int width, int height)
    {
        var lines = EvidenceChart.Draw(Points, 20, width, height, lines: false);

        lines.Count.ShouldBe(height + 2);
        lines.ShouldAllBe(line => line.Length <= width);
    }

    [Fact]
    public void Evidence_that_reached_the_threshold_stands_above_its_line_and_harm_that_was_not_shown_on_the_ground()
    {
        var lines = EvidenceChart.Draw(Points, 20, 80, 14, lines: false).ToList();

        var limit = lines.FindIndex(line => line.StartsWith("     20 |", StringComparison.Ordinal));
        limit.ShouldBeGreaterThan(0);
        lines[limit].ShouldContain("-----");
        lines[..limit].ShouldContain(line => line.TrimEnd().EndsWith('N'));
        lines[13].TrimEnd().ShouldEndWith("H");
        lines[^1].ShouldEndWith("200 runs");
    }

    [Fact]
    public void Without_a_terminal_a_chart_has_plain_characters_alone()
    {
        string.Concat(EvidenceChart.Draw(Points, 20, 80, 14, lines: false)).ShouldAllBe(one => one >= ' ' && one <= '~');
        string.Concat(EvidenceChart.Draw(Points, 20, 80, 14, lines: true)).ShouldContain('─');
    }

    [Theory]
    [InlineData(double.PositiveInfinity)]
    [InlineData(double.NaN)]
    [InlineData(0)]
    [InlineData(1e300)]
    public void Values_beyond_every_scale_are_drawn_at_its_end(double extreme)
    {
        var lines = EvidenceChart.Draw([new(5, extreme, 5, 5)], 20, 60, 10, lines: false);

        lines.ShouldAllBe(line => line.Length <= 60);
        string.Concat(lines).ShouldContain("W");
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(0.5, 0)]
    [InlineData(1, 0)]
    [InlineData(7.7, 0.87)]
    [InlineData(19.99, 0.94)]
    [InlineData(20, 0.95)]
    [InlineData(double.PositiveInfinity, 1)]
    [InlineData(double.NaN, 0)]
    public void Confidence_is_shown_as_the_statistics_define_it_and_never_rounded_up(double e, double shown) =>
        double.Parse(EvidenceText.Figure(EvidenceReport.Confidence(e)), System.Globalization.CultureInfo.InvariantCulture).ShouldBe(shown);

    [Fact]
    public void Runs_are_told_by_arm_with_what_they_showed_and_when_it_is_decided()
    {
        var report = Some.Report("memory");

        EvidenceText.Arms(report).ShouldBe("23 treated, 205 control");
        EvidenceText.Shown(report).ShouldBe("success 96 % against 75 %, out of memory 0 % against 31 %");
        EvidenceText.When(report).ShouldBe("in about 72 more runs, 8 days; nine times in ten within 122 more runs, 13 days");
        EvidenceText.Confidence(report.Evidence!, Goal.Win).ShouldBe("0.87 that it is better, 0.93 that it is not worse, 0.00 that it harms (needs 0.95)");
    }

    [Fact]
    public void What_is_watched_after_a_rollout_is_told_with_how_near_the_alarm_is() =>
        EvidenceText.Watch(new WatchReport(200, 12, 20.44, 3.3, 1000)).ShouldBe("12 of 200 runs failed, at most 20.4 expected; the alarm stands at 3.3 of 1000");

    [Fact]
    public void What_the_calls_of_a_run_cost_is_told_of_each_arm()
    {
        EvidenceText.Calls(new CallCostReport("USD", 0.00043, 1.25)).ShouldBe("a treated run's calls cost 0.00043 USD, a control run's 1.25 USD");
        EvidenceText.Calls(new CallCostReport("USD", null, 1.25)).ShouldBe("a treated run's calls cost (not known), a control run's 1.25 USD");
    }

    internal static class Some
    {
        public static ExperimentReport Report(string change) => new()
        {
            Change = change,
            ExperimentId = "exp-1",
            AnalyzedAt = new DateTimeOffset(2026, 11, 20, 11, 50, 0, TimeSpan.Zero),
            Treatment = new ArmReport(23, 22, 0),
            Control = new ArmReport(205, 154, 64),
            Evidence = new EvidenceReport(7.7, 15, 0.4, 20),
            Verdict = "continue",
            Reasons = ["23 of at least 30 treated runs have ended"],
            Forecast = new ForecastReport(300, 350, 7.2, 12.2),
            Points = Points,
        };
    }
}
