using Dapper;
using Fabrik.Reports;
using Microsoft.Data.Sqlite;

namespace Fabrik.Storage;

/// <summary>The control database: one SQLite file in WAL mode on a local disk, one writer at a time, any number of readers.</summary>
public sealed class Database : IDisposable
{
    public const string FileName = "fabrik.db";

    private readonly string reading;
    private readonly Lock writing = new();
    private readonly SqliteConnection writer;

    private Database(string path)
    {
        Path = path;
        // Readers are pooled by this text, for the whole process. It must not be the writer's: a connection that cannot write would come back as one.
        reading = new SqliteConnectionStringBuilder { DataSource = path, Mode = SqliteOpenMode.ReadOnly, Pooling = true, DefaultTimeout = 5 }.ToString();
        writer = Open(new SqliteConnectionStringBuilder { DataSource = path, Pooling = false, DefaultTimeout = 5 }.ToString());
        writer.Execute("""
            PRAGMA journal_mode = WAL;    -- readers and the writer do not block one another
            PRAGMA synchronous = NORMAL;  -- never corrupt; a power loss may cost the last commits, which the watches tell again
            PRAGMA foreign_keys = ON;     -- off by default in SQLite
            """);
    }

    public string Path { get; }

    /// <summary>The newest schema that this version knows.</summary>
    public static int Schema => Migrations.All[^1].Number;

    /// <summary>Checks the disk, opens the database in this directory and brings its schema up to date.</summary>
    /// <exception cref="StorageException">The directory, the file or its schema cannot be used.</exception>
    public static Database Open(string directory, TimeProvider clock)
    {
        NativeSqlite.Choose();
        var path = System.IO.Path.Combine(System.IO.Path.GetFullPath(directory), FileName);
        Database? database = null;
        try
        {
            Directory.CreateDirectory(directory);
            Preflight.Check(System.IO.Path.GetFullPath(directory));
            database = new Database(path);
            if (database.writer.ExecuteScalar<string>("PRAGMA quick_check(1)") is var state and not "ok") throw new StorageException(Damaged(path, state ?? "no answer"));
            Migrations.Apply(database.writer, clock);
            return database;
        }
        catch (Exception e)
        {
            database?.Dispose();
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
        lock (writing)
        {
            if (durable) writer.Execute("PRAGMA synchronous = FULL");
            try
            {
                using var transaction = writer.BeginTransaction(deferred: false);
                var result = work(writer, transaction);
                transaction.Commit();
                return result;
            }
            finally
            {
                if (durable) writer.Execute("PRAGMA synchronous = NORMAL");
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

    public void Dispose()
    {
        writer.Dispose();
        using var reader = new SqliteConnection(reading);
        SqliteConnection.ClearPool(reader);
    }

    private static string Damaged(string path, string why) =>
        $"{path} is damaged ({why}). Stop Fabrik, move {FileName}, {FileName}-wal and {FileName}-shm away together, then restore a backup, "
        + "or start without one: runs of Jobs that still exist are observed again, older ones are in the file that was moved";

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
