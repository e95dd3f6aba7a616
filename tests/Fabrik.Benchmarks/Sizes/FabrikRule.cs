using Fabrik.Costs;
using Fabrik.Experiments;
using Fabrik.Proposals;
using Fabrik.Runs;

namespace Fabrik.Benchmarks.Sizes;

/// <summary>What Fabrik suggests, applied to all Jobs at once: the trial that comes before it is not played.</summary>
internal sealed class FabrikRule : ISizingRule
{
    private readonly SpecProfile profile = new() { Target = new ProfileTarget("ci", null, "spec", null) };

    public void Take(SeenRun run)
    {
        var given = new RunResources { MemoryRequestBytes = run.Limit, MemoryLimitBytes = run.Limit };
        profile.Take(
            new ProfiledRun($"uid-{run.Number}", profile.Target, Arm.Applied, 1, given, run.At, run.Seconds, run.Killed ? Outcome.Failed : Outcome.Succeeded, run.Killed, run.Peak, null),
            PriceBook.Default);
    }

    public long Size(long present) => Sizing.Of(profile, PriceBook.Default).FirstOrDefault(one => one.Resource == "memory")?.Size ?? present;
}
