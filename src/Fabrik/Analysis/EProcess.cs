using System.Text.Json.Serialization;

namespace Fabrik.Analysis;

/// <summary>A null hypothesis about rates of good outcomes, and the alternatives that are bet on against it.</summary>
/// <param name="Difference">The null: treated minus control is at most this.</param>
/// <param name="Odds">Of each alternative: the odds of a treated unit over those of the stratum's earlier controls.</param>
public sealed record NullHypothesis(double Difference, double[] Odds)
{
    /// <summary>"The treatment is no better." Over bad outcomes (<see cref="Block.Flipped"/>): "it does no harm".</summary>
    public static NullHypothesis NoGain { get; } = new(0, [1.25, 1.6, 2, 2.7, 3.7, 5.5, 8.5, 14]);

    /// <summary>"The treatment is worse by the margin or more", such as -0.05.</summary>
    public static NullHypothesis Inferior(double margin) => new(margin, [1, 1.25, 1.6, 2, 2.7, 3.7, 5.5, 8.5]);
}

/// <summary>
/// Evidence against one null hypothesis that may be looked at after every block: the mean, over eight alternatives, of the product of the
/// blocks' e-values, over all strata. Whenever the null holds, the chance that it ever reaches 1/a is at most a (Ville's inequality), under any
/// drift between blocks.
/// </summary>
public sealed class EProcess
{
    private const int Alternatives = 8;

    /// <summary>Natural logarithms of the products, one for each alternative.</summary>
    public double[] Logs { get; init; } = new double[Alternatives];

    /// <summary>Natural logarithm of the greatest value so far, at least 0.</summary>
    public double MaximumLog { get; set; }

    /// <summary>Natural logarithm of the value now.</summary>
    [JsonIgnore]
    public double Log
    {
        get
        {
            var greatest = double.NegativeInfinity;
            foreach (var log in Logs) greatest = Math.Max(greatest, log);
            var sum = 0.0;
            foreach (var log in Logs) sum += Math.Exp(log - greatest);
            return greatest + Math.Log(sum / Logs.Length);
        }
    }

    [JsonIgnore]
    public double Value => Math.Exp(Log);

    [JsonIgnore]
    public double Maximum => Math.Exp(MaximumLog);

    /// <param name="hypothesis">The same one for every block.</param>
    /// <param name="block">The next block of a stratum.</param>
    /// <param name="good">Good outcomes of the stratum's controls in earlier blocks.</param>
    /// <param name="bad">Bad ones.</param>
    public void Add(NullHypothesis hypothesis, Block block, long good, long bad)
    {
        var control = (good + 1.0) / (good + bad + 2.0);
        var ratio = control / (1 - control);
        for (var i = 0; i < Logs.Length; i++)
        {
            var scaled = hypothesis.Odds[i] * ratio;
            Logs[i] += BlockBet.Log(block, scaled / (1 + scaled), control, hypothesis.Difference);
        }

        MaximumLog = Math.Max(MaximumLog, Log);
    }
}
