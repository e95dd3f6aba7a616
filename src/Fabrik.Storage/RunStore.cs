using System.Text.Json;
using Dapper;
using Fabrik.Experiments;
using Fabrik.Runs;
using Microsoft.Data.Sqlite;

namespace Fabrik.Storage;

/// <summary>Writing runs and what is known of them; the observer alone does.</summary>
public sealed class RunStore(Database database)
{
    // A run that has ended stays ended, except that one that was given up as lost may turn up again.
    private const string Upsert = """
        INSERT INTO runs (id, namespace, name, run_id, change_name, arm, spec_type, spec_id, stratum, project, owner,
            requested_memory_request, requested_memory_limit, requested_cpu_request, requested_cpu_limit, requested_storage_limit,
            applied_memory_request, applied_memory_limit, applied_cpu_request, applied_cpu_limit, applied_storage_limit,
            created_at, started_at, finished_at, duration_ms, attempts, outcome, oom_killed, exit_code, reason)
        VALUES (@id, @namespace, @name, @run_id, @change_name, @arm, @spec_type, @spec_id, @stratum, @project, @owner,
            @requested_memory_request, @requested_memory_limit, @requested_cpu_request, @requested_cpu_limit, @requested_storage_limit,
            @applied_memory_request, @applied_memory_limit, @applied_cpu_request, @applied_cpu_limit, @applied_storage_limit,
            @created_at, @started_at, @finished_at, @duration_ms, @attempts, @outcome, @oom_killed, @exit_code, @reason)
        ON CONFLICT (id) DO UPDATE SET run_id = excluded.run_id, change_name = excluded.change_name, arm = excluded.arm, spec_type = excluded.spec_type,
            spec_id = excluded.spec_id, stratum = excluded.stratum, project = excluded.project, owner = excluded.owner, created_at = excluded.created_at,
            requested_memory_request = excluded.requested_memory_request, requested_memory_limit = excluded.requested_memory_limit,
            requested_cpu_request = excluded.requested_cpu_request, requested_cpu_limit = excluded.requested_cpu_limit,
            requested_storage_limit = excluded.requested_storage_limit,
            applied_memory_request = excluded.applied_memory_request, applied_memory_limit = excluded.applied_memory_limit,
            applied_cpu_request = excluded.applied_cpu_request, applied_cpu_limit = excluded.applied_cpu_limit,
            applied_storage_limit = excluded.applied_storage_limit,
            started_at = excluded.started_at, finished_at = excluded.finished_at, duration_ms = excluded.duration_ms, attempts = excluded.attempts,
            outcome = excluded.outcome, oom_killed = excluded.oom_killed, exit_code = excluded.exit_code, reason = excluded.reason
        WHERE NOT @hearsay AND (excluded.outcome <> 'running' OR runs.outcome IN ('running', 'lost'))
        """;

    private const string UpsertEvidence = """
        INSERT INTO run_evidence (run, subject, facts) VALUES (@run, @subject, @facts)
        ON CONFLICT (run, subject) DO UPDATE SET facts = excluded.facts
        """;

    /// <summary>Stores the changes in one transaction: all of them or, when it throws, none.</summary>
    public void Write(IEnumerable<RunChange> changes) => database.Write((connection, transaction) =>
    {
        using var run = Prepare(connection, transaction, Upsert);
        using var evidence = Prepare(connection, transaction, UpsertEvidence);
        foreach (var change in changes)
        {
            Bind(run, change);
            run.ExecuteNonQuery();
            foreach (var subject in change.Subjects)
            {
                Set(evidence, "@run", change.Run.Id);
                Set(evidence, "@subject", subject);
                Set(evidence, "@facts", subject == Subject.Job
                    ? JsonSerializer.Serialize(change.Evidence with { Pods = change.Evidence.Pods.Clear() }, RunJson.Default.Evidence)
                    : JsonSerializer.Serialize(change.Evidence.Pods[subject], RunJson.Default.PodFacts));
                evidence.ExecuteNonQuery();
            }
        }

        return 0;
    });

