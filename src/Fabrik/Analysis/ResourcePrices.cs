using Fabrik.Runs;

namespace Fabrik.Analysis;

/// <summary>What resources cost an hour, for comparing runs: only the proportion of the two matters.</summary>
/// <param name="Cpu">Of a core.</param>
/// <param name="Memory">Of a GiB.</param>
public sealed record ResourcePrices(double Cpu, double Memory)
{
    /// <summary>A core as dear as four GiB: how servers of ordinary shape are sold.</summary>
    public static ResourcePrices Usual { get; } = new(4, 1);

    /// <summary>
    /// Of what the run had reserved, for as long as it ran: null where neither resource is known, or where the change gave it one that it had
    /// not asked for, as then there is nothing to compare it with.
    /// </summary>
    public double? Of(Member run)
    {
        var (memory, cpu) = (Reserved(run.Applied.MemoryRequestBytes, run.Applied.MemoryLimitBytes), Reserved(run.Applied.CpuRequestMillis, run.Applied.CpuLimitMillis));
        if ((memory is null) != (Reserved(run.Requested.MemoryRequestBytes, run.Requested.MemoryLimitBytes) is null)) return null;
        if ((cpu is null) != (Reserved(run.Requested.CpuRequestMillis, run.Requested.CpuLimitMillis) is null)) return null;
        return Of(run.Applied, run.DurationSeconds);
    }

    /// <summary>Null where neither resource is known, or how long they were reserved.</summary>
    public double? Of(RunResources resources, double? seconds)
    {
        var (memory, cpu) = (Reserved(resources.MemoryRequestBytes, resources.MemoryLimitBytes), Reserved(resources.CpuRequestMillis, resources.CpuLimitMillis));
        if (memory is null && cpu is null) return null;
        return seconds / 3600 * (((memory ?? 0) / (1024.0 * 1024 * 1024) * Memory) + ((cpu ?? 0) / 1000.0 * Cpu));
    }

    private static long? Reserved(long? request, long? limit) => request ?? limit;
}
