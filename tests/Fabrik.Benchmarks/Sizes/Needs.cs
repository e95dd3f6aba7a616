using System.Diagnostics.CodeAnalysis;
using MathNet.Numerics.Distributions;

namespace Fabrik.Benchmarks.Sizes;

internal enum Shape
{
    LogNormal,
    Bimodal,
    Drifting,
    HeavyTailed,
}

/// <summary>What the runs of one spec truly need, in bytes. Progress is the part of the world that has passed, 0 to 1.</summary>
[SuppressMessage("Security", "CA5394", Justification = "a simulation that must repeat")]
internal sealed class Needs
{
    private readonly Shape shape;
    private readonly double typical;
    private readonly double sigma;
    private readonly double largeShare;
    private readonly double largeFactor;
    private readonly double drift;
    private readonly double tail;

    public Needs(Shape shape, Random random)
    {
        this.shape = shape;
        typical = (256L << 20) * Math.Pow(2, 5 * random.NextDouble());
        sigma = shape switch { Shape.LogNormal => 0.2 + (0.5 * random.NextDouble()), Shape.Bimodal => 0.15, _ => 0.3 };
        largeShare = shape == Shape.Bimodal ? 0.1 + (0.3 * random.NextDouble()) : 0;
        largeFactor = 2 + (3 * random.NextDouble());
        drift = shape == Shape.Drifting ? (random.Next(2) == 0 ? 1 : -1) * (0.5 + (0.5 * random.NextDouble())) : 0;
        tail = 2 + random.NextDouble();
    }

    public double Draw(Random random, double progress)
    {
        var part = Math.Max(1e-12, random.NextDouble());
        var isLarge = random.NextDouble() < largeShare;
        var unit = shape == Shape.HeavyTailed ? Math.Pow(part, -1 / tail) : Math.Exp(sigma * Normal.InvCDF(0, 1, part)) * (isLarge ? largeFactor : 1);
        return Typical(progress) * unit;
    }

    /// <summary>The part of the runs that needs more.</summary>
    public double Above(double bytes, double progress)
    {
        var unit = bytes / Typical(progress);
        if (shape == Shape.HeavyTailed) return unit <= 1 ? 1 : Math.Pow(unit, -tail);
        return ((1 - largeShare) * Normal.CDF(0, sigma, -Math.Log(unit))) + (largeShare * Normal.CDF(0, sigma, -Math.Log(unit / largeFactor)));
    }

    /// <summary>The size that this part of the runs needs more than.</summary>
    public double Exceeded(double part, double progress)
    {
        var (low, high) = (Math.Log(typical / 100), Math.Log(typical * 1000));
        for (var round = 0; round < 60; round++)
        {
            var middle = (low + high) / 2;
            if (Above(Math.Exp(middle), progress) > part) low = middle;
            else high = middle;
        }

        return Math.Exp(high);
    }

    /// <summary>At the end the drift has made it up to twice or half of what it was.</summary>
    private double Typical(double progress) => typical * Math.Pow(2, drift * progress);
}
