using System.Diagnostics;
using System.Text.RegularExpressions;
using Dapper;
using Fabrik.Storage;
using Fabrik.Tests.Gateway;
using Fabrik.Tests.Storage;

namespace Fabrik.Tests.Surviving;

/// <summary>The commands that docs/surviving.md gives, as they stand there.</summary>
public sealed partial class WayOutTests : IDisposable
{
    private readonly TemporaryDatabase database = new();

    [Fact]
    public void A_copy_of_a_database_in_use_is_whole_and_restoring_it_takes_the_log_of_the_other_away()
    {
        Assert.SkipUnless(HasSqlite, "sqlite3 is not there");
        var calls = new ModelCallStore(database.Database);
        calls.Insert([.. Enumerable.Range(1, 50).Select(number => Attempts.Of(number))]);
        Run(Commands("VACUUM INTO")).ShouldContain("ok");
        calls.Insert([.. Enumerable.Range(51, 50).Select(number => Attempts.Of(number))]);
        Leave();

        File.Exists(database.File + "-wal").ShouldBeTrue();
        Run(Commands("fabrik.backup.db fabrik.db.new"));
        Count().ShouldBe(50);
    }

    [Fact]
    public void What_can_be_read_of_a_damaged_database_is_recovered_and_opens()
    {
        Assert.SkipUnless(HasSqlite, "sqlite3 is not there");
        new ModelCallStore(database.Database).Insert([.. Enumerable.Range(1, 3000).Select(number => Attempts.Of(number))]);
        database.Database.Write((connection, transaction) => 0);
        database.Database.Dispose();
        foreach (var end in (string[])["-wal", "-shm"]) File.WriteAllBytes(database.File + end, []);
        using (var file = File.OpenWrite(database.File))
        {
            file.Position = file.Length / 2 / 4096 * 4096;
            file.Write([.. Enumerable.Repeat((byte)0xA5, 4096)]);
        }

        Should.Throw<StorageException>(() => Database.Open(database.Path, TimeProvider.System)).Message.ShouldContain(".dump");
        Run(Commands(".dump |")).ShouldContain("ok");
        Count().ShouldBeInRange(2000, 3000);
    }

    public void Dispose() => database.Dispose();

    private static bool HasSqlite { get; } = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Any(directory => File.Exists(Path.Combine(directory, "sqlite3")));

    /// <summary>As a process that was killed leaves it: with its log.</summary>
    private void Leave()
    {
        var kept = Directory.CreateTempSubdirectory("fabrik-kept-");
        foreach (var path in Directory.GetFiles(database.Path, "fabrik.db*"))
        {
            using var from = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            using var to = File.Create(Path.Combine(kept.FullName, Path.GetFileName(path)));
            from.CopyTo(to);
        }

        database.Database.Dispose();
        foreach (var path in Directory.GetFiles(kept.FullName)) File.Copy(path, Path.Combine(database.Path, Path.GetFileName(path)), overwrite: true);
        kept.Delete(recursive: true);
    }

    private long Count()
    {
        using var opened = Database.Open(database.Path, TimeProvider.System);
        using var connection = opened.Read();
        return connection.ExecuteScalar<long>("SELECT COUNT(*) FROM model_calls");
    }

    /// <summary>The one block of the page that has this text.</summary>
    private static string Commands(string text) =>
        Block().Matches(File.ReadAllText(Path.Combine(TestData.Checkout, Names.Documents.Surviving))).Select(found => found.Groups["commands"].Value).Single(commands => commands.Contains(text, StringComparison.Ordinal));

    private string Run(string commands)
    {
        using var shell = Process.Start(new ProcessStartInfo("sh", ["-ec", commands]) { WorkingDirectory = database.Path, RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false })!;
        var (output, error) = (shell.StandardOutput.ReadToEndAsync(), shell.StandardError.ReadToEndAsync());
        shell.WaitForExit();
        Task.WaitAll(output, error);
        shell.ExitCode.ShouldBe(0, error.Result);
        return output.Result;
    }

    [GeneratedRegex("```sh\n(?<commands>.*?)```", RegexOptions.ExplicitCapture | RegexOptions.Singleline | RegexOptions.NonBacktracking)]
    private static partial Regex Block();
}
