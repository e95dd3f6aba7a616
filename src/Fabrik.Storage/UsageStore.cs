using System.Text.Json;
using Dapper;
using Fabrik.Runs;
using Fabrik.Runs.Usage;
using Microsoft.Data.Sqlite;

namespace Fabrik.Storage;

/// <summary>Writing what runs used, and what was sampled of them until that is settled.</summary>
public sealed class UsageStore(Database database)
{
    // What is settled stays as it is, whoever comes late.
    private const string Upsert = """
        INSERT INTO run_usage (run, source, missing_prometheus, missing_metrics_server, missing_kubelet, peak_memory, mean_cpu, p95_cpu, peak_cpu, samples, settled, revision)
        VALUES (@run, @source, @prometheus, @metricsServer, @kubelet, @memory, @mean, @p95, @peak, @samples, @settled, @revision)
        ON CONFLICT (run) DO UPDATE SET source = excluded.source, missing_prometheus = excluded.missing_prometheus,
            missing_metrics_server = excluded.missing_metrics_server, missing_kubelet = excluded.missing_kubelet, peak_memory = excluded.peak_memory,
            mean_cpu = excluded.mean_cpu, p95_cpu = excluded.p95_cpu, peak_cpu = excluded.peak_cpu, samples = excluded.samples, settled = excluded.settled,
            revision = excluded.revision
        WHERE run_usage.settled = 0
        """;

    /// <summary>Runs that have ended at this time or later and are not settled, those that ended first before the others; after them those with samples whose end nobody saw.</summary>
    public IReadOnlyList<Run> Unsettled(DateTimeOffset since, int limit)
    {
        using var connection = database.Read();
        var ended = connection.Query<RunRow>(
            $"""
            SELECT {RunRow.Columns} FROM runs INDEXED BY runs_by_finished
            WHERE finished_at >= @since AND NOT EXISTS (SELECT 1 FROM run_usage WHERE run_usage.run = runs.id AND run_usage.settled = 1)
            ORDER BY finished_at LIMIT @limit
            """,
            new { since = Math.Max(0, since.ToUnixTimeMilliseconds()), limit });
        var lost = connection.Query<RunRow>(
            $"SELECT {RunRow.Columns} FROM runs WHERE id IN (SELECT run FROM run_samples) AND finished_at < 0 AND outcome <> @running LIMIT @limit", new { running = WireNames.Of(Outcome.Running), limit });
        return [.. ended.Concat(lost).Select(row => row.ToRun([]))]; // what it counts for is not asked here
    }

    /// <summary>What was sampled of these runs, by the names of their Pods.</summary>
    public ILookup<string, (string Pod, PodTally Tally)> Samples(IReadOnlyCollection<string> runs)
    {
        using var connection = database.Read();
        return runs.Chunk(500)
            .SelectMany(chunk => connection.Query<(string Run, string Pod, string Tally)>("SELECT run, pod, tally FROM run_samples WHERE run IN @chunk", new { chunk }))
            .ToLookup(row => row.Run, row => (row.Pod, JsonSerializer.Deserialize(row.Tally, UsageJson.Default.PodTally)!), StringComparer.Ordinal);
    }

    /// <summary>Stores what was sampled and what it amounts to so far, in one transaction.</summary>
    public void Sample(IReadOnlyCollection<(string Run, string Pod, PodTally Tally)> samples, IReadOnlyCollection<(string Run, RunUsage Usage)> usages) => database.Write((connection, transaction) =>
    {
        foreach (var (run, pod, tally) in samples)
        {
            connection.Execute(
                """
                INSERT INTO run_samples (run, pod, tally) SELECT @run, @pod, @tally WHERE NOT EXISTS (SELECT 1 FROM run_usage WHERE run = @run AND settled = 1)
                ON CONFLICT (run, pod) DO UPDATE SET tally = excluded.tally
                """,
                new { run, pod, tally = JsonSerializer.Serialize(tally, UsageJson.Default.PodTally) },
                transaction);
        }

        Write(connection, transaction, usages);
        return 0;
    });

    /// <summary>Stores the last word, and lets go of what was sampled.</summary>
    public void Settle(IReadOnlyCollection<(string Run, RunUsage Usage)> usages) => database.Write((connection, transaction) =>
    {
        Write(connection, transaction, usages);
        foreach (var chunk in usages.Select(one => one.Run).Chunk(500)) connection.Execute("DELETE FROM run_samples WHERE run IN @chunk", new { chunk }, transaction);
        return 0;
    });

    private static void Write(SqliteConnection connection, SqliteTransaction transaction, IEnumerable<(string Run, RunUsage Usage)> usages)
    {
        // One writer at a time: nobody else moves it while this transaction is open, so later commits have greater revisions.
        var revision = connection.ExecuteScalar<long>("SELECT value FROM revisions WHERE name = 'run_usage'", transaction: transaction);
        foreach (var (run, usage) in usages)
        {
            if (usage.Settled) revision++;
            connection.Execute(
                Upsert,
                new
                {
                    run,
                    source = WireNames.Of(usage.Source),
                    prometheus = Name(usage.Missing.Prometheus),
                    metricsServer = Name(usage.Missing.MetricsServer),
                    kubelet = Name(usage.Missing.Kubelet),
                    memory = usage.PeakMemoryBytes,
                    mean = usage.MeanCpuMillis,
                    p95 = usage.P95CpuMillis,
                    peak = usage.PeakCpuMillis,
                    samples = usage.Samples,
                    settled = usage.Settled ? 1 : 0,
                    revision = usage.Settled ? revision : 0,
                },
                transaction);
        }

        connection.Execute("UPDATE revisions SET value = @revision WHERE name = 'run_usage'", new { revision }, transaction);
    }

    private static string? Name(UsageGap? gap) => gap is { } known ? WireNames.Of(known) : null;
}
