using Fabrik.Storage;
using Fabrik.Tests.Support;

namespace Fabrik.Tests.Storage;

/// <summary>A database in a directory of its own.</summary>
internal sealed class TemporaryDatabase : IDisposable
{
    private readonly DirectoryInfo directory = Directory.CreateTempSubdirectory("fabrik-test-");

    public TemporaryDatabase() => Database = Database.Open(Path, new TestClock());

    public string Path => directory.FullName;

    public string File => System.IO.Path.Combine(Path, Database.FileName);

    public Database Database { get; private set; }

    public RunStore Store => new(Database);

    public RunReader Reader => new(Database);

    public MemberReader Members => new(Database);

    /// <summary>As after a restart of the process.</summary>
    public void Reopen()
    {
        Database.Dispose();
        Database = Database.Open(Path, new TestClock());
    }

    public IReadOnlyList<Fabrik.Runs.Run> All()
    {
        var (all, query) = (new List<Fabrik.Runs.Run>(), new RunQuery { Limit = RunQuery.MaximumLimit });
        while (true)
        {
            var page = Reader.List(query);
            all.AddRange(page.Items);
            if (page.Next is null) return all;
            query = query with { After = page.Next };
        }
    }

    public void Dispose()
    {
        Database.Dispose();
        directory.Delete(recursive: true);
    }
}
