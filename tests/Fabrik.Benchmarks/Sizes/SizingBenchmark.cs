using System.Globalization;

namespace Fabrik.Benchmarks.Sizes;

/// <summary>Fabrik's sizes against those of others' published rules, over generated worlds in which the true need of each run is known.</summary>
internal static class SizingBenchmark
{
    private const int DefaultWorlds = 60;

    /// <summary>Of the worlds that were healthy, by Fabrik: its aim.</summary>
    private const double MostMadeWorse = 0.05;
    private static readonly int[] Lengths = [20, 5000];

    private static readonly (string Name, Func<ISizingRule> Make)[] Rules =
    [
        ("Fabrik", () => new FabrikRule()),
        ("VPA", () => new VpaRule(withinBounds: false)),
        ("VPA, in bounds", () => new VpaRule(withinBounds: true)),
        ("KRR", () => new KrrRule(useKills: false)),
        ("KRR, kills", () => new KrrRule(useKills: true)),
        ("specification", () => new SpecificationRule()),
    ];

    /// <param name="args">Worlds of each kind; 60 if left out.</param>
    public static Task<int> RunAsync(string[] args)
    {
        var clock = TimeProvider.System;
        var began = clock.GetTimestamp();
        var worlds = args is [var given] && int.TryParse(given, NumberStyles.None, CultureInfo.InvariantCulture, out var asked) && asked > 0 ? asked : DefaultWorlds;
        var kinds = (from start in Enum.GetValues<Given>() from runs in Lengths from shape in Enum.GetValues<Shape>() select (Start: start, Runs: runs, Shape: shape)).ToArray();
        var results = new SizingResult[kinds.Length * worlds][];
        Parallel.For(0, results.Length, new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount }, number =>
        {
            var (start, runs, shape) = kinds[number / worlds];
            var world = new SizingWorld(shape, runs, start, number);
            results[number] = [.. Rules.Select(rule => world.Play(rule.Make()))];
        });

        Console.WriteLine($"{"LIMIT",-10}{"RUNS",6}  {"NEED",-13}{"RULE",-16}{"KILLED %",20}{"AT THE END %",20}{"MEMORY PER SUCCESS",22}{"RUNS UNTIL < 1 %",24}{"MADE WORSE",12}");
        foreach (var alike in kinds.Select((kind, number) => (Kind: kind, Number: number)).GroupBy(one => (one.Kind.Start, one.Kind.Runs)))
        {
            foreach (var (kind, number) in alike) Show(alike.Key, kind.Shape.ToString(), results[(number * worlds)..((number + 1) * worlds)]);
            Show(alike.Key, "all", [.. alike.SelectMany(one => results[(one.Number * worlds)..((one.Number + 1) * worlds)])]);
        }

        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{worlds} worlds of each kind in {clock.GetElapsedTime(began).TotalSeconds:0} s; median (10th to 90th percentile). Memory: 1 is a size that 99 of 100 runs fit into."));
        var good = results.Select(one => one[0].MadeWorse).OfType<bool>().ToList() is var healthy && healthy.Count(one => one) <= MostMadeWorse * healthy.Count;
        Console.WriteLine(good ? "ok" : "missed");
        return Task.FromResult(good ? 0 : 1);
    }

    private static void Show((Given Start, int Runs) kind, string need, SizingResult[][] worlds)
    {
        for (var rule = 0; rule < Rules.Length; rule++)
        {
            var of = worlds.Select(one => one[rule]).ToList();
            var worse = of.Select(one => one.MadeWorse).OfType<bool>().ToList();
            Console.WriteLine(
                $"{kind.Start,-10}{kind.Runs,6}  {need,-13}{Rules[rule].Name,-16}{Spread(of, one => 100 * one.Killed, "0.0"),20}{Spread(of, one => 100 * one.KilledAtEnd, "0.0"),20}{Spread(of, one => one.Memory, "0.00"),22}{Spread(of, one => one.RunsUntilFit, "0"),24}{(worse.Count == 0 ? "-" : Share(worse)),12}");
        }

        Console.WriteLine();
    }

    private static string Share(List<bool> worse) => string.Create(CultureInfo.InvariantCulture, $"{100.0 * worse.Count(one => one) / worse.Count:0} %");

    private static string Spread(List<SizingResult> of, Func<SizingResult, double> what, string format)
    {
        var ordered = of.Select(what).Order().ToList();
        return $"{At(0.5)} ({At(0.1)} to {At(0.9)})";

        string At(double part) => ordered[(int)(part * (ordered.Count - 1))] is var value && double.IsFinite(value) ? value.ToString(format, CultureInfo.InvariantCulture) : "never";
    }
}
