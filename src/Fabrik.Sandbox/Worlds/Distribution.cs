namespace Fabrik.Sandbox.Worlds;

/// <summary>How an amount varies; never below 0.</summary>
public abstract record Distribution
{
    /// <summary>The value that the given part of all draws stays below.</summary>
    /// <param name="part">From 0 to 1.</param>
    public abstract double At(double part);

    public sealed record Fixed(double Value) : Distribution
    {
        public override double At(double part) => Value;
    }

    public sealed record Uniform(double From, double To) : Distribution
    {
        public override double At(double part) => From + ((To - From) * part);
    }

    public sealed record Normal(double Mean, double Deviation) : Distribution
    {
        public override double At(double part) => Math.Max(0, Mean + (Deviation * Deviate(part)));

        /// <summary>Through two of its quantiles.</summary>
        public static Normal Through(double part1, double value1, double part2, double value2)
        {
            var (z1, z2) = (Deviate(part1), Deviate(part2));
            var deviation = (value2 - value1) / (z2 - z1);
            return new Normal(value1 - (deviation * z1), deviation);
        }
    }

    /// <summary>Mean and deviation of the natural logarithm.</summary>
    public sealed record LogNormal(double Mean, double Deviation) : Distribution
    {
        public override double At(double part) => Math.Exp(Mean + (Deviation * Deviate(part)));

        /// <summary>Through two of its quantiles, both above 0.</summary>
        public static LogNormal Through(double part1, double value1, double part2, double value2)
        {
            var normal = Normal.Through(part1, Math.Log(value1), part2, Math.Log(value2));
            return new LogNormal(normal.Mean, normal.Deviation);
        }
    }

    /// <summary>Quantile of the standard normal distribution: Newton's method on its distribution function, exact to some 1e-9.</summary>
    private static double Deviate(double part)
    {
        var p = Math.Clamp(part, 1e-9, 1 - 1e-9);
        if (p > 0.5) return -Deviate(1 - p);
        var t = Math.Sqrt(-2 * Math.Log(p));
        var z = -(t - ((2.30753 + (0.27061 * t)) / (1 + (0.99229 * t) + (0.04481 * t * t))));
        for (var step = 0; step < 4; step++) z -= (Below(z) - p) / (Math.Exp(-z * z / 2) / Math.Sqrt(2 * Math.PI));
        return z;
    }

    /// <summary>Distribution function for z at or below 0: a series near 0, a continued fraction in the tail.</summary>
    private static double Below(double z)
    {
        var density = Math.Exp(-z * z / 2) / Math.Sqrt(2 * Math.PI);
        if (z > -3)
        {
            double term = z, sum = z;
            for (var k = 1; k < 60; k++) sum += term *= z * z / ((2 * k) + 1);
            return 0.5 + (density * sum);
        }

        var fraction = -z;
        for (var k = 60; k > 0; k--) fraction = -z + (k / fraction);
        return density / fraction;
    }
}
