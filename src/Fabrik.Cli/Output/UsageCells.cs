using System.Text.Json;
using Fabrik.Runs;

namespace Fabrik.Cli.Output;

/// <summary>What a run used, as a person reads it.</summary>
public static class UsageCells
{
    private const int BarWidth = 20;

    /// <summary>The peak, and which part of the limit it is: 1.4Gi (70%); 2Gi+ for a run that was killed at its limit.</summary>
    public static string? Peak(JsonElement item)
    {
        var run = item.Deserialize(RunJson.Default.Run)!;
        if (MemoryNeed.Of(run) is not { } need) return null;
        if (need.AtLeast) return $"{Cells.Bytes(need.Bytes)}+";
        return run.Applied.MemoryLimitBytes is > 0 and var limit ? $"{Cells.Bytes(need.Bytes)} ({100 * need.Bytes / limit}%)" : Cells.Bytes(need.Bytes);
    }

    /// <summary>The mean.</summary>
    public static string? Cpu(JsonElement item) => item.Deserialize(RunJson.Default.Run)!.Usage?.MeanCpuMillis is { } mean ? Cells.Millis(mean) : null;

    public static string? Memory(Run run)
    {
        if (MemoryNeed.Of(run) is not { } need) return null;
        if (need.AtLeast) return $"{Cells.Bytes(need.Bytes)} or more: it was killed for memory";
        return run.Applied.MemoryLimitBytes is > 0 and var limit
            ? $"{Cells.Bytes(need.Bytes)} at most of {Cells.Bytes(limit)}  {Bar((double)need.Bytes / limit)} {100 * need.Bytes / limit} %"
            : $"{Cells.Bytes(need.Bytes)} at most, no limit";
    }

    public static string? CpuOf(Run run) => run.Usage is { MeanCpuMillis: { } mean } usage
        ? $"{Cells.Millis(mean)} on average, {Cells.Millis(usage.P95CpuMillis ?? mean)} for 95 % of the time, {Cells.Millis(usage.PeakCpuMillis ?? mean)} at most{(run.Applied.CpuLimitMillis is { } limit ? $" of {Cells.Millis(limit)}" : "")}"
        : null;

    /// <summary>Where the figures come from, and which sources gave nothing.</summary>
    public static string? Source(JsonElement run)
    {
        if (!run.TryGetProperty("usage", out var usage)) return null;
        var missing = usage.TryGetProperty("missing", out var sources) ? sources.EnumerateObject().Where(one => one.Value.ValueKind == JsonValueKind.String).Select(one => $"{Name(one.Name)}: {one.Value.GetString()!.Replace('_', ' ')}").ToList() : [];
        var samples = usage.TryGetProperty("samples", out var count) && count.GetInt32() is > 0 and var number ? $", {number} sample{(number == 1 ? "" : "s")}" : "";
        var settled = usage.TryGetProperty("settled", out var last) && last.ValueKind == JsonValueKind.True ? "" : ", so far";
        return $"{Cells.Wire(usage, "source")}{samples}{settled}{(missing.Count == 0 ? "" : $" ({string.Join("; ", missing)})")}";
    }

    private static string Name(string source) => source == "metricsServer" ? "metrics-server" : source;

    private static string Bar(double part)
    {
        var full = (int)Math.Round(Math.Clamp(part, 0, 1) * BarWidth);
        return new string('█', full) + new string('░', BarWidth - full);
    }
}
