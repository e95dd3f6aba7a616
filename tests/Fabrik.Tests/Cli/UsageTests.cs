namespace Fabrik.Tests.Cli;

public class UsageTests
{
    [Theory]
    [InlineData("bogus")]
    [InlineData("runs list --arm nonsense")]
    [InlineData("runs list -o xml")]
    [InlineData("changes show")]
    public async Task A_wrong_call_ends_with_2_prints_nothing_as_data_and_names_the_next_step(string line)
    {
        var run = await Command.RunAsync(line.Split(' '));

        run.Code.ShouldBe(2);
        run.Out.ShouldBeEmpty();
        run.Error.ShouldContain("next:  fabrik");
    }

    [Fact]
    public async Task A_missing_kubeconfig_is_explained_with_an_id_and_a_next_step()
    {
        var run = await Command.RunAsync(["changes", "list", "--kubeconfig", "/nonexistent/kubeconfig"]);

        run.Code.ShouldBe(1);
        run.Out.ShouldBeEmpty();
        run.Error.ShouldContain("FAB-1004");
        run.Error.ShouldContain("next: ");
    }

    [Fact]
    public async Task A_time_that_is_none_is_a_usage_error_before_anything_is_asked()
    {
        var run = await Command.RunAsync(["runs", "list", "--since", "yesterdayish", "--server", "https://127.0.0.1:1", "--kubeconfig", "/nonexistent/kubeconfig"]);

        run.Code.ShouldBe(2);
        run.Error.ShouldContain("FAB-1014");
    }

    [Fact]
    public async Task The_version_needs_no_cluster()
    {
        var run = await Command.RunAsync(["version", "--client", "-o", "name"]);

        run.Code.ShouldBe(0);
        run.Out.ShouldStartWith("version/0.");
    }

    [Theory]
    [InlineData("bash", "complete -F _fabrik fabrik")]
    [InlineData("zsh", "compdef _fabrik fabrik")]
    [InlineData("fish", "complete -c fabrik")]
    [InlineData("pwsh", "Register-ArgumentCompleter")]
    public async Task Each_shell_has_a_completion_script(string shell, string expected) =>
        (await Command.RunAsync(["completion", shell])).Out.ShouldContain(expected);

    [Fact]
    public async Task Completion_offers_what_could_come_next()
    {
        var run = await Command.RunAsync(["[suggest:23]", "fabrik runs list --arm "]);

        run.Out.Split('\n').Select(line => line.Trim()).ShouldContain("treatment");
    }
}
