using System.Text.Json.Serialization;

namespace Fabrik.Analysis;

/// <summary>
/// Watches the runs under an applied change, in the order in which they end, against what the controls of its experiment had shown: it goes on
/// when nothing is held back any more. For each of eight alternatives M = LR * max(1, M), where LR is the likelihood of the outcome under more
/// failures over that under the baseline of its stratum; the alarm is on their mean. Each M is at most the Shiryaev-Roberts statistic of its
/// alternative, whose mean minus the number of runs is a martingale while no stratum fails more often than its baseline. So the mean number of
/// runs until a false alarm is at least <see cref="Limit"/>, whatever the mix of strata.
/// </summary>
public sealed class BaselineWatch
{
    public const double Limit = 1000;

    private static readonly double[] Odds = NullHypothesis.NoGain.Odds;

    /// <summary>Of each stratum that had controls, the failure rate that they hardly exceed: Wilson's upper bound.</summary>
    public Dictionary<string, double> Baselines { get; set; } = new(StringComparer.Ordinal);

    /// <summary>Natural logarithms, one for each alternative.</summary>
    public double[] Logs { get; set; } = new double[Odds.Length];

    /// <summary>Natural logarithm of the greatest mean so far.</summary>
    public double MaximumLog { get; set; }

    /// <summary>Runs that were watched, and how many of them failed.</summary>
    public long Runs { get; set; }
    public long Failed { get; set; }

    /// <summary>Sum of the baselines of the runs that were watched: how many failures they would have allowed.</summary>
    public double Allowed { get; set; }

    [JsonIgnore]
    public double Log
    {
        get
        {
            var greatest = Logs.Max();
            return greatest + Math.Log(Logs.Sum(log => Math.Exp(log - greatest)) / Logs.Length);
        }
    }

    [JsonIgnore]
    public double Maximum => Math.Exp(MaximumLog);

    [JsonIgnore]
    public bool IsAlarmed => MaximumLog >= Math.Log(Limit);

    /// <summary>Takes the controls so far as the baseline.</summary>
    public void Freeze(IReadOnlyDictionary<string, StratumCounts> strata)
    {
        foreach (var (stratum, counts) in strata)
            if (Intervals.Wilson(counts.Bad, counts.Good + counts.Bad).High is var bound and < 1) Baselines[stratum] = bound;
    }

    /// <summary>A run whose stratum had no controls tells nothing.</summary>
    public void Add(string stratum, bool failed)
    {
        if (!Baselines.TryGetValue(stratum, out var baseline)) return;
        Runs++;
        Allowed += baseline;
        if (failed) Failed++;
        var ratio = baseline / (1 - baseline);
        for (var i = 0; i < Logs.Length; i++)
        {
            var worse = Odds[i] * ratio / (1 + (Odds[i] * ratio));
            Logs[i] = Math.Max(0, Logs[i]) + Math.Log(failed ? worse / baseline : (1 - worse) / (1 - baseline));
        }

        MaximumLog = Math.Max(MaximumLog, Log);
    }
}
