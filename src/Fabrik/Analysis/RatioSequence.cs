using System.Text.Json.Serialization;

namespace Fabrik.Analysis;

/// <summary>
/// The ratio of treated to control durations, or costs, with an interval that holds at every look (an asymptotic confidence sequence over
/// inversely weighted outcomes). It informs approvals and alerts; it decides nothing. Each run costs the same.
/// </summary>
public sealed class RatioSequence
{
    /// <summary>Runs at which the interval is tightest.</summary>
    private const double Tightest = 300;

    public long Count { get; set; }

    /// <summary>How many of them were treated.</summary>
    public long Treated { get; set; }

    /// <summary>Mean of the logarithms so far.</summary>
    public double Centre { get; set; }

    /// <summary>Mean of the weighted differences, and the sum of their squared deviations.</summary>
    public double Mean { get; set; }
    public double Squares { get; set; }

    /// <summary>Treated over control; 1 before the first run.</summary>
    [JsonIgnore]
    public double Ratio => Math.Exp(Mean);

    /// <param name="isTreated">The arm.</param>
    /// <param name="value">Above zero: seconds, or money.</param>
    /// <param name="share">The chance with which the run was treated.</param>
    public void Add(bool isTreated, double value, double share)
    {
        if (!(value > 0) || double.IsInfinity(value)) return;
        var log = Math.Log(value);
        var centred = Count == 0 ? 0 : log - Centre;
        var weighted = isTreated ? centred / share : -centred / (1 - share);
        Count++;
        if (isTreated) Treated++;
        Centre += (log - Centre) / Count;
        var before = weighted - Mean;
        Mean += before / Count;
        Squares += before * (weighted - Mean);
    }

    /// <summary>Whether both arms have been seen.</summary>
    [JsonIgnore]
    public bool IsKnown => Treated > 0 && Treated < Count;

    /// <summary>The interval of the ratio at a confidence such as 0.95; everything while there is nothing to say.</summary>
    public (double Low, double High) Interval(double confidence)
    {
        if (!IsKnown) return (0, double.PositiveInfinity);
        var alpha = 1 - confidence;
        var margin = Margin(Count, Math.Sqrt(Squares / Count), Tuning(alpha, Tightest), alpha);
        return (Math.Exp(Mean - margin), Math.Exp(Mean + margin));
    }

    /// <summary>Half the width of the sequence's interval after t observations.</summary>
    /// <param name="t">Observations.</param>
    /// <param name="deviation">Their standard deviation.</param>
    /// <param name="tuning">Where it is tightest.</param>
    /// <param name="alpha">Chance of ever missing the mean.</param>
    public static double Margin(double t, double deviation, double tuning, double alpha) =>
        deviation * Math.Sqrt(2 * ((t * tuning) + 1) * Math.Log(Math.Sqrt((t * tuning) + 1) / alpha) / (t * t * tuning));

    /// <summary>The tuning that is tightest at so many observations.</summary>
    public static double Tuning(double alpha, double at) => Needed(alpha) / at;

    /// <summary>The same in the terms of a normal mixture with variance v: rho.</summary>
    public static double MixtureRho(double v, double alpha) => v / Needed(alpha);

    /// <summary>Two-sided bound of a normal mixture.</summary>
    public static double MixtureBound(double v, double rho, double alpha) => Math.Sqrt((v + rho) * Math.Log((v + rho) / (rho * alpha * alpha)));

    private static double Needed(double alpha) => (2 * Math.Log(1 / alpha)) + Math.Log(1 + (2 * Math.Log(1 / alpha)));
}
