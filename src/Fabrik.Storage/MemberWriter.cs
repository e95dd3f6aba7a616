using Dapper;
using Fabrik.Runs;
using Microsoft.Data.Sqlite;

namespace Fabrik.Storage;

/// <summary>Keeps for which changes each run counts, in the transaction that writes the run.</summary>
internal sealed class MemberWriter : IDisposable
{
    private const string Upsert = """
        INSERT INTO run_experiments (run, change_name, role, position, created_at, finished_at, duration_ms, revision)
        VALUES (@run, @change_name, @role, @position, @created_at, @finished_at, @duration_ms, @revision)
        ON CONFLICT (run, change_name) DO UPDATE SET role = excluded.role, position = excluded.position, created_at = excluded.created_at,
            finished_at = excluded.finished_at, duration_ms = excluded.duration_ms, revision = excluded.revision
        """;

    private const string Withdraw = "UPDATE run_experiments SET role = 'withdrawn', revision = @revision WHERE run = @run AND revision < @revision AND role <> 'withdrawn'";

    private readonly SqliteConnection connection;
    private readonly SqliteTransaction transaction;
    private readonly SqliteCommand upsert;
    private readonly SqliteCommand withdraw;

    // One writer at a time: nobody else moves it while this transaction is open, so later commits have greater revisions.
    private long revision;

    public MemberWriter(SqliteConnection connection, SqliteTransaction transaction)
    {
        (this.connection, this.transaction) = (connection, transaction);
        (upsert, withdraw) = (connection.Prepare(transaction, Upsert), connection.Prepare(transaction, Withdraw));
        revision = connection.ExecuteScalar<long>("SELECT value FROM revisions WHERE name = 'run_experiments'", transaction: transaction);
    }

    /// <param name="seq">Of the run's row.</param>
    public void Write(long seq, Run run)
    {
        revision++;
        foreach (var member in Membership.Of(run))
        {
            upsert.Set("@run", seq);
            upsert.Set("@change_name", member.Change);
            upsert.Set("@role", WireNames.Of(member.Role));
            upsert.Set("@position", (member.Role == MemberRole.Applied ? run.AppliedChanges : run.Experiments).IndexOf(member.Change));
            upsert.Set("@created_at", RunRow.Time(run.CreatedAt));
            upsert.Set("@finished_at", RunRow.Time(run.FinishedAt));
            upsert.Set("@duration_ms", RunRow.Milliseconds(run.DurationSeconds));
            upsert.Set("@revision", revision);
            upsert.ExecuteNonQuery();
        }

        withdraw.Set("@run", seq);
        withdraw.Set("@revision", revision);
        withdraw.ExecuteNonQuery();
    }

    public void Finish() => connection.Execute("UPDATE revisions SET value = @revision WHERE name = 'run_experiments'", new { revision }, transaction);

    public void Dispose()
    {
        upsert.Dispose();
        withdraw.Dispose();
    }
}
