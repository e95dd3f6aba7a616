using System.Diagnostics.CodeAnalysis;
using Fabrik.Analysis;

namespace Fabrik.Tests.Analysis;

/// <summary>Published figures, to the digits in print.</summary>
public class DisplayStatisticsTests
{
    [Theory]
    [InlineData(81, 263, .2553, .3662)]
    [InlineData(15, 148, .0624, .1605)]
    [InlineData(0, 20, 0, .1611)]
    [InlineData(1, 29, .0061, .1718)]
    public void Wilsons_intervals_are_those_of_Newcombe_1998(long good, long units, double low, double high) => Is(Intervals.Wilson(good, units), low, high, 5e-5);

    [Theory]
    [InlineData(56, 70, 48, 80, .0524, .3339)]
    [InlineData(9, 10, 3, 10, .1705, .8090)]
    [InlineData(6, 7, 2, 7, .0582, .8062)]
    [InlineData(5, 56, 0, 29, -.0381, .1926)]
    [InlineData(0, 10, 0, 20, -.1611, .2775)]
    [InlineData(10, 10, 0, 20, .6791, 1)]
    public void Newcombes_intervals_are_the_published_ones(long good, long units, long otherGood, long otherUnits, double low, double high) =>
        Is(Intervals.Newcombe(good, units, otherGood, otherUnits), low, high, 5e-5);

    [Theory]
    [InlineData(8, 2, 1, 5, .0349650350)]
    [InlineData(3, 1, 1, 3, .4857142857)]
    [InlineData(6, 2, 1, 4, .1025641026)]
    [InlineData(1, 9, 11, 3, .002759456185)]
    [InlineData(27, 3, 203, 67, .0724415)]
    [InlineData(28, 2, 175, 95, .0008128914)]
    public void Fishers_test_gives_the_published_p_values(long a, long b, long c, long d, double p) => Intervals.Fisher(a, b, c, d).ShouldBe(p, Math.Max(5e-11, p * 1e-6));

    [Fact]
    public void Welchs_test_gives_what_R_prints_for_sleep()
    {
        var (t, freedom, p) = Intervals.Welch([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0], [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]);
        t.ShouldBe(-1.8608135, 5e-8);
        freedom.ShouldBe(17.776474, 5e-7);
        p.ShouldBe(.0793941, 5e-8);
    }

    [Fact]
    public void The_exact_Mann_Whitney_test_gives_what_R_and_scipy_print()
    {
        var (w, greater, _) = Intervals.MannWhitney([0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46], [1.15, 0.88, 0.90, 0.74, 1.21]);
        (w, Math.Round(greater, 7)).ShouldBe((35, .1272061));
        var (u, _, twoSided) = Intervals.MannWhitney([19, 22, 16, 29, 24], [20, 11, 17, 12]);
        (u, Math.Round(twoSided, 7)).ShouldBe((17, .1111111));
    }

    [Fact]
    public void The_sample_of_27_of_30_against_203_of_270_is_described_as_in_the_reference()
    {
        var (z, p) = Intervals.TwoRates(27, 30, 203, 270);
        z.ShouldBe(1.820063, 5e-7);
        p.ShouldBe(.0687494, 5e-8);
        Is(Intervals.Newcombe(27, 30, 203, 270), -.0151971, .2334811, 5e-8);
        BetaPosterior.Better(27, 30, 203, 270).ShouldBe(.96226307, 5e-9);
        BetaPosterior.ExpectedLoss(27, 30, 203, 270).ShouldBe(.00133604, 5e-9);
        BetaPosterior.Better(28, 30, 175, 270).ShouldBe(.9996187, 5e-8);
    }

    [Theory]
    [InlineData(100, .1, .3037811)]
    [InlineData(300, .01, .1810802)]
    [InlineData(1000, .01, .096064019)]
    public void The_margins_of_the_confidence_sequence_are_those_of_the_reference(double t, double tuning, double margin) =>
        RatioSequence.Margin(t, 1, tuning, .05).ShouldBe(margin, 5e-8);

    [Fact]
    public void The_normal_mixture_agrees_with_the_confseq_package()
    {
        RatioSequence.MixtureRho(100, .05).ShouldBe(12.60056, 5e-6);
        RatioSequence.MixtureBound(100, RatioSequence.MixtureRho(100, .05), .05).ShouldBe(30.35209, 5e-6);
    }

    [Fact]
    [SuppressMessage("Security", "CA5394", Justification = "simulated data")]
    public void The_interval_of_a_ratio_holds_the_truth_at_every_look_in_nearly_all_simulations_and_shrinks()
    {
        var (missed, widths) = (0, 0.0);
        for (var seed = 0; seed < 200; seed++)
        {
            var (random, sequence, missedOnce) = (new Random(seed), new RatioSequence(), false);
            for (var run = 0; run < 1500; run++)
            {
                var treated = random.NextDouble() < 0.2;
                var noise = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
                sequence.Add(treated, 60 * (treated ? 1.5 : 1) * Math.Exp(0.4 * noise), 0.2);
                if (run < 50) continue; // asymptotic
                var (low, high) = sequence.Interval(0.95);
                missedOnce |= low > 1.5 || high < 1.5;
            }

            missed += missedOnce ? 1 : 0;
            var (a, b) = sequence.Interval(0.95);
            widths += Math.Log(b / a) / 200;
        }

        missed.ShouldBeLessThanOrEqualTo(16); // 5 % are 10 of 200; three deviations more are 19
        widths.ShouldBeLessThan(0.35);
    }

    private static void Is((double Low, double High) interval, double low, double high, double within)
    {
        interval.Low.ShouldBe(low, within);
        interval.High.ShouldBe(high, within);
    }
}
