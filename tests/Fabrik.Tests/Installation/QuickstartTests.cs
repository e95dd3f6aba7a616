namespace Fabrik.Tests.Installation;

/// <summary>The quickstart, typed as it stands.</summary>
[Collection(InstallationCollection.Name)]
public sealed class QuickstartTests
{
    [Fact]
    public async Task Its_commands_take_a_cluster_from_nothing_to_a_run_and_back_to_nothing()
    {
        await using var cluster = await InstalledCluster.StartAsync();
        await cluster.ReadyAsync();
        var shell = new Shell(cluster.Home, cluster.Kubeconfig);
        foreach (var (_, script) in DocumentCommands.Of("docs/quickstart.md"))
        {
            var (code, output) = await shell.RunAsync(script, TimeSpan.FromMinutes(8));
            // Of a cluster that is played fabrik check says what it cannot prove: a warning's code, never a failure's.
            (code is 0 || (code == (int)Fabrik.Cli.ExitCode.Warnings && script.Contains("fabrik check", StringComparison.Ordinal))).ShouldBeTrue($"{code}\n{script}\n{output}");
            if (script.Contains("uninstall", StringComparison.Ordinal)) output.ShouldContain("0 objects left");
        }
    }
}
