using System.Globalization;
using Fabrik.Analysis;
using Fabrik.Costs;
using Fabrik.Experiments;
using Fabrik.Runs;

namespace Fabrik.Proposals;

/// <summary>A better size for the Jobs of a profile, and what it is expected to do.</summary>
/// <param name="Resource">memory or cpu: of each only one change is open at a time.</param>
/// <param name="Size">The amount that counts when two suggestions are compared: bytes, or thousandths of a core.</param>
/// <param name="Baseline">Rate of good outcomes now, by the goal.</param>
/// <param name="Expected">The same with the change.</param>
/// <param name="CostRatio">Of a run with the change over one without.</param>
/// <param name="GainPerDay">In the currency of the price book.</param>
public sealed record Suggestion(
    string Resource, bool IsUp, long Size, Treatment Change, Goal Goal, Risk Risk, double Baseline, double Expected, double RunsPerDay, double CostRatio, double GainPerDay,
    string Rationale, RollbackPlan RollbackPlan, IReadOnlyDictionary<string, double> Figures);

/// <summary>From a profile to sizes: up where runs are killed or cut off, down where much more is reserved than was ever needed.</summary>
public static class Sizing
{
    private const int FewestRuns = 20;
    private const int FewestKills = 3;

    /// <summary>More than what <see cref="Covered"/> leaves, or the next larger size would be proposed for ever.</summary>
    private const double LeastOomRate = 0.02;

    /// <summary>Quantile of the needs that a new limit is for.</summary>
    private const double Covered = 0.99;
    private const double LeastStep = 1.25;
    private const double LargestStep = 4;

    /// <summary>Of the limit: where Jobs need either little or more than they ever got, a fit of what was cut off names sizes that nobody has.</summary>
    private const double FurthestTold = 16;

    /// <summary>Before anything is taken away.</summary>
    private const int RunsBeforeLess = 100;

    /// <summary>Part of the runs that must have the present resources: what is known of others is of no use.</summary>
    private const double Prevailing = 0.9;

    /// <summary>A reservation is lowered to at most this part of what it is: less is not worth a trial.</summary>
    private const double WorthLowering = 0.75;

    public static IReadOnlyList<Suggestion> Of(SpecProfile profile, PriceBook prices)
    {
        if (profile.Now is not { } regime) return [];
        var tally = profile.Tally(regime);
        if (tally.Runs < FewestRuns || tally.RunsPerDay <= 0) return [];
        return [.. new[] { MemoryUp(profile, regime, tally, prices) ?? MemoryDown(profile, regime, tally, prices), CpuUp(profile, regime, tally, prices) ?? CpuDown(profile, regime, tally, prices) }.OfType<Suggestion>()];
    }

    private static Suggestion? MemoryUp(SpecProfile profile, Regime regime, RegimeTally tally, PriceBook prices)
    {
        if (regime.Resources.MemoryLimitBytes is not { } limit || tally.OomKilled < FewestKills || Intervals.Wilson(tally.OomKilled, tally.Runs).Low < LeastOomRate) return null;

        // Jobs that have more already must not be given less.
        if (profile.Regimes.Any(other => other.Weight > 1 - Prevailing && other.Resources.MemoryLimitBytes > limit)) return null;
        if (NeedFit.Of(profile.Needs(one => one.Seen), profile.Needs(one => one.Above), profile.Needs(one => one.Below)) is not { } fit) return null;
        var size = Amounts.TidyMemory(Math.Clamp(fit.Quantile(Covered), limit * LeastStep, limit * LargestStep));
        var oomAfter = Math.Min(fit.Above(size), tally.OomRate);

        // A limit alone would take the request up with it. What is killed needs room; what is reserved is another question, and costs.
        var request = regime.Resources.MemoryRequestBytes is { } reserved && reserved < limit ? reserved : size;
        var (ratio, gain) = Economy(tally, regime.Resources, regime.Resources with { MemoryLimitBytes = size, MemoryRequestBytes = request }, tally.OomRate - oomAfter, prices);
        return new Suggestion(
            "memory", true, size,
            new Treatment { MemoryLimit = Amounts.Memory(size), MemoryRequest = Amounts.Memory(request) },
            Goal.Win, Risk.Low, 1 - tally.OomRate, 1 - oomAfter, tally.RunsPerDay, ratio, gain,
            Text($"{tally.OomKilled} of {tally.Runs} runs of {profile.Target} were killed for memory at {Amounts.Shown(limit)}. Half of them need {Amounts.Shown((long)fit.Quantile(0.5))} or less, {Covered:0.#%} {(fit.Quantile(Covered) <= limit * FurthestTold ? $"about {Amounts.Shown((long)fit.Quantile(Covered))}" : $"more than can be told from runs that end at {Amounts.Shown(limit)}")}: with {Amounts.Shown(size)}, {oomAfter:0.#%} are expected to be killed."),
            new RollbackPlan { Metric = "oom_rate", Threshold = Math.Round(Math.Max(0.1, tally.OomRate), 3), Action = "immediate_rollback" },
            new Dictionary<string, double>
            {
                [Names.Figures.CurrentBytes] = limit,
                [Names.Figures.ProposedBytes] = size,
                [Names.Figures.OomRate] = tally.OomRate,
                [Names.Figures.MedianBytes] = fit.Quantile(0.5),
                [Names.Figures.P95Bytes] = fit.Quantile(0.95),
            });
    }

