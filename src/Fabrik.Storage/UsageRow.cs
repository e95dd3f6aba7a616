using Dapper;
using Fabrik.Runs;
using Microsoft.Data.Sqlite;

namespace Fabrik.Storage;

/// <summary>A row of the table run_usage as Dapper reads it.</summary>
internal sealed class UsageRow
{
    private const string Columns = """
        run, source, missing_prometheus AS MissingPrometheus, missing_metrics_server AS MissingMetricsServer, missing_kubelet AS MissingKubelet,
        peak_memory AS PeakMemory, mean_cpu AS MeanCpu, p95_cpu AS P95Cpu, peak_cpu AS PeakCpu, samples, settled
        """;

    public string Run { get; set; } = "";
    public string Source { get; set; } = "";
    public string? MissingPrometheus { get; set; }
    public string? MissingMetricsServer { get; set; }
    public string? MissingKubelet { get; set; }
    public long? PeakMemory { get; set; }
    public long? MeanCpu { get; set; }
    public long? P95Cpu { get; set; }
    public long? PeakCpu { get; set; }
    public int Samples { get; set; }
    public bool Settled { get; set; }

    /// <summary>The same runs with what they used.</summary>
    public static IReadOnlyList<Run> With(SqliteConnection connection, IReadOnlyList<Run> runs)
    {
        if (runs.Count == 0) return runs;
        var used = connection.Query<UsageRow>($"SELECT {Columns} FROM run_usage WHERE run IN @ids", new { ids = runs.Select(run => run.Id) }).ToDictionary(row => row.Run, StringComparer.Ordinal);
        return used.Count == 0 ? runs : [.. runs.Select(run => used.TryGetValue(run.Id, out var row) ? run with { Usage = row.ToUsage() } : run)];
    }

    private RunUsage ToUsage() => new()
    {
        Source = WireNames.Parse<UsageSource>(Source),
        PeakMemoryBytes = PeakMemory,
        MeanCpuMillis = MeanCpu,
        P95CpuMillis = P95Cpu,
        PeakCpuMillis = PeakCpu,
        Samples = Samples,
        Missing = new MissingSources(Gap(MissingPrometheus), Gap(MissingMetricsServer), Gap(MissingKubelet)),
        Settled = Settled,
    };

    private static UsageGap? Gap(string? name) => name is null ? null : WireNames.Parse<UsageGap>(name);
}
