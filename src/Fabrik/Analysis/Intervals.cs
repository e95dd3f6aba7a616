using MathNet.Numerics;
using MathNet.Numerics.Distributions;

namespace Fabrik.Analysis;

/// <summary>
/// Intervals and tests for a single look, as a final report describes an experiment that is over. None of them decides anything: looked at
/// again and again they are wrong far more often than they say.
/// </summary>
public static class Intervals
{
    /// <summary>Of the standard normal distribution at 97.5 %.</summary>
    private const double Z = 1.959963984540054;

    /// <summary>Wilson's 95 % interval of a rate.</summary>
    public static (double Low, double High) Wilson(long good, long units, double z = Z)
    {
        if (units == 0) return (0, 1);
        double n = units, p = good / n, spread = z * Math.Sqrt((p * (1 - p) / n) + (z * z / (4 * n * n))), scale = 1 + (z * z / n);
        var middle = p + (z * z / (2 * n));
        return (good == 0 ? 0 : (middle - spread) / scale, good == units ? 1 : (middle + spread) / scale);
    }

    /// <summary>Newcombe's 95 % interval (method 10) of a difference of rates.</summary>
    public static (double Low, double High) Newcombe(long good, long units, long otherGood, long otherUnits)
    {
        var (p, q) = ((double)good / units, (double)otherGood / otherUnits);
        var (one, other) = (Wilson(good, units), Wilson(otherGood, otherUnits));
        return (p - q - Math.Sqrt(Square(p - one.Low) + Square(other.High - q)), p - q + Math.Sqrt(Square(one.High - p) + Square(q - other.Low)));
    }

    /// <summary>Fisher's exact test of a two by two table, two-sided: tables at most as likely as this one.</summary>
    public static double Fisher(long a, long b, long c, long d)
    {
        var (row, column, total) = (a + b, a + c, a + b + c + d);
        double Log(long k) => SpecialFunctions.BinomialLn((int)row, (int)k) + SpecialFunctions.BinomialLn((int)(total - row), (int)(column - k)) - SpecialFunctions.BinomialLn((int)total, (int)column);
        var (least, most, seen, p) = (Math.Max(0, column - (total - row)), Math.Min(row, column), Log(a), 0.0);
        for (var k = least; k <= most; k++)
            if (Log(k) <= seen + 1e-7) p += Math.Exp(Log(k));
        return Math.Min(1, p);
    }

    /// <summary>The z-test of two rates with their pooled variance, two-sided.</summary>
    public static (double Z, double PValue) TwoRates(long good, long units, long otherGood, long otherUnits)
    {
        var pooled = (double)(good + otherGood) / (units + otherUnits);
        var z = (((double)good / units) - ((double)otherGood / otherUnits)) / Math.Sqrt(pooled * (1 - pooled) * ((1.0 / units) + (1.0 / otherUnits)));
        return (z, SpecialFunctions.Erfc(Math.Abs(z) / Math.Sqrt(2)));
    }

    /// <summary>Welch's test of two means, two-sided.</summary>
    public static (double T, double Freedom, double PValue) Welch(IReadOnlyCollection<double> one, IReadOnlyCollection<double> other)
    {
        var (a, b) = (Part(one), Part(other));
        var t = (a.Mean - b.Mean) / Math.Sqrt(a.Error + b.Error);
        var freedom = Square(a.Error + b.Error) / ((Square(a.Error) / (one.Count - 1)) + (Square(b.Error) / (other.Count - 1)));
        return (t, freedom, 2 * StudentT.CDF(0, 1, freedom, -Math.Abs(t)));

        static (double Mean, double Error) Part(IReadOnlyCollection<double> values)
        {
            var mean = values.Average();
            return (mean, values.Sum(value => Square(value - mean)) / (values.Count - 1) / values.Count);
        }
    }

    /// <summary>The exact Mann-Whitney test of samples without ties.</summary>
    /// <returns>U of the first sample, the chance of one at least as great, and the two-sided p-value.</returns>
    public static (double U, double Greater, double TwoSided) MannWhitney(IReadOnlyList<double> one, IReadOnlyList<double> other)
    {
        var u = one.Sum(x => other.Count(y => x > y));

        // Ways to get each U, by adding one observation after the other.
        var most = one.Count * other.Count;
        var ways = new double[one.Count + 1, most + 1];
        ways[0, 0] = 1;
        for (var rank = 1; rank <= one.Count + other.Count; rank++)
            for (var taken = Math.Min(rank, one.Count); taken >= 1; taken--)
                for (var sum = most; sum >= rank - taken; sum--)
                    if (rank - taken <= other.Count) ways[taken, sum] += ways[taken - 1, sum - (rank - taken)];
        double all = 0, above = 0, below = 0;
        for (var sum = 0; sum <= most; sum++)
        {
            all += ways[one.Count, sum];
            if (sum >= u) above += ways[one.Count, sum];
            if (sum <= u) below += ways[one.Count, sum];
        }

        return (u, above / all, Math.Min(1, 2 * Math.Min(above, below) / all));
    }

    private static double Square(double value) => value * value;
}