    /// <summary>What was known when the last process ended, for every Job that is not settled.</summary>
    public IReadOnlyList<Evidence> Load()
    {
        using var connection = database.Read();
        var known = new List<Evidence>();
        foreach (var (run, subject, facts) in connection.Query<(string Run, string Subject, string Facts)>(
            "SELECT run, subject, facts FROM run_evidence ORDER BY run, subject", buffered: false))
        {
            // The Job's own row sorts first; Pods without it cannot be, as one transaction writes both.
            if (subject == Subject.Job) known.Add(JsonSerializer.Deserialize(facts, RunJson.Default.Evidence)!);
            else if (known.Count > 0 && known[^1].Id == run)
                known[^1] = known[^1] with { Pods = known[^1].Pods.SetItem(subject, JsonSerializer.Deserialize(facts, RunJson.Default.PodFacts)!) };
        }

        return known;
    }

    /// <summary>Removes the evidence of Jobs that are settled; their runs stay.</summary>
    public void Forget(IEnumerable<string> ids) => database.Write((connection, transaction) =>
    {
        foreach (var chunk in ids.Chunk(500)) connection.Execute("DELETE FROM run_evidence WHERE run IN @chunk", new { chunk }, transaction);
        return 0;
    });

    /// <summary>The earliest stored run that carries each of these run ids.</summary>
    public IReadOnlyList<(string RunId, DateTimeOffset CreatedAt, string Id)> Claims(IEnumerable<string> runIds)
    {
        using var connection = database.Read();
        var claims = new List<(string, DateTimeOffset, string)>();
        foreach (var chunk in runIds.Chunk(500))
        {
            claims.AddRange(connection.Query<(string RunId, long CreatedAt, string Id)>(
                    "SELECT run_id, created_at, id FROM runs WHERE run_id IN @chunk", new { chunk })
                .Select(row => (row.RunId, DateTimeOffset.FromUnixTimeMilliseconds(row.CreatedAt), row.Id)));
        }

        return claims;
    }

    private static SqliteCommand Prepare(SqliteConnection connection, SqliteTransaction transaction, string sql)
    {
        var command = connection.CreateCommand();
        command.Transaction = transaction;
        command.CommandText = sql;
        return command;
    }

    private static void Bind(SqliteCommand command, RunChange change)
    {
        var run = change.Run;
        Set(command, "@id", run.Id);
        Set(command, "@namespace", run.Namespace);
        Set(command, "@name", run.Name);
        Set(command, "@run_id", run.RunId);
        Set(command, "@change_name", run.Change);
        Set(command, "@arm", WireNames.Of(run.Arm));
        Set(command, "@spec_type", run.SpecType);
        Set(command, "@spec_id", run.SpecId);
        Set(command, "@stratum", run.Stratum);
        Set(command, "@project", run.Project);
        Set(command, "@owner", run.Owner);
        Resources(command, "@requested_", run.Requested);
        Resources(command, "@applied_", run.Applied);
        Set(command, "@created_at", RunRow.Time(run.CreatedAt));
        Set(command, "@started_at", RunRow.Time(run.StartedAt));
        Set(command, "@finished_at", RunRow.Time(run.FinishedAt));
        Set(command, "@duration_ms", run.DurationSeconds is { } seconds ? (long)Math.Round(seconds * 1000) : -1L);
        Set(command, "@attempts", run.Attempts);
        Set(command, "@outcome", WireNames.Of(run.Outcome));
        Set(command, "@oom_killed", run.OomKilled ? 1 : 0);
        Set(command, "@exit_code", run.ExitCode);
        Set(command, "@reason", run.Reason);
        Set(command, "@hearsay", change.Hearsay ? 1 : 0);
    }

    private static void Resources(SqliteCommand command, string prefix, RunResources resources)
    {
        Set(command, prefix + "memory_request", resources.MemoryRequestBytes);
        Set(command, prefix + "memory_limit", resources.MemoryLimitBytes);
        Set(command, prefix + "cpu_request", resources.CpuRequestMillis);
        Set(command, prefix + "cpu_limit", resources.CpuLimitMillis);
        Set(command, prefix + "storage_limit", resources.EphemeralStorageLimitBytes);
    }

    private static void Set(SqliteCommand command, string name, object? value)
    {
        if (command.Parameters.Contains(name)) command.Parameters[name].Value = value ?? DBNull.Value;
        else command.Parameters.AddWithValue(name, value ?? DBNull.Value);
    }
}
