using System.Globalization;
using Fabrik.Experiments;

namespace Fabrik.Benchmarks.Worlds;

/// <summary>Whether the loop comes to the true verdict: twenty worlds, each change one by one; then many, for the rates of error.</summary>
internal static class WorldsBenchmark
{
    private const int Shown = 20;
    private const double MostWrong = 0.05;

    public static Task<int> RunAsync(string[] args)
    {
        var count = args is [var given] && int.TryParse(given, NumberStyles.None, CultureInfo.InvariantCulture, out var asked) ? asked : 200;
        var worlds = new List<(Truth Truth, IReadOnlySet<Phase> Phases, int Jobs, int Harmed)>[count];
        Parallel.For(0, count, new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount }, seed => worlds[seed] = [.. new LoopWorld(seed).Play()]);
        Console.WriteLine("WORLD  CHANGES (truth: end, Jobs until it)");
        for (var seed = 0; seed < Math.Min(Shown, count); seed++)
            Console.WriteLine($"{seed,5}  {string.Join("; ", worlds[seed].Select(one => $"{one.Truth}: {End(one.Phases)}, {one.Jobs}"))}");
        Console.WriteLine($"the twenty: {Tell([.. worlds.Take(Shown).SelectMany(one => one)])}");
        var all = worlds.SelectMany(one => one).ToList();
        Console.WriteLine($"all {count}: {Tell(all)}");
        var harmed = all.Where(one => one.Truth == Truth.Harmful).Select(one => one.Harmed).Order().ToList();
        if (harmed.Count > 0) Console.WriteLine($"Jobs that failed under a harmful change, until it was taken back: median {harmed[harmed.Count / 2]}, 9 of 10 at most {harmed[(int)(harmed.Count * 0.9)]}");
        var good = Rate(all, WrongRollout, one => one.Truth is Truth.Useless or Truth.Harmful) <= MostWrong && Rate(all, WrongRollback, one => one.Truth != Truth.Harmful) <= MostWrong;
        Console.WriteLine(good ? "ok" : "missed");
        return Task.FromResult(good ? 0 : 1);
    }

    private static string Tell(IReadOnlyList<(Truth Truth, IReadOnlySet<Phase> Phases, int Jobs, int Harmed)> all) => string.Create(
        CultureInfo.InvariantCulture,
        $"wrong rollouts {Rate(all, WrongRollout, one => one.Truth is Truth.Useless or Truth.Harmful):0.0%}, wrong rollbacks {Rate(all, WrongRollback, one => one.Truth != Truth.Harmful):0.0%}, helpful changes applied {Rate(all, one => End(one.Phases) == "applied", one => one.Truth == Truth.Helpful):0.0%}, harmful ones taken back or not applied {Rate(all, one => End(one.Phases) != "applied", one => one.Truth == Truth.Harmful):0.0%}");

    private static bool WrongRollout((Truth Truth, IReadOnlySet<Phase> Phases, int Jobs, int Harmed) one) => one.Phases.Contains(Phase.Applied);

    private static bool WrongRollback((Truth Truth, IReadOnlySet<Phase> Phases, int Jobs, int Harmed) one) => one.Phases.Contains(Phase.RolledBack);

    private static double Rate<T>(IEnumerable<T> all, Func<T, bool> which, Func<T, bool> of)
    {
        var counted = all.Where(of).ToList();
        return counted.Count == 0 ? 0 : (double)counted.Count(which) / counted.Count;
    }

    private static string End(IReadOnlySet<Phase> phases) =>
        phases.Contains(Phase.RolledBack) ? "rolled back" : phases.Contains(Phase.Applied) ? "applied" : phases.Contains(Phase.Rejected) ? "baseline kept" : "open";
}
