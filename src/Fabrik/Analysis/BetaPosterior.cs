using MathNet.Numerics;

namespace Fabrik.Analysis;

/// <summary>What is believed of two rates after their counts, from a flat prior: for display only.</summary>
public static class BetaPosterior
{
    /// <summary>The chance that the first rate is the greater one.</summary>
    public static double Better(long good, long units, long otherGood, long otherUnits) =>
        Greater(good + 1.0, units - good + 1.0, otherGood + 1.0, otherUnits - otherGood + 1.0);

    /// <summary>How much of the rate is lost on average by choosing the first, if it is the smaller one.</summary>
    public static double ExpectedLoss(long good, long units, long otherGood, long otherUnits)
    {
        double a = good + 1, b = units - good + 1, c = otherGood + 1, d = otherUnits - otherGood + 1;
        return (c / (c + d) * (1 - Greater(a, b, c + 1, d))) - (a / (a + b) * (1 - Greater(a + 1, b, c, d)));
    }

    /// <summary>P(X > Y) of Beta(a, b) and Beta(c, d), a whole number: a finite sum.</summary>
    private static double Greater(double a, double b, double c, double d)
    {
        var sum = 0.0;
        for (var i = 0; i < a; i++) sum += Math.Exp(SpecialFunctions.BetaLn(c + i, b + d) - Math.Log(b + i) - SpecialFunctions.BetaLn(1 + i, b) - SpecialFunctions.BetaLn(c, d));
        return Math.Clamp(sum, 0, 1);
    }
}
