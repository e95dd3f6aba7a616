using Fabrik.Experiments;
using Fabrik.Runs;

namespace Fabrik.Cli.Output;

/// <summary>What each arm of an experiment got and how its runs ended.</summary>
public static class DemoReport
{
    private const int BarWidth = 20;
    private static readonly string[] Headers = ["ARM", "JOBS", "MEMORY LIMIT", "SUCCEEDED", "OOM KILLED", "", "MEDIAN TIME"];

    public static void Write(Terminal terminal, IReadOnlyList<Run> runs)
    {
        foreach (var change in runs.SelectMany(run => run.Experiments).Distinct().Order(StringComparer.Ordinal))
        {
            var inside = runs.Where(run => run.Experiments.Contains(change)).ToList();
            var kinds = inside.Select(run => run.SpecType).ToHashSet();
            var holdout = runs.Where(run => run.Arm == Arm.Holdout && kinds.Contains(run.SpecType)).ToList();
            terminal.Out.WriteLine();
            terminal.Out.WriteLine($"Experiment {change}");
            TableWriter.Write(terminal, Headers,
            [
                Row("treatment", inside.Where(run => run.Arm == Arm.Treatment).ToList(), terminal),
                Row("control", inside.Where(run => run.Arm == Arm.Control).ToList(), terminal),
                Row("holdout", holdout, terminal),
            ]);
        }

        var rest = runs.Where(run => run.Experiments.Count == 0 && run.Arm != Arm.Holdout).ToList();
        terminal.Out.WriteLine();
        terminal.Out.WriteLine($"{rest.Count} other Jobs were in no experiment and kept what they asked for; {runs.Count(run => run.Arm == Arm.Unassigned)} were missed by the webhook.");
    }

    private static string[] Row(string arm, List<Run> runs, Terminal terminal)
    {
        var ended = runs.Where(run => run.Outcome != Outcome.Running).ToList();
        var limits = runs.Select(run => run.Applied.MemoryLimitBytes is { } bytes ? Cells.Bytes(bytes) : "none").Distinct().Order(StringComparer.Ordinal);
        var killed = Share(ended, run => run.OomKilled);
        var times = ended.Select(run => run.DurationSeconds).OfType<double>().Order().ToList();
        return
        [
            arm,
            runs.Count.ToString(),
            string.Join(", ", limits),
            Percent(Share(ended, run => run.Outcome == Outcome.Succeeded)),
            Percent(killed),
            new string('█', (int)Math.Round((killed ?? 0) * BarWidth)) + ' ',
            times.Count == 0 ? "-" : Age.Of(TimeSpan.FromSeconds(times[times.Count / 2])),
        ];
    }

    private static double? Share(List<Run> runs, Predicate<Run> which) => runs.Count == 0 ? null : runs.Count(run => which(run)) / (double)runs.Count;

    private static string Percent(double? share) => share is { } value ? $"{value * 100:0} %" : "-";
}
