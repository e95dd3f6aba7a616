using Dapper;
using Microsoft.Data.Sqlite;

namespace Fabrik.Storage;

/// <summary>The control database: one SQLite file in WAL mode on a local disk, one writer at a time, any number of readers.</summary>
public sealed class Database : IDisposable
{
    public const string FileName = "fabrik.db";

    private readonly string connectionString;
    private readonly Lock writing = new();
    private readonly SqliteConnection writer;

    private Database(string path)
    {
        Path = path;
        connectionString = new SqliteConnectionStringBuilder { DataSource = path, Pooling = true, DefaultTimeout = 5 }.ToString();
        writer = Open();
        // The pool belongs to the whole OS process: this connection may have served a reader of another Database on the same file.
        writer.Execute("PRAGMA query_only = OFF");
    }

    public string Path { get; }

    /// <summary>Checks the disk, opens the database in this directory and brings its schema up to date.</summary>
    /// <exception cref="StorageException">The directory, the file or its schema cannot be used.</exception>
    public static Database Open(string directory, TimeProvider clock)
    {
        NativeSqlite.Choose();
        Directory.CreateDirectory(directory);
        var path = System.IO.Path.Combine(System.IO.Path.GetFullPath(directory), FileName);
        var database = new Database(path);
        Migrations.Apply(database.writer, clock);
        return database;
    }

    /// <summary>A connection for reading; the caller disposes it soon.</summary>
    public SqliteConnection Read()
    {
        var connection = Open();
        // A reader that writes by mistake must fail here and not hold up the writer.
        connection.Execute("PRAGMA query_only = ON");
        return connection;
    }

    /// <summary>Runs one short transaction; nothing of it stays when the work throws.</summary>
    public T Write<T>(Func<SqliteConnection, SqliteTransaction, T> work)
    {
        lock (writing)
        {
            using var transaction = writer.BeginTransaction(deferred: false);
            var result = work(writer, transaction);
            transaction.Commit();
            return result;
        }
    }

    public void Dispose()
    {
        writer.Dispose();
        SqliteConnection.ClearPool(writer);
    }

    private SqliteConnection Open()
    {
        var connection = new SqliteConnection(connectionString);
        connection.Open();
        connection.Execute("""
            PRAGMA journal_mode = WAL;    -- readers and the writer do not block one another
            PRAGMA synchronous = NORMAL;  -- never corrupt; a power loss may cost the last commits, which the watches tell again
            PRAGMA busy_timeout = 5000;   -- the other process of the pod writes too: wait for it rather than fail
            PRAGMA foreign_keys = ON;     -- off by default in SQLite
            PRAGMA cache_size = -32768;   -- 32 MiB for a connection: the upper levels of the indexes stay in memory
            PRAGMA mmap_size = 1073741824; -- reads come from the page cache without a copy
            """);
        return connection;
    }
}
