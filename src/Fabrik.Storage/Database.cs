using Dapper;
using Fabrik.Reports;
using Microsoft.Data.Sqlite;

namespace Fabrik.Storage;

/// <summary>The control database: one SQLite file in WAL mode on a local disk, one writer at a time, any number of readers.</summary>
public sealed class Database : IDisposable
{
    public const string FileName = "fabrik.db";

    private readonly string reading;
    private readonly string writing;
    private readonly TimeProvider clock;
    private readonly Lock gate = new();
    private FileStream? held;
    private SqliteConnection writer;
    private StorageTrouble? trouble;

    private Database(string path, TimeProvider clock, FileStream? alone)
    {
        (Path, this.clock, held) = (path, clock, alone);
        // Readers are pooled by this text, for the whole process. It must not be the writer's: a connection that cannot write would come back as one.
        reading = new SqliteConnectionStringBuilder { DataSource = path, Mode = SqliteOpenMode.ReadOnly, Pooling = true, DefaultTimeout = 5 }.ToString();
        writing = new SqliteConnectionStringBuilder { DataSource = path, Pooling = false, DefaultTimeout = 5 }.ToString();
        writer = OpenWriter(writing);
    }

    public string Path { get; }

    /// <summary>The newest schema that this version knows.</summary>
    public static int Schema => Migrations.All[^1].Number;

    /// <summary>Why nothing can be written, from the first write that failed for it until one succeeds; null while all is well. A database that is merely busy is none.</summary>
    public StorageTrouble? Trouble => Volatile.Read(ref trouble);

    /// <summary>Checks the disk, opens the database in this directory and brings its schema up to date.</summary>
    /// <param name="role">Of which one process at a time may use the file, whatever Pod it is in: <see cref="Names.Components"/>. Null: a reader by hand, or a test.</param>
    /// <exception cref="StorageException">The directory, the file or its schema cannot be used.</exception>
    public static Database Open(string directory, TimeProvider clock, string? role = null)
    {
        NativeSqlite.Choose();
        var path = System.IO.Path.Combine(System.IO.Path.GetFullPath(directory), FileName);
        Database? database = null;
        FileStream? alone = null;
        try
        {
            System.IO.Directory.CreateDirectory(directory);
            Preflight.Check(System.IO.Path.GetFullPath(directory));
            if (role is not null) alone = Preflight.Alone(path, role);
            if (LogPairing.Problem(path) is { } problem) throw new StorageException(Foreign(path, problem));
            database = new Database(path, clock, alone);
            if (database.writer.ExecuteScalar<string>("PRAGMA quick_check(1)") is var state and not "ok") throw new StorageException(Damaged(path, state ?? "no answer"));
            Migrations.Apply(database.writer, clock);
            LogPairing.Identify(database.writer);
            return database;
        }
        catch (Exception e)
        {
            database?.Dispose();
            alone?.Dispose();
            throw e switch
            {
                StorageException => e,
                SqliteException { SqliteErrorCode: 11 or 26 } damaged => new StorageException(Damaged(path, damaged.Message), e),
                SqliteException { SqliteErrorCode: 5 or 6 } => new StorageException($"{path} is locked by another process for more than 5 s. Only the processes of one Fabrik may use it; stop the other one", e),
                SqliteException or IOException or UnauthorizedAccessException => new StorageException($"{path} cannot be opened: {e.Message}. The directory must exist on a local disk and be writable for this user", e),
                _ => e,
            };
        }
    }

    /// <summary>A connection that cannot write; the caller disposes it soon.</summary>
    public SqliteConnection Read() => Open(reading);

    /// <summary>Runs one short transaction; nothing of it stays when the work throws.</summary>
    /// <param name="durable">Whether a power loss must not undo it either: for what nobody tells again. Costs a wait for the disk.</param>
    public T Write<T>(Func<SqliteConnection, SqliteTransaction, T> work, bool durable = false)
    {
        lock (gate)
        {
            try
            {
                if (durable) writer.Execute("PRAGMA synchronous = FULL");
                try
                {
                    var transaction = writer.BeginTransaction(deferred: false);
                    try
                    {
                        var result = work(writer, transaction);
                        LogPairing.Count(writer, transaction);
                        transaction.Commit();
                        if (Trouble is not null && HasRoom()) Volatile.Write(ref trouble, null);
                        return result;
                    }
                    finally
                    {
                        End(transaction);
                    }
                }
                finally
                {
                    if (durable) writer.Execute("PRAGMA synchronous = NORMAL");
                }
            }
            catch (SqliteException e) when (StorageTrouble.Of(e, clock.GetUtcNow()) is { } found)
            {
                Volatile.Write(ref trouble, Trouble is { } before ? found with { Since = before.Since } : found);
                throw;
            }
        }
    }

