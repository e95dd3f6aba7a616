using System.Diagnostics.CodeAnalysis;

namespace Fabrik.Benchmarks.Sizes;

/// <summary>The limit with which a world begins.</summary>
internal enum Given
{
    /// <summary>35 % of the runs are killed.</summary>
    TooSmall,

    /// <summary>5 of 1,000 are.</summary>
    Fitting,

    /// <summary>Four times that one.</summary>
    TooLarge,
}

/// <summary>How a rule did in a world, by the true needs and without the first batch, which no rule can help.</summary>
/// <param name="Killed">Part of the runs.</param>
/// <param name="KilledAtEnd">The same in the last tenth.</param>
/// <param name="Memory">Memory-hours reserved per success, over those of a size that 99 of 100 runs fit into.</param>
/// <param name="RunsUntilFit">Runs before the first size with less than 1 % kills; infinite where there was none.</param>
/// <param name="MadeWorse">The limit it began with would have had less than 1 % kills, the rule more than 2 %; null where it would not.</param>
internal sealed record SizingResult(double Killed, double KilledAtEnd, double Memory, double RunsUntilFit, bool? MadeWorse);

/// <summary>
/// Runs of one spec, in batches; after each a rule may set the size of the next. Every rule meets the same runs. A size is judged by the true
/// distribution of the needs, not by the few runs that meet it.
/// </summary>
[SuppressMessage("Security", "CA5394", Justification = "a simulation that must repeat")]
internal sealed class SizingWorld
{
    public const double Healthy = 0.01;
    private const double Ill = 0.02;
    private const double Seconds = 600;

    /// <summary>Of its time: a run that is killed is so half way in the mean.</summary>
    private const double KilledAfter = 0.5;
    private static readonly DateTimeOffset Start = new(2026, 11, 2, 0, 0, 0, TimeSpan.Zero);

    private readonly Needs needs;
    private readonly double[] drawn;
    private readonly int batch;
    private readonly TimeSpan between;
    private readonly long given;

    public SizingWorld(Shape shape, int runs, Given given, int seed)
    {
        var random = new Random(seed);
        needs = new Needs(shape, random);
        batch = runs <= 100 ? 5 : 50;
        between = TimeSpan.FromDays(1 / (10 * Math.Pow(30, random.NextDouble()))); // 10 to 300 runs a day
        drawn = [.. Enumerable.Range(0, runs).Select(run => needs.Draw(random, (double)run / runs))];
        this.given = (long)(given switch { Given.TooSmall => needs.Exceeded(0.35, 0), Given.Fitting => needs.Exceeded(0.005, 0), _ => 4 * needs.Exceeded(0.005, 0) });
    }

    public SizingResult Play(ISizingRule rule)
    {
        var (size, until) = (given, needs.Above(given, 0) < Healthy ? 0 : double.PositiveInfinity);
        var (killed, untouched, memory) = (new List<double>(), new List<double>(), new List<double>());
        for (var from = 0; from < drawn.Length; from += batch)
        {
            for (var run = from; run < from + batch; run++)
            {
                var isKilled = drawn[run] > size;
                rule.Take(new SeenRun(run, Start + (between * run), isKilled ? KilledAfter * Seconds : Seconds, size, (long)Math.Min(drawn[run], size), isKilled));
            }

            size = rule.Size(size);
            var progress = Math.Min(1, (from + (1.5 * batch)) / drawn.Length);
            var above = needs.Above(size, progress);
            if (above < Healthy) until = Math.Min(until, from + batch);
            killed.Add(above);
            untouched.Add(needs.Above(given, progress));
            memory.Add(PerSuccess(size, above) / PerSuccess(needs.Exceeded(Healthy, progress), Healthy));
        }

        var end = killed.Count - Math.Max(1, killed.Count / 10);
        return new SizingResult(killed.Average(), killed.Skip(end).Average(), memory.Average(), until, untouched.Average() < Healthy ? killed.Average() > Ill : null);
    }

    private static double PerSuccess(double size, double above) => size * (1 - above + (KilledAfter * above)) / Math.Max(1e-3, 1 - above);
}
