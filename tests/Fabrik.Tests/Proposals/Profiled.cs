using Fabrik.Costs;
using Fabrik.Experiments;
using Fabrik.Proposals;
using Fabrik.Runs;
using MathNet.Numerics.Distributions;

namespace Fabrik.Tests.Proposals;

/// <summary>Profiles of runs whose needs are known to the test alone.</summary>
internal static class Profiled
{
    public const long Gi = 1L << 30;
    public static readonly DateTimeOffset Start = new(2026, 11, 1, 0, 0, 0, TimeSpan.Zero);
    public static readonly ProfileTarget Impl = new("agents", null, "impl", null);

    /// <summary>Needs at evenly spread quantiles: no chance is left in it.</summary>
    public static IEnumerable<double> LogNormal(int count, double median, double sigma) =>
        Enumerable.Range(0, count).Select(i => median * Math.Exp(sigma * Normal.InvCDF(0, 1, ((((i * 7919L) % count) + 0.5) / count))));

    public static SpecProfile Of(IEnumerable<double> needs, RunResources given, bool sampled = true, double everyMinutes = 30, long? cpuMillis = null, Func<int, Outcome>? outcome = null, SpecProfile? after = null)
    {
        var profile = after ?? new SpecProfile { Target = Impl };
        var index = 0;
        foreach (var need in needs) profile.Take(Run(index++, need, given, sampled, everyMinutes, cpuMillis, outcome), PriceBook.Default);
        return profile;
    }

    public static ProfiledRun Run(int index, double need, RunResources given, bool sampled = true, double everyMinutes = 30, long? cpuMillis = null, Func<int, Outcome>? outcome = null)
    {
        var killed = given.MemoryLimitBytes is { } limit && need > limit;
        return new ProfiledRun(
            $"run-{index}", Impl, Arm.None, 1, given, Start.AddMinutes(index * everyMinutes), killed ? 300 : 600, killed ? Outcome.Failed : outcome?.Invoke(index) ?? Outcome.Succeeded, killed,
            sampled ? (long)Math.Min(need, given.MemoryLimitBytes ?? need) : null, cpuMillis);
    }

    public static RunResources Given(long? memoryLimit, long? memoryRequest = null, long? cpuRequest = null, long? cpuLimit = null) =>
        new() { MemoryLimitBytes = memoryLimit, MemoryRequestBytes = memoryRequest, CpuRequestMillis = cpuRequest, CpuLimitMillis = cpuLimit };
}
