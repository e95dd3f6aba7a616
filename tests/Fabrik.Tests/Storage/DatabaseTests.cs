using Dapper;
using Fabrik.Storage;
using Fabrik.Tests.Support;

namespace Fabrik.Tests.Storage;

public class DatabaseTests
{
    [Fact]
    public void A_new_database_has_every_migration_and_opening_it_again_changes_nothing()
    {
        using var temporary = new TemporaryDatabase();
        var before = Versions(temporary);
        before.ShouldBe(Migrations.All.Select(migration => migration.Number));
        temporary.Reopen();
        Versions(temporary).ShouldBe(before);
    }

    [Fact]
    public void Migrations_are_numbered_from_one_without_gaps() =>
        Migrations.All.Select(migration => migration.Number).ShouldBe(Enumerable.Range(1, Migrations.All.Count));

    [Fact]
    public void A_schema_of_a_newer_version_is_refused_with_both_numbers()
    {
        using var temporary = new TemporaryDatabase();
        temporary.Database.Write((connection, transaction) => connection.Execute("INSERT INTO schema_version VALUES (999, 'later', 0)", transaction: transaction));
        var error = Should.Throw<StorageException>(() => Database.Open(temporary.Path, new TestClock()));
        error.Message.ShouldContain("999");
        error.Message.ShouldContain("newer");
    }

    [Fact]
    public void A_damaged_file_is_refused_with_the_way_out()
    {
        using var temporary = new TemporaryDatabase();
        temporary.Database.Dispose();
        foreach (var log in (string[])["-wal", "-shm"]) System.IO.File.Delete(temporary.File + log);
        var bytes = System.IO.File.ReadAllBytes(temporary.File);
        bytes.AsSpan(4096).Fill(0xA5);
        System.IO.File.WriteAllBytes(temporary.File, bytes);
        Should.Throw<StorageException>(() => Database.Open(temporary.Path, new TestClock())).Message.ShouldContain("restore a backup");
    }

    [Fact]
    public void A_file_that_is_no_database_is_refused()
    {
        var directory = Directory.CreateTempSubdirectory("fabrik-test-");
        System.IO.File.WriteAllText(Path.Combine(directory.FullName, Database.FileName), new string('x', 5000));
        Should.Throw<StorageException>(() => Database.Open(directory.FullName, new TestClock())).Message.ShouldContain("damaged");
        directory.Delete(recursive: true);
    }

    [Fact]
    public void Two_parts_of_one_process_may_open_the_same_database_after_the_other_has_read()
    {
        using var temporary = new TemporaryDatabase();
        for (var i = 0; i < 3; i++) temporary.Database.Read().Dispose();
        using var other = Database.Open(temporary.Path, new TestClock());
        other.Write((connection, transaction) => connection.Execute("DELETE FROM runs", transaction: transaction)).ShouldBe(0);
    }

    /// <summary>max_page_count is a disk that is full, for SQLite: it ends the transaction itself.</summary>
    [Fact]
    public void After_a_write_that_had_no_room_the_reason_is_known_and_the_next_one_that_has_goes_through()
    {
        using var temporary = new TemporaryDatabase();
        void Fill(int megabytes) => temporary.Database.Write((connection, transaction) => connection.Execute("INSERT INTO probe (x) VALUES (zeroblob(@size))", new { size = megabytes << 20 }, transaction));
        temporary.Database.Write((connection, transaction) => connection.Execute("CREATE TABLE probe (x BLOB)", transaction: transaction));
        var most = temporary.Database.Write((connection, transaction) => connection.ExecuteScalar<long>("PRAGMA max_page_count", transaction: transaction));
        temporary.Database.Write((connection, transaction) => connection.ExecuteScalar<long>("PRAGMA max_page_count = 1000", transaction: transaction));
        for (var turn = 0; turn < 2; turn++) Should.Throw<Microsoft.Data.Sqlite.SqliteException>(() => Fill(16)).SqliteErrorCode.ShouldBe(13);
        temporary.Database.Trouble.ShouldNotBeNull().Reason.ShouldBe(StorageTrouble.DiskFull);
        temporary.Database.Write((connection, transaction) => connection.ExecuteScalar<long>($"PRAGMA max_page_count = {most}", transaction: transaction));
        Fill(16);
        temporary.Database.Trouble.ShouldBeNull();
        temporary.Database.Look().ShouldBeNull();
    }

    [Fact]
    public void A_path_is_looked_at_where_its_links_lead()
    {
        var directory = Directory.CreateTempSubdirectory("fabrik-test-");
        Directory.CreateDirectory(Path.Combine(directory.FullName, "real", "deep"));
        Directory.CreateSymbolicLink(Path.Combine(directory.FullName, "link"), Path.Combine(directory.FullName, "real"));
        Preflight.Real(Path.Combine(directory.FullName, "link", "deep")).ShouldBe(Path.Combine(Preflight.Real(directory.FullName), "real", "deep"));
        directory.Delete(recursive: true);
    }

    [Fact]
    public void A_reader_cannot_write()
    {
        using var temporary = new TemporaryDatabase();
        using var connection = temporary.Database.Read();
        Should.Throw<Microsoft.Data.Sqlite.SqliteException>(() => connection.Execute("DELETE FROM runs"));
    }

    [Theory]
    [InlineData("/data", "nfs4")]
    [InlineData("/data/deep/down", "nfs4")]
    [InlineData("/share", "cifs")]
    [InlineData("/s3/x", "fuse.s3fs")]
    [InlineData("/database", null)]
    [InlineData("/data/disk", null)]
    [InlineData("/rootless", null)]
    [InlineData("/with space/x", "nfs")]
    [InlineData("/plan", "9p")]
    [InlineData("/guest/data", "virtiofs")]
    [InlineData("/cephfs", "ceph")]
    [InlineData("/rbd", null)]
    public void Network_file_systems_are_recognised_by_the_mount_that_holds_the_path(string path, string? expected) => Preflight.Remote(
        """
        22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
        30 22 0:50 / /data rw shared:2 - nfs4 server:/x rw
        31 30 8:2 / /data/disk rw - xfs /dev/sdb rw
        32 22 0:51 / /share rw - cifs //server/x rw
        33 22 0:52 / /s3 rw - fuse.s3fs s3fs rw
        34 22 0:53 / /rootless rw - fuse.fuse-overlayfs fuse-overlayfs rw
        35 22 0:54 / /with\040space rw - nfs server:/y rw
        36 22 0:55 / /plan rw - 9p share rw
        37 22 0:56 / /guest rw - virtiofs share rw
        38 22 0:57 / /cephfs rw - ceph mon:/ rw
        39 22 251:0 / /rbd rw - ext4 /dev/rbd0 rw
        """, path).ShouldBe(expected);

    private static List<int> Versions(TemporaryDatabase temporary)
    {
        using var connection = temporary.Database.Read();
        return connection.Query<int>("SELECT number FROM schema_version ORDER BY number").AsList();
    }
}