    private static Suggestion? MemoryDown(SpecProfile profile, Regime regime, RegimeTally tally, PriceBook prices)
    {
        var seen = profile.Needs(one => one.Seen);
        if ((regime.Resources.MemoryRequestBytes ?? regime.Resources.MemoryLimitBytes) is not { } reserved || seen.Total < RunsBeforeLess || regime.Weight < Prevailing) return null;
        if (profile.Needs(one => one.Above).Total > 0 || tally.OomKilled > 0) return null;
        if (NeedFit.Of(seen, new LogHistogram(), new LogHistogram()) is not { } fit || seen.Quantile(1) is not { } most || seen.Quantile(0.95) is not { } usual) return null;
        var limit = regime.Resources.MemoryLimitBytes;
        var enough = Amounts.TidyMemory(Math.Max(most * 1.25, fit.Quantile(0.999)));
        var request = limit == reserved ? enough : Amounts.TidyMemory(usual * 1.15);
        if (request > reserved * WorthLowering) return null;
        long? lowered = limit is { } old && enough < old * WorthLowering ? enough : null;
        if (lowered is null && limit == reserved) return null;
        var (ratio, gain) = Economy(tally, regime.Resources, regime.Resources with { MemoryRequestBytes = request, MemoryLimitBytes = lowered ?? limit }, 0, prices);
        return new Suggestion(
            "memory", false, request,
            new Treatment { MemoryRequest = Amounts.Memory(request), MemoryLimit = lowered is { } less ? Amounts.Memory(less) : null },
            Goal.Save, lowered < limit / 2 ? Risk.Medium : Risk.Low, tally.SuccessRate, tally.SuccessRate, tally.RunsPerDay, ratio, gain,
            Text($"{seen.Total} runs of {profile.Target} reserved {Amounts.Shown(reserved)} of memory each; 95 % used {Amounts.Shown((long)usual)} or less and none more than {Amounts.Shown((long)most)}."),
            new RollbackPlan { Metric = "oom_rate", Threshold = 0.05, Action = "immediate_rollback" },
            new Dictionary<string, double>
            {
                [Names.Figures.CurrentBytes] = reserved,
                [Names.Figures.ProposedBytes] = request,
                [Names.Figures.OomRate] = 0,
                [Names.Figures.MedianBytes] = fit.Quantile(0.5),
                [Names.Figures.P95Bytes] = usual,
            });
    }

