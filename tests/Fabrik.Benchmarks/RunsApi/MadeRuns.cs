using System.Diagnostics.CodeAnalysis;
using Fabrik.Experiments;
using Fabrik.Runs;
using Fabrik.Storage;

namespace Fabrik.Benchmarks.RunsApi;

/// <summary>A million runs with what each used.</summary>
[SuppressMessage("Security", "CA5394", Justification = "made-up data")]
internal static class MadeRuns
{
    public const int Count = 1_000_000;

    public static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    // Skewed as real clusters are: a few namespaces with most of the runs, outcomes that hardly occur.
    public static string Namespaces(Random random) => random.Next(100) switch { < 60 => "ci", < 80 => "batch", < 90 => "etl", _ => $"team-{random.Next(200)}" };

    public static string? Changes(Random random) => random.Next(10) < 3 ? null : $"change-{(int)Math.Pow(random.NextDouble() * 8, 2)}";

    public static Arm Arms(Random random) => random.Next(100) switch { < 19 => Arm.Treatment, < 85 => Arm.Control, < 90 => Arm.Holdout, < 95 => Arm.Applied, < 99 => Arm.None, _ => Arm.Unassigned };

    public static Outcome Outcomes(Random random) => random.Next(10_000) switch
    {
        < 9_000 => Outcome.Succeeded,
        < 9_800 => Outcome.Failed,
        < 9_900 => Outcome.Deadline,
        < 9_970 => Outcome.Evicted,
        < 9_990 => Outcome.Unschedulable,
        < 9_998 => Outcome.Lost,
        _ => Outcome.Running,
    };

    public static string? SpecTypes(Random random) => random.Next(6) switch { 0 => null, 1 => "review", 2 => "validate", _ => "impl" };

    public static void Fill(RunStore store, UsageStore usages)
    {
        var random = new Random(1);
        foreach (var chunk in Enumerable.Range(0, Count).Select(number => Made(number, random)).Chunk(10_000))
        {
            store.Write(chunk);
            usages.Settle([.. chunk.Select(change => (change.Run.Id, Used))]);
        }
    }

    private static readonly RunUsage Used = new() { Source = UsageSource.MetricsServer, PeakMemoryBytes = 1 << 29, MeanCpuMillis = 250, P95CpuMillis = 400, PeakCpuMillis = 500, Samples = 20, Missing = new MissingSources(UsageGap.NotConfigured), Settled = true };

    private static RunChange Made(int number, Random random)
    {
        var created = Start.AddSeconds(number * 30L);
        var outcome = Outcomes(random);
        var name = $"job-{random.Next(1000):000}-{number}";
        var resources = new RunResources { MemoryRequestBytes = 1 << 30, MemoryLimitBytes = 1 << 30, CpuRequestMillis = 500 };
        var run = new Run
        {
            Id = new Guid(number, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10).ToString(),
            Namespace = Namespaces(random),
            Name = name,
            RunId = $"r{number:0000000000000000000000000}",
            Change = Changes(random),
            Arm = Arms(random),
            SpecType = SpecTypes(random),
            Stratum = $"stratum-{random.Next(1000)}",
            Project = $"project-{random.Next(40)}",
            Requested = resources,
            Applied = resources,
            CreatedAt = created,
            StartedAt = created.AddSeconds(1),
            FinishedAt = outcome == Outcome.Running ? null : created.AddSeconds(1 + Math.Round(-600 * Math.Log(1 - random.NextDouble()))),
            Attempts = 1,
            Outcome = outcome,
        };
        return new RunChange(run, new Evidence { Id = run.Id, Job = null }, [], null);
    }
}
