using System.Text.RegularExpressions;

namespace Fabrik.Tests.Installation;

/// <summary>The quickstart, typed as it stands.</summary>
[Collection(InstallationCollection.Name)]
public sealed partial class QuickstartTests
{
    /// <summary>What fabrik check finds where nobody gave the gateway a key, as here.</summary>
    internal static readonly string[] WithoutKeys = ["FAB-3223", "FAB-3234"];

    [Fact]
    public async Task Its_commands_take_a_cluster_from_nothing_to_a_run_and_back_to_nothing()
    {
        await using var cluster = await InstalledCluster.StartAsync();
        await cluster.ReadyAsync();
        var shell = new Shell(cluster.Home, cluster.Kubeconfig);
        foreach (var (_, script) in DocumentCommands.Of("docs/quickstart.md"))
        {
            var (code, output) = await shell.RunAsync(script, TimeSpan.FromMinutes(8));
            if (!script.Contains("fabrik check", StringComparison.Ordinal)) code.ShouldBe(0, $"{script}\n{output}");
            Failed().Matches(output).Select(match => match.Groups["id"].Value).Except(WithoutKeys).ShouldBeEmpty(output);
            if (script.Contains("uninstall", StringComparison.Ordinal)) output.ShouldContain("0 objects left");
        }
    }

    [GeneratedRegex("^ *FAILED +(?<id>FAB-[0-9]+)", RegexOptions.ExplicitCapture | RegexOptions.Multiline | RegexOptions.NonBacktracking)]
    private static partial Regex Failed();
}
