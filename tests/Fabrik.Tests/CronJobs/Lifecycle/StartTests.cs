namespace Fabrik.Tests.CronJobs.Lifecycle;

/// <summary>A scheduler that cannot start as it is set up says so in one line: what, why, and what to do.</summary>
public sealed class StartTests : IDisposable
{
    private const string Kubeconfig = """
        {"apiVersion":"v1","kind":"Config","current-context":"a","contexts":[{"name":"a","context":{"cluster":"a","user":"a"}}],
         "clusters":[{"name":"a","cluster":{"server":"http://127.0.0.1:1"}}],"users":[{"name":"a","user":{"token":"t"}}]}
        """;

    private readonly string home = Directory.CreateTempSubdirectory("fabrik-start-").FullName;

    [Theory]
    [InlineData(Names.Variables.DataDirectory, "kubeconfig", "kubeconfig/fabrik.db cannot be opened: ", "must exist on a local disk and be writable")]
    [InlineData(Names.Variables.DataDirectory, "damaged", "damaged/fabrik.db is damaged", "restore a backup")]
    [InlineData(Names.Variables.Kubeconfig, "nothing-here", "nothing-here", "KUBECONFIG")]
    [InlineData(Names.Variables.PriceBook, "nothing-here", "nothing-here cannot be read as a price book", "It is JSON with")]
    [InlineData(Names.Variables.AssignmentKeyFile, "nowhere/nothing-here", "nothing-here cannot be used as the file of assignment keys", Names.Variables.AssignmentKeyFile)]
    public async Task What_cannot_be_used_is_told_in_one_line_and_ends_with_1(string variable, string file, string what, string next)
    {
        await File.WriteAllTextAsync(In("kubeconfig"), Kubeconfig, TestContext.Current.CancellationToken);
        Directory.CreateDirectory(In("damaged"));
        await File.WriteAllTextAsync(In("damaged/fabrik.db"), new string('x', 8192), TestContext.Current.CancellationToken);
        (string, string)[] good = [(Names.Variables.Kubeconfig, In("kubeconfig")), (Names.Variables.DataDirectory, In("data"))];

        await using var scheduler = SchedulerProcess.Start(home, [.. good, (variable, In(file))]);
        var (code, output, error) = await scheduler.EndAsync();

        code.ShouldBe(1, error);
        error.ShouldStartWith("fabrik scheduler: ");
        error.TrimEnd().ShouldNotContain('\n');
        error.ShouldContain(what);
        error.ShouldContain(next);
        output.ShouldNotContain("   at ");
    }

    public void Dispose() => Directory.Delete(home, recursive: true);

    private string In(string name) => Path.Combine(home, name);
}
