using Dapper;
using Fabrik.Storage;
using Fabrik.Tests.Support;
using Microsoft.Data.Sqlite;

namespace Fabrik.Tests.Storage;

/// <summary>A start beside a log or an index that is old, of another database, or no such thing. What a kill leaves behind is a copy of the files while they are in use.</summary>
public sealed class LogPairingTests : IDisposable
{
    private static readonly string[] Suffixes = ["", "-wal", "-shm"];
    private readonly DirectoryInfo home = Directory.CreateTempSubdirectory("fabrik-logs-");

    [Fact]
    public void What_a_killed_process_leaves_is_taken_up_whole_with_its_index_an_old_one_garbage_or_none()
    {
        var (early, late) = Killed("own", 3, 40);
        var other = Killed("other", 7, 9).Late;
        foreach (var index in (byte[]?[])[Bytes(late, "-shm"), Bytes(early, "-shm"), Bytes(other, "-shm"), [.. Enumerable.Repeat((byte)0xA5, 40_000)], [], null])
        {
            var start = Copy(late, "start");
            if (index is null) File.Delete(start + "-shm");
            else File.WriteAllBytes(start + "-shm", index);
            Rows(start).ShouldBe(40);
        }
    }

    [Fact]
    public void The_log_of_another_database_is_refused_with_the_way_out_and_neither_file_is_touched()
    {
        var own = Killed("own", 3, 40).Late;
        var other = Killed("other", 7, 9).Late;
        var start = Copy(own, "start");
        File.Copy(other + "-wal", start + "-wal", overwrite: true);
        File.Copy(other + "-shm", start + "-shm", overwrite: true);
        var before = Files(start);

        var refused = Should.Throw<StorageException>(() => Open(start));

        refused.Message.ShouldContain("-wal is of another database");
        refused.Message.ShouldContain("move fabrik.db-wal and fabrik.db-shm away");
        refused.Message.ShouldContain(Names.Documents.Surviving);
        Files(start).ShouldBe(before);
        foreach (var suffix in Suffixes[1..]) File.Copy(own + suffix, start + suffix, overwrite: true);
        Rows(start).ShouldBe(40);
    }

    [Fact]
    public void A_backup_that_was_restored_beside_the_log_of_what_it_replaces_is_refused_and_starts_without_it()
    {
        var (path, database) = (New("own"), default(Database));
        database = Open(path);
        Insert(database, 3);
        using (var connection = database.Read()) connection.Execute($"VACUUM INTO '{Path.Combine(home.FullName, "backup")}'");
        Insert(database, 30);
        Checkpoint(path);
        Insert(database, 4);
        var start = Copy(path, "start");
        database.Dispose();
        File.Copy(Path.Combine(home.FullName, "backup"), start, overwrite: true);

        Should.Throw<StorageException>(() => Open(start)).Message.ShouldContain("of a time after the file's");
        foreach (var suffix in Suffixes[1..]) File.Move(start + suffix, start + suffix + ".kept");
        Rows(start).ShouldBe(3);
    }

    [Fact]
    public void A_log_from_before_the_file_is_refused()
    {
        var path = New("own");
        var database = Open(path);
        Insert(database, 3);
        var early = Copy(path, "early");
        Insert(database, 30);
        database.Dispose(); // all of it is in the file now
        File.Copy(early + "-wal", path + "-wal");

        Should.Throw<StorageException>(() => Open(path)).Message.ShouldContain("of a time before the file's");
        File.Delete(path + "-wal");
        Rows(path).ShouldBe(33);
    }

    [Fact]
    public void A_log_that_ends_in_the_middle_of_a_transaction_counts_up_to_the_one_before_and_one_that_is_none_for_nothing()
    {
        var late = Killed("own", 3, 40).Late;
        var start = Copy(late, "start");
        using (var log = new FileStream(start + "-wal", FileMode.Open)) log.SetLength(log.Length - 100);
        Rows(start).ShouldBe(39);

        start = Copy(late, "start");
        File.WriteAllText(start + "-wal", new string('x', 5000));
        Rows(start).ShouldBeGreaterThanOrEqualTo(0); // what only the log had is gone with it; what is in the file is read
    }

    [Fact]
    public async Task A_second_process_that_starts_while_the_first_writes_and_makes_checkpoints_is_never_refused()
    {
        var path = New("own");
        using var first = Open(path);
        using var stop = new CancellationTokenSource();
        var writing = Task.Run(() =>
        {
            for (var i = 0; !stop.IsCancellationRequested; i++)
            {
                Insert(first, 1);
                if (i % 5 == 0) Checkpoint(path);
            }
        });
        for (var i = 0; i < 50; i++) Open(path).Dispose();
        await stop.CancelAsync();
        await writing;
    }

    public void Dispose() => home.Delete(recursive: true);

    private string New(string name) => Path.Combine(Directory.CreateDirectory(Path.Combine(home.FullName, name)).FullName, Database.FileName);

    private static Database Open(string path) => Database.Open(Path.GetDirectoryName(path)!, new TestClock());

    /// <summary>Copies of the files while a process had them open: after so many rows, and after so many.</summary>
    private (string Early, string Late) Killed(string name, int early, int late)
    {
        var path = New(name);
        using var database = Open(path);
        Insert(database, early);
        var first = Copy(path, name + "-early");
        Insert(database, late - early);
        return (first, Copy(path, name + "-late"));
    }

    private string Copy(string path, string name)
    {
        var copy = New(name);
        foreach (var suffix in Suffixes) File.Copy(path + suffix, copy + suffix, overwrite: true);
        return copy;
    }

    /// <summary>Each in a transaction of its own.</summary>
    private static void Insert(Database database, int rows)
    {
        database.Write((connection, transaction) => connection.Execute("CREATE TABLE IF NOT EXISTS probe (x TEXT)", transaction: transaction));
        for (var i = 0; i < rows; i++) database.Write((connection, transaction) => connection.Execute("INSERT INTO probe VALUES (hex(randomblob(200)))", transaction: transaction));
    }

    private static void Checkpoint(string path)
    {
        using var connection = new SqliteConnection($"Data Source={path};Pooling=False");
        connection.Open();
        connection.Execute("PRAGMA wal_checkpoint(TRUNCATE)");
    }

    private static long Rows(string path)
    {
        using var database = Open(path);
        using var connection = database.Read();
        return connection.ExecuteScalar<long>("SELECT count(*) FROM sqlite_master WHERE name = 'probe'") == 0 ? 0 : connection.ExecuteScalar<long>("SELECT count(*) FROM probe");
    }

    private static byte[] Bytes(string path, string suffix) => File.ReadAllBytes(path + suffix);

    private static string[] Files(string path) => [.. Suffixes.Select(suffix => Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(Bytes(path, suffix))))];
}
