using System.Diagnostics;
using Fabrik.Kubernetes;

namespace Fabrik.Tests.EndToEnd;

/// <summary>The page of recipes, typed as it stands.</summary>
[Collection(ClusterFixture.Collection)]
public sealed class HowDoITests(ClusterFixture cluster) : IDisposable
{
    private const string Page = "docs/how-do-i.md";
    private const string Namespace = "team-a";
    private readonly string home = Directory.CreateTempSubdirectory("fabrik-how-").FullName;

    [Fact]
    public async Task Every_command_and_every_step_of_a_pipeline_works_as_the_page_has_it()
    {
        if (await new KubectlProcess(home, cluster.Kubeconfig).MissingAsync() is { } reason) Assert.Skip(reason);
        try
        {
            foreach (var (heading, script) in DocumentCommands.Of(Page))
            {
                var (code, output) = await BashAsync(script);
                code.ShouldBe(0, $"{heading}\n{script}\n{output}");
                // What was told once is on record soon, not at once.
                if (script.Contains("label namespace team-a fabrik.dev/enabled", StringComparison.Ordinal)) output.ShouldContain("VARIANT");
            }
        }
        finally
        {
            await cluster.Client.DeleteAsync(Kinds.OptimizationChange, Names.SystemNamespace, "more-memory", TestContext.Current.CancellationToken);
            await cluster.RemoveAsync(Namespace);
        }
    }

    public void Dispose() => Directory.Delete(home, recursive: true);

    private async Task<(int Code, string Output)> BashAsync(string script)
    {
        var start = new ProcessStartInfo("bash", ["-euo", "pipefail", "-c", $"exec 2>&1\nfabrik() {{ dotnet '{Path.Combine(AppContext.BaseDirectory, "fabrik.dll")}' \"$@\"; }}\n{script}"])
        {
            WorkingDirectory = home,
            RedirectStandardOutput = true,
            RedirectStandardInput = true,
            UseShellExecute = false,
            Environment =
            {
                ["KUBECONFIG"] = Path.GetFullPath(cluster.Kubeconfig), ["HOME"] = home, ["KUBECACHEDIR"] = Path.Combine(home, "cache"),
                ["GITHUB_RUN_ID"] = "71", ["CI_PIPELINE_ID"] = "72",
            },
        };
        using var process = Process.Start(start)!;
        process.StandardInput.Close();
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(2), TimeProvider.System);
        try
        {
            var output = await process.StandardOutput.ReadToEndAsync(limit.Token);
            await process.WaitForExitAsync(limit.Token);
            return (process.ExitCode, output);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            return (-1, "it did not end within two minutes");
        }
    }
}