    /// <summary>How file and disk stand now. Reads the whole file, so it is for now and then.</summary>
    public DatabaseReport Inspect(string version, DateTimeOffset now)
    {
        var drive = new DriveInfo(System.IO.Path.GetDirectoryName(Path)!);
        var bytes = ((string[])[Path, Path + "-wal"]).Where(File.Exists).Sum(file => new FileInfo(file).Length);
        var type = Preflight.MountInfo() is { } mounts ? Preflight.FileSystem(mounts, Path) : "";
        using var connection = Read();
        return new DatabaseReport(
            version, now, connection.ExecuteScalar<int?>("SELECT max(number) FROM schema_version") ?? 0, Migrations.All[^1].Number, connection.ExecuteScalar<string>("PRAGMA quick_check(1)") ?? "no answer",
            type.Length > 0 ? type : null, drive.AvailableFreeSpace, drive.TotalSize, bytes);
    }

    /// <summary>
    /// To be asked every few seconds. A disk that is all but full counts as full before a write meets its end; where nothing could be written, it is tried
    /// with a new connection and a write of one page, once there is room for more than that.
    /// </summary>
    /// <returns>Null: all is well.</returns>
    public StorageTrouble? Look()
    {
        lock (gate)
        {
            var before = Trouble;
            try
            {
                if (before is null && Preflight.Free(Directory) < Preflight.LeastFreeToWrite) Volatile.Write(ref trouble, StorageTrouble.Full(clock.GetUtcNow()));
                if (before is null || !HasRoom()) return Trouble;
                var again = OpenWriter(writing);
                writer.Dispose();
                writer = again;
                using (var transaction = writer.BeginTransaction(deferred: false))
                {
                    LogPairing.Count(writer, transaction);
                    transaction.Commit();
                }

                Volatile.Write(ref trouble, null);
                return null;
            }
            catch (Exception e) when (e is SqliteException or IOException or UnauthorizedAccessException)
            {
                return Trouble;
            }
        }
    }

    /// <summary>
    /// SQLite itself ends a transaction that meets a full or failing disk. Then what disposes of it may fail, would hide why, and leaves a connection that
    /// begins no other: it gets one to end.
    /// </summary>
    private void End(SqliteTransaction transaction)
    {
        try
        {
            transaction.Dispose();
        }
        catch (SqliteException) when (SQLitePCL.raw.sqlite3_get_autocommit(writer.Handle) != 0)
        {
            SQLitePCL.raw.sqlite3_exec(writer.Handle, "BEGIN");
            transaction.Dispose();
        }
    }

    private string Directory => System.IO.Path.GetDirectoryName(Path)!;

    private bool HasRoom() => Preflight.Free(Directory) >= Preflight.LeastFreeToGoOn;

    public void Dispose()
    {
        writer.Dispose();
        using (var reader = new SqliteConnection(reading)) SqliteConnection.ClearPool(reader);

        // Last: whoever may be next must find nothing of this one.
        held?.Dispose();
        held = null;
    }

    private static SqliteConnection OpenWriter(string connectionString)
    {
        var connection = Open(connectionString);
        connection.Execute("""
            PRAGMA journal_mode = WAL;    -- readers and the writer do not block one another
            PRAGMA synchronous = NORMAL;  -- never corrupt; a power loss may cost the last commits, which the watches tell again
            PRAGMA foreign_keys = ON;     -- off by default in SQLite
            """);
        return connection;
    }

    private static string Foreign(string path, string why) =>
        $"{path}-wal is {why}: it would write its pages over the file's. Neither was changed. Where the file was restored or copied here, its old log was left: stop Fabrik, move "
        + $"{FileName}-wal and {FileName}-shm away (keep them) and start again. Where the log was put here, put the file's own back. See {Names.Documents.Surviving}";

    private static string Damaged(string path, string why) =>
        $"{path} is damaged ({why}). Stop Fabrik, move {FileName}, {FileName}-wal and {FileName}-shm away together, then restore a backup, "
        + "read what can be read into a new file (sqlite3 damaged.db .dump), "
        + $"or start without one: runs of Jobs that still exist are observed again, older ones are in the file that was moved. See {Names.Documents.Surviving}";

    private static SqliteConnection Open(string connectionString)
    {
        var connection = new SqliteConnection(connectionString);
        connection.Open();
        connection.Execute("""
            PRAGMA busy_timeout = 5000;    -- the other process of the pod uses the file too: wait for it rather than fail
            PRAGMA cache_size = -32768;    -- 32 MiB for a connection: the upper levels of the indexes stay in memory
            PRAGMA mmap_size = 1073741824; -- reads come from the page cache without a copy
            """);
        return connection;
    }
}