    /// <summary>Only where runs miss their deadline at the end of their cores: that a run is merely faster is nothing a trial decides.</summary>
    private static Suggestion? CpuUp(SpecProfile profile, Regime regime, RegimeTally tally, PriceBook prices)
    {
        if (regime.Resources.CpuLimitMillis is not { } limit || tally.Deadlines < FewestKills || Intervals.Wilson(tally.Deadlines, tally.Runs).Low < LeastOomRate) return null;
        if (tally.Cpu.Quantile(0.5) is not { } half || half < limit * 0.95) return null;
        if (profile.Regimes.Any(other => other.Weight > 1 - Prevailing && other.Resources.CpuLimitMillis > limit)) return null;
        var size = Amounts.TidyCpu(limit * 2);
        var missed = (double)tally.Deadlines / tally.Runs;
        var request = regime.Resources.CpuRequestMillis is { } reserved && reserved < limit ? reserved : size;
        var (ratio, gain) = Economy(tally, regime.Resources, regime.Resources with { CpuLimitMillis = size, CpuRequestMillis = request }, missed / 2, prices);
        return new Suggestion(
            "cpu", true, size, new Treatment { CpuLimit = Amounts.Cpu(size), CpuRequest = Amounts.Cpu(request) },
            Goal.Win, Risk.Low, tally.SuccessRate, Math.Min(1, tally.SuccessRate + (missed / 2)), tally.RunsPerDay, ratio, gain,
            Text($"{tally.Deadlines} of {tally.Runs} runs of {profile.Target} missed their deadline, and half of the others are held back by their limit of {Amounts.Cpu(limit)} cores."),
            new RollbackPlan { Metric = "error_rate", Threshold = Math.Round(Math.Max(0.1, 1 - tally.SuccessRate), 3), Action = "immediate_rollback" },
            new Dictionary<string, double> { [Names.Figures.CurrentMillis] = limit, [Names.Figures.ProposedMillis] = size });
    }

    private static Suggestion? CpuDown(SpecProfile profile, Regime regime, RegimeTally tally, PriceBook prices)
    {
        if ((regime.Resources.CpuRequestMillis ?? regime.Resources.CpuLimitMillis) is not { } reserved || tally.Cpu.Total < RunsBeforeLess || regime.Weight < Prevailing) return null;
        if (tally.Cpu.Quantile(0.95) is not { } usual) return null;
        var size = Amounts.TidyCpu(usual * 1.15);
        if (size > reserved * WorthLowering) return null;
        var (ratio, gain) = Economy(tally, regime.Resources, regime.Resources with { CpuRequestMillis = size }, 0, prices);
        return new Suggestion(
            "cpu", false, size, new Treatment { CpuRequest = Amounts.Cpu(size) },
            Goal.Save, Risk.Low, tally.SuccessRate, tally.SuccessRate, tally.RunsPerDay, ratio, gain,
            Text($"{tally.Cpu.Total} runs of {profile.Target} reserved {Amounts.Cpu(reserved)} cores each; 95 % of them used {Amounts.Cpu((long)usual)} or less for 95 % of their time. Their limit stays."),
            new RollbackPlan { Metric = "error_rate", Threshold = Math.Round(Math.Max(0.1, 1.5 * (1 - tally.SuccessRate)), 3), Action = "immediate_rollback" },
            new Dictionary<string, double> { [Names.Figures.CurrentMillis] = reserved, [Names.Figures.ProposedMillis] = size });
    }

    /// <summary>What the new size costs and gains, if runs that succeed take as long as now, and those that no longer fail as long as they.</summary>
    /// <param name="saved">Part of the runs that fails now and will not.</param>
    private static (double CostRatio, double GainPerDay) Economy(RegimeTally tally, RunResources now, RunResources then, double saved, PriceBook prices)
    {
        var seconds = tally.Succeeded == 0 ? 3600 : tally.SucceededSeconds / tally.Succeeded;
        if (prices.Of(now, null, seconds) is not { } success || prices.Of(then, null, seconds) is not { } later || success <= 0) return (1, 0);
        var (before, price) = (tally.Cost / tally.Runs, later / success);
        var killed = tally.OomKilled == 0 ? before : tally.KilledCost / tally.OomKilled;
        var after = (before + (saved * (success - killed))) * price;
        if (before <= 0) return (price, 0);
        var (rateNow, rateThen) = (Math.Max(0.01, tally.SuccessRate), Math.Min(1, tally.SuccessRate + saved));
        return (after / before, tally.RunsPerDay * rateThen * ((before / rateNow) - (after / rateThen)));
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
