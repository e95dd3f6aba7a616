using System.Text;
using System.Text.Json;
using Fabrik.Kubernetes;

namespace Fabrik.Tests.EndToEnd;

/// <summary>What a person types, with Fabrik on the cluster.</summary>
[Collection(ClusterFixture.Collection)]
public sealed class KubectlTests(ClusterFixture cluster) : IDisposable
{
    private readonly string home = Directory.CreateTempSubdirectory("fabrik-kubectl-").FullName;

    private KubectlProcess Kubectl => new(home, Path.GetFullPath(cluster.Kubeconfig));

    [Fact]
    public async Task Manifests_applied_twice_on_either_side_leave_every_arm_as_it_is_and_the_table_shows_it()
    {
        if (await Kubectl.MissingAsync() is { } reason) Assert.Skip(reason);
        var ns = await cluster.NamespaceAsync("kubectl");
        var change = await cluster.MemoryExperimentAsync(ns);
        var manifest = Manifest(40);
        await Wait.UntilAsync("the webhook to see the change", async () =>
            (await OkAsync(ns, "create --dry-run=server -f - -o json", Manifest(1))).Contains("optimizer.dev/experiment", StringComparison.Ordinal));

        await OkAsync(ns, "apply -f -", manifest);
        var first = await MemoryAsync(ns);
        var again = await OkAsync(ns, "apply -f -", manifest);
        await OkAsync(ns, "apply --server-side --force-conflicts -f -", manifest);
        await OkAsync(ns, "apply --server-side --force-conflicts -f -", manifest);

        again.ShouldNotContain("created");
        (await MemoryAsync(ns)).ShouldBe(first);
        first.Values.ShouldContain("4Gi");
        first.Values.ShouldContain("2Gi");
        var table = await OkAsync(ns, "get jobs -L optimizer.dev/experiment,fabrik.dev/variant");
        table.ShouldContain("VARIANT");
        table.ShouldContain("treatment");
        await cluster.EndAsync(change);
    }

    public void Dispose() => Directory.Delete(home, recursive: true);

    private static string Manifest(int jobs)
    {
        var text = new StringBuilder();
        for (var number = 0; number < jobs; number++)
        {
            text.AppendLine("---");
            text.AppendLine(Jobs.Named($"job-{number}").ToJsonString());
        }

        return text.ToString();
    }

    private async Task<Dictionary<string, string?>> MemoryAsync(string ns)
    {
        using var list = JsonDocument.Parse(await OkAsync(ns, "get jobs -o json"));
        return list.RootElement.GetProperty("items").EnumerateArray().Select(item => new KubeObject(item)).ToDictionary(job => job.Name, job => job.MemoryLimit());
    }

    private async Task<string> OkAsync(string ns, string arguments, string? input = null)
    {
        var (code, output, error) = await Kubectl.RunAsync($"-n {ns} {arguments}", input);
        code.ShouldBe(0, error);
        return output;
    }
}
