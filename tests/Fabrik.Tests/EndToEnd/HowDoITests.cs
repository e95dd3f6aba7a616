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
        var shell = new Shell(home, cluster.Kubeconfig);
        try
        {
            foreach (var (heading, script) in DocumentCommands.Of(Page))
            {
                var (code, output) = await shell.RunAsync(script, TimeSpan.FromMinutes(2));
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
}
