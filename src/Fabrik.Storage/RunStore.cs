using System.Text.Json;
using Dapper;
using Fabrik.Experiments;
using Fabrik.Gateway;
using Fabrik.Runs;
using Microsoft.Data.Sqlite;

namespace Fabrik.Storage;

/// <summary>Writing runs and what is known of them; the observer alone does.</summary>
public sealed class RunStore(Database database)
{
    // A run that has ended stays ended, except that one that was given up as lost may turn up again.
    private const string Upsert = """
        INSERT INTO runs (id, namespace, name, run_id, change_name, arm, spec_type, spec_id, stratum, project, owner, containers,
            requested_memory_request, requested_memory_limit, requested_cpu_request, requested_cpu_limit, requested_storage_limit,
            applied_memory_request, applied_memory_limit, applied_cpu_request, applied_cpu_limit, applied_storage_limit,
            created_at, started_at, finished_at, duration_ms, attempts, outcome, oom_killed, exit_code, reason)
        VALUES (@id, @namespace, @name, @run_id, @change_name, @arm, @spec_type, @spec_id, @stratum, @project, @owner, @containers,
            @requested_memory_request, @requested_memory_limit, @requested_cpu_request, @requested_cpu_limit, @requested_storage_limit,
            @applied_memory_request, @applied_memory_limit, @applied_cpu_request, @applied_cpu_limit, @applied_storage_limit,
            @created_at, @started_at, @finished_at, @duration_ms, @attempts, @outcome, @oom_killed, @exit_code, @reason)
        ON CONFLICT (id) DO UPDATE SET run_id = excluded.run_id, change_name = excluded.change_name, arm = excluded.arm, spec_type = excluded.spec_type,
            spec_id = excluded.spec_id, stratum = excluded.stratum, project = excluded.project, owner = excluded.owner, containers = excluded.containers, created_at = excluded.created_at,
            requested_memory_request = excluded.requested_memory_request, requested_memory_limit = excluded.requested_memory_limit,
            requested_cpu_request = excluded.requested_cpu_request, requested_cpu_limit = excluded.requested_cpu_limit,
            requested_storage_limit = excluded.requested_storage_limit,
            applied_memory_request = excluded.applied_memory_request, applied_memory_limit = excluded.applied_memory_limit,
            applied_cpu_request = excluded.applied_cpu_request, applied_cpu_limit = excluded.applied_cpu_limit,
            applied_storage_limit = excluded.applied_storage_limit,
            started_at = excluded.started_at, finished_at = excluded.finished_at, duration_ms = excluded.duration_ms, attempts = excluded.attempts,
            outcome = excluded.outcome, oom_killed = excluded.oom_killed, exit_code = excluded.exit_code, reason = excluded.reason
        WHERE NOT @hearsay AND (excluded.outcome <> 'running' OR runs.outcome IN ('running', 'lost'))
        RETURNING seq
        """;

    // Alive as long as any run of that id is: of a Job and its copies one is told to have ended only with the last. A row is added where that changes.
    private const string End = """
        INSERT INTO run_ends (run_id, ended, expires_at)
        SELECT @run_id, now.ended, @expires_at FROM (SELECT CASE WHEN EXISTS (SELECT 1 FROM runs WHERE run_id = @run_id AND outcome = 'running') THEN 0 ELSE 1 END AS ended) AS now
        WHERE now.ended <> COALESCE((SELECT ended FROM run_ends WHERE run_id = @run_id ORDER BY seq DESC LIMIT 1), 0)
        """;

    private const string UpsertEvidence = """
        INSERT INTO run_evidence (run, subject, facts) VALUES (@run, @subject, @facts)
        ON CONFLICT (run, subject) DO UPDATE SET facts = excluded.facts
        """;

    /// <summary>Stores the changes in one transaction: all of them or, when it throws, none.</summary>
    public void Write(IEnumerable<RunChange> changes) => database.Write((connection, transaction) =>
    {
        using var run = connection.Prepare(transaction, Upsert);
        using var members = new MemberWriter(connection, transaction);
        using var evidence = connection.Prepare(transaction, UpsertEvidence);
        using var end = connection.Prepare(transaction, End);
        foreach (var change in changes)
        {
            Bind(run, change);
            if (run.ExecuteScalar() is long seq) members.Write(seq, change.Run);
            if (change.Run.RunId is { } runId)
            {
                end.Set("@run_id", runId);
                end.Set("@expires_at", RunRow.Time(RunEnds.ExpiryOf(change.Run.CreatedAt)));
                end.ExecuteNonQuery();
            }

            foreach (var subject in change.Subjects)
            {
                evidence.Set("@run", change.Run.Id);
                evidence.Set("@subject", subject);
                evidence.Set("@facts", subject == Subject.Job
                    ? JsonSerializer.Serialize(change.Evidence with { Pods = change.Evidence.Pods.Clear() }, RunJson.Default.Evidence)
                    : JsonSerializer.Serialize(change.Evidence.Pods[subject], RunJson.Default.PodFacts));
                evidence.ExecuteNonQuery();
            }
        }

        members.Finish();
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

    private static void Bind(SqliteCommand command, RunChange change)
    {
        var run = change.Run;
        command.Set("@id", run.Id);
        command.Set("@namespace", run.Namespace);
        command.Set("@name", run.Name);
        command.Set("@run_id", run.RunId);
        command.Set("@change_name", run.Change);
        command.Set("@arm", WireNames.Of(run.Arm));
        command.Set("@spec_type", run.SpecType);
        command.Set("@spec_id", run.SpecId);
        command.Set("@stratum", run.Stratum);
        command.Set("@project", run.Project);
        command.Set("@owner", run.Owner);
        command.Set("@containers", run.Containers);
        Resources(command, "@requested_", run.Requested);
        Resources(command, "@applied_", run.Applied);
        command.Set("@created_at", RunRow.Time(run.CreatedAt));
        command.Set("@started_at", RunRow.Time(run.StartedAt));
        command.Set("@finished_at", RunRow.Time(run.FinishedAt));
        command.Set("@duration_ms", RunRow.Milliseconds(run.DurationSeconds));
        command.Set("@attempts", run.Attempts);
        command.Set("@outcome", WireNames.Of(run.Outcome));
        command.Set("@oom_killed", run.OomKilled ? 1 : 0);
        command.Set("@exit_code", run.ExitCode);
        command.Set("@reason", run.Reason);
        command.Set("@hearsay", change.Hearsay ? 1 : 0);
    }

    private static void Resources(SqliteCommand command, string prefix, RunResources resources)
    {
        command.Set(prefix + "memory_request", resources.MemoryRequestBytes);
        command.Set(prefix + "memory_limit", resources.MemoryLimitBytes);
        command.Set(prefix + "cpu_request", resources.CpuRequestMillis);
        command.Set(prefix + "cpu_limit", resources.CpuLimitMillis);
        command.Set(prefix + "storage_limit", resources.EphemeralStorageLimitBytes);
    }
}
