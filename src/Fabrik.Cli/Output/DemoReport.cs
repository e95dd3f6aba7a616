using System.Globalization;
using Fabrik.Analysis;
using Fabrik.Experiments;
using Fabrik.Reports;
using Fabrik.Runs;

namespace Fabrik.Cli.Output;

/// <summary>What each arm of a trial got and how its runs ended; then what came of it, against Jobs that nothing was ever changed for.</summary>
public static class DemoReport
{
    private const int BarWidth = 20;
    private static readonly string[] Headers = ["JOBS", "MEMORY LIMIT", "SUCCEEDED", "OOM KILLED", "", "MEDIAN TIME", "COST/SUCCESS"];

    /// <param name="runs">All there were.</param>
    /// <param name="steps">What became of the changes, in any order.</param>
    public static void Write(Terminal terminal, IReadOnlyList<Run> runs, IReadOnlyList<HistoryEntry> steps)
    {
        foreach (var change in runs.SelectMany(run => run.Experiments).Distinct().Order(StringComparer.Ordinal))
        {
            var inside = runs.Where(run => run.Experiments.Contains(change)).ToList();
            var ended = steps.Where(step => step.Change == change).MaxBy(step => step.At);
            terminal.Out.WriteLine();
            terminal.Out.WriteLine($"Trial of {change}{(ended is null ? "" : $": {ended.To}")}");
            Table(terminal, "ARM",
            [
                ("treatment", inside.Where(run => run.Arm == Arm.Treatment).ToList()),
                ("control", inside.Where(run => run.Arm == Arm.Control).ToList()),
            ]);
        }

        foreach (var applied in steps.Where(step => step.To == "applied" && step.From != "applied").OrderBy(step => step.At)) After(terminal, runs, applied);
        var rest = runs.Count(run => run.Experiments.Count == 0 && run.AppliedChanges.Count == 0 && run.Arm != Arm.Holdout);
        terminal.Out.WriteLine();
        terminal.Out.WriteLine($"{rest} other Jobs kept what they asked for; {runs.Count(run => run.Arm == Arm.Unassigned)} were missed by the webhook.");
    }

    /// <summary>The holdout is drawn at random and never gets anything, so the difference is the change's doing.</summary>
    private static void After(Terminal terminal, IReadOnlyList<Run> runs, HistoryEntry applied)
    {
        var with = runs.Where(run => run.AppliedChanges.Contains(applied.Change) && run.Arm != Arm.Treatment).ToList();
        if (with.Count == 0) return;
        var kinds = with.Select(run => (run.Namespace, run.SpecType)).ToHashSet();
        terminal.Out.WriteLine();
        terminal.Out.WriteLine($"What {applied.Change} came to");
        Table(terminal, "",
        [
            ("before it", runs.Where(run => run.CreatedAt < applied.At && run.Arm != Arm.Treatment && run.AppliedChanges.Count == 0 && kinds.Contains((run.Namespace, run.SpecType))).ToList()),
            ("after it", with),
            ("never (holdout)", runs.Where(run => run.Arm == Arm.Holdout && kinds.Contains((run.Namespace, run.SpecType))).ToList()),
        ]);
    }

    private static void Table(Terminal terminal, string first, IReadOnlyList<(string Name, List<Run> Runs)> rows)
    {
        var least = rows.Select(row => CostOfSuccess(row.Runs)).OfType<double>().DefaultIfEmpty(0).Max();
        TableWriter.Write(terminal, [first, .. Headers], [.. rows.Select(row => Row(row.Name, row.Runs, least))]);
    }

    private static string[] Row(string name, List<Run> runs, double dearest)
    {
        var ended = runs.Where(run => run.Outcome != Outcome.Running).ToList();
        var limits = runs.Select(run => run.Applied.MemoryLimitBytes is { } bytes ? Cells.Bytes(bytes) : "none").Distinct().Order(StringComparer.Ordinal);
        var killed = Share(ended, run => run.OomKilled);
        var times = ended.Select(run => run.DurationSeconds).OfType<double>().Order().ToList();
        return
        [
            name,
            runs.Count.ToString(CultureInfo.InvariantCulture),
            string.Join(", ", limits),
            Percent(Share(ended, run => run.Outcome == Outcome.Succeeded)),
            Percent(killed),
            new string('█', (int)Math.Round((killed ?? 0) * BarWidth)) + ' ',
            times.Count == 0 ? "-" : Age.Of(TimeSpan.FromSeconds(times[times.Count / 2])),
            CostOfSuccess(ended) is { } cost && dearest > 0 ? Percent(cost / dearest) : "-",
        ];
    }

    /// <summary>Of all runs together for each that succeeded: what failed was paid for too. In units that only compare.</summary>
    private static double? CostOfSuccess(IReadOnlyList<Run> runs)
    {
        var succeeded = runs.Count(run => run.Outcome == Outcome.Succeeded);
        return succeeded == 0 ? null : runs.Sum(run => ResourcePrices.Usual.Of(run.Applied, run.DurationSeconds) ?? 0) / succeeded;
    }

    private static double? Share(List<Run> runs, Predicate<Run> which) => runs.Count == 0 ? null : runs.Count(run => which(run)) / (double)runs.Count;

    private static string Percent(double? share) => share is { } value ? string.Create(CultureInfo.InvariantCulture, $"{value * 100:0} %") : "-";
}
