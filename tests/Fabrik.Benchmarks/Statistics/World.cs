namespace Fabrik.Benchmarks.Statistics;

/// <summary>How Jobs fare, without and with the change.</summary>
/// <param name="Name">For the table.</param>
/// <param name="Rates">Chance of success of each stratum's controls; Jobs come from the strata in turn.</param>
/// <param name="Effect">Added to it for the treated.</param>
/// <param name="Drift">How far the rate swings over the experiment, up and down.</param>
internal sealed record World(string Name, double[] Rates, double Effect = 0, double Drift = 0)
{
    public static readonly World[] Nulls =
    [
        new("A/A 0.75", [0.75]),
        new("A/A 0.95", [0.95]),
        new("A/A 0.75, drift 0.2", [0.75], Drift: 0.2),
        new("A/A two strata", [0.97, 0.53]),
        new("A/A three, drift 0.04", [0.95, 0.75, 0.4], Drift: 0.04),
    ];

    public static readonly World[] Regressions =
    [
        new("0.90 to 0.85", [0.90], Effect: -0.05),
        new("0.75 to 0.70, drift 0.1", [0.75], Effect: -0.05, Drift: 0.1),
    ];

    public double Rate(int stratum, double progress, bool isTreated) =>
        Math.Clamp(Rates[stratum] + (Drift * Math.Sin(2 * Math.PI * progress)) + (isTreated ? Effect : 0), 0, 1);
}
