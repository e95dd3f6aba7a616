using MathNet.Numerics;

namespace Fabrik.Analysis;

/// <summary>
/// Whether Jobs were drawn into the arms as often as they should have been; may be looked at any time. Where they were not, something loses
/// Jobs of one arm, and no comparison can be trusted.
/// </summary>
public static class SampleRatio
{
    /// <summary>Strength of the alternative: as many observations as would make the share known to about 5 points.</summary>
    private const double Weight = 100;

    /// <summary>Of the alternative for what is lost: any share is as likely as another (Jeffreys), as losses that go by arm may well all be of one.</summary>
    private const double LossWeight = 0.5;

    /// <summary>Bayes factor from which on losses count as going by arm.</summary>
    public const double LossLimit = 100;

    /// <summary>Bayes factor from which on an experiment is not analysed any further.</summary>
    public const double Limit = 1000;

    /// <summary>What is said of arms that do not hold the Jobs they should.</summary>
    public const string Broken = "the arms do not hold the Jobs they should: something loses Jobs of one arm, so nothing is decided until that is found";

    /// <summary>
    /// Natural logarithm of the Bayes factor (Lindon and Malek) of "another share" against the share that was set: a martingale where the share
    /// is right, so it exceeds k with a chance of at most 1/k ever. Those of several phases add up.
    /// </summary>
    /// <param name="treated">Jobs labelled as treated.</param>
    /// <param name="control">Jobs labelled as control.</param>
    /// <param name="share">The chance of treatment among the two, inside (0, 1).</param>
    public static double LogBayesFactor(long treated, long control, double share) => LogBayesFactor(treated, control, share, Weight * share, Weight * (1 - share));

    /// <summary>
    /// The same of the runs whose end nobody knows. Arms are drawn, so where losses have nothing to do with them, a lost run is a treated one with the
    /// chance that any has; else what is known of the arms differs by more than the change.
    /// </summary>
    public static double LogLossFactor(long treated, long control, double share) => LogBayesFactor(treated, control, share, LossWeight, LossWeight);

    private static double LogBayesFactor(long treated, long control, double share, double a, double b)
    {
        return SpecialFunctions.BetaLn(a + treated, b + control) - SpecialFunctions.BetaLn(a, b) - (treated * Math.Log(share)) - (control * Math.Log(1 - share));
    }

    /// <summary>Pearson's chi-squared for the final report: valid for one look only.</summary>
    public static (double Statistic, double PValue) ChiSquared(long treated, long control, double share)
    {
        double total = treated + control;
        var (wantTreated, wantControl) = (total * share, total * (1 - share));
        var statistic = (Math.Pow(treated - wantTreated, 2) / wantTreated) + (Math.Pow(control - wantControl, 2) / wantControl);
        return (statistic, SpecialFunctions.Erfc(Math.Sqrt(statistic / 2)));
    }
}
