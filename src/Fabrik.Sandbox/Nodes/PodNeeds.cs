namespace Fabrik.Sandbox.Nodes;

/// <summary>What one Pod would do if nothing limited it. Only the simulated node knows.</summary>
public sealed record PodNeeds
{
    /// <summary>Names the draws of this Pod's attempts; the same key gives the same fate.</summary>
    public required string Key { get; init; }

    public TimeSpan Duration { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Bytes at the peak; above the container's limit it is killed, without a limit never.</summary>
    public long? Memory { get; init; }

    /// <summary>Thousandths of a core, all the time; never more than the container's limit.</summary>
    public long CpuMillis { get; init; } = 100;

    /// <summary>The container that all this is about; null: the first.</summary>
    public string? Container { get; init; }

    /// <summary>0 to 1, for each attempt.</summary>
    public double FailureRate { get; init; }

    /// <summary>Of an attempt that fails, one of them.</summary>
    public IReadOnlyList<int> ExitCodes { get; init; } = [1];

    /// <summary>Not null: every attempt ends with it, after the whole duration.</summary>
    public int? ExitCode { get; init; }

    /// <summary>When the memory runs out, as a fraction of the duration.</summary>
    public double OutOfMemoryAt { get; init; } = 0.6;

    /// <summary>137 where the kernel kills the container's first process; 0 where it kills a child and the rest goes on to succeed.</summary>
    public int OutOfMemoryExitCode { get; init; } = 137;

    /// <summary>When the node evicts the Pod, as a fraction of the duration.</summary>
    public double? EvictedAt { get; init; }

    /// <summary>The image cannot be pulled.</summary>
    public bool Unpullable { get; init; }

    public string? Log { get; init; }

    /// <summary>The path at which it keeps how far it has come.</summary>
    public string? Checkpoint { get; init; }

    /// <summary>What becomes of an attempt, counted from 0.</summary>
    /// <param name="attempt">Number of restarts before it.</param>
    /// <param name="memoryLimit">Bytes; null: none.</param>
    public (TimeSpan Length, int ExitCode, string Reason) Attempt(int attempt, long? memoryLimit)
    {
        if (Memory > memoryLimit) return (Duration * OutOfMemoryAt, OutOfMemoryExitCode, "OOMKilled");
        if (ExitCode is { } code) return (Duration, code, Word(code));
        if (Draw.Uniform($"{Key}/fails/{attempt}") >= FailureRate) return (Duration, 0, Word(0));
        var failure = ExitCodes.Count == 0 ? 1 : ExitCodes[(int)(Draw.Uniform($"{Key}/code/{attempt}") * ExitCodes.Count)];
        return (Duration * (0.05 + (0.95 * Draw.Uniform($"{Key}/when/{attempt}"))), failure, Word(failure));
    }

    private static string Word(int exitCode) => exitCode == 0 ? "Completed" : "Error";
}
