using System.Text.Json.Nodes;
using Fabrik.Kubernetes;

namespace Fabrik.Tests.EndToEnd;

[Collection(ClusterFixture.Collection)]
public sealed class UsageTests(ClusterFixture cluster)
{
    [Fact]
    public async Task A_job_shows_what_it_used_with_no_more_than_the_cluster_itself_has()
    {
        Assert.SkipWhen(cluster.Real, "what a Job uses on another API server is not for this test to say");
        var cancel = TestContext.Current.CancellationToken;
        var ns = await cluster.NamespaceAsync("usage");
        var job = Jobs.Named("measured", "1Gi");
        job["spec"]!["template"]!["metadata"]!["annotations"] = new JsonObject { [Names.Annotations.SandboxDuration] = "10m", [Names.Annotations.SandboxMemory] = "700Mi" };
        job["metadata"]!["annotations"] = new JsonObject { [Names.Annotations.Optimize] = "true" };
        await cluster.Client.CreateAsync(Kinds.Job, ns, job, cancel);

        var run = await Wait.ForAsync("the settled usage", async () =>
        {
            var shown = await cluster.FabrikAsync("runs", "show", "measured", "-n", ns, "-o", "json");
            return shown.Code == 0 && JsonNode.Parse(shown.Out)?["usage"] is { } usage && (bool)usage["settled"]! ? usage.AsObject() : null;
        });

        ((string)run["source"]!, (long)run["peakMemoryBytes"]!, (long)run["meanCpuMillis"]!).ShouldBe(("metrics-server", 700L << 20, 100));
        ((int)run["samples"]!).ShouldBeGreaterThan(1);
        run["missing"]!.ToJsonString().ShouldBe("""{"prometheus":"not_configured"}""");
        (await cluster.FabrikAsync("runs", "show", "measured", "-n", ns)).Out.ShouldContain("700Mi at most of 1Gi");
        (await cluster.FabrikAsync("runs", "list", "-n", ns, "-o", "wide")).Out.ShouldContain("700Mi (68%)");
        (await cluster.FabrikAsync("runs", "list", "-n", ns)).Out.ShouldNotContain("PEAK");
    }
}
