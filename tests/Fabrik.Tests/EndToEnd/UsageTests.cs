using System.Text.Json.Nodes;
using Fabrik.Kubernetes;

namespace Fabrik.Tests.EndToEnd;

[Collection(ClusterFixture.Collection)]
public sealed class UsageTests(ClusterFixture cluster)
{
    private const long MiB = 1 << 20;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_job_shows_what_it_used_with_no_more_than_the_cluster_itself_has()
    {
        Assert.SkipWhen(cluster.Real, "what a simulated Pod uses is told by the sandbox alone: what containers use is measured by the test below");
        var ns = await cluster.NamespaceAsync("usage");
        var job = Jobs.Named("measured", "1Gi");
        job["spec"]!["template"]!["metadata"]!["annotations"] = new JsonObject { [Names.Annotations.SandboxDuration] = "10m", [Names.Annotations.SandboxMemory] = "700Mi" };

        var run = await SettledAsync(ns, job, TimeSpan.FromMinutes(1));

        ((string)run["source"]!, (long)run["peakMemoryBytes"]!, (long)run["meanCpuMillis"]!).ShouldBe(("metrics-server", 700 * MiB, 100));
        ((int)run["samples"]!).ShouldBeGreaterThan(1);
        run["missing"]!.ToJsonString().ShouldBe("""{"prometheus":"not_configured"}""");
        (await cluster.FabrikAsync("runs", "show", "measured", "-n", ns)).Out.ShouldContain("700Mi at most of 1Gi");
        (await cluster.FabrikAsync("runs", "list", "-n", ns, "-o", "wide")).Out.ShouldContain("700Mi (68%)");
        (await cluster.FabrikAsync("runs", "list", "-n", ns)).Out.ShouldNotContain("PEAK");
    }

    [Fact]
    public async Task A_container_that_fills_memory_and_is_busy_for_a_quarter_of_its_time_is_shown_with_about_as_much()
    {
        Assert.SkipUnless(cluster.Containers, "unproven here: no node of this cluster runs containers, so there is nothing to measure");
        var ns = await cluster.NamespaceAsync("filled");
        var job = Jobs.Named("measured", "1Gi");

        // Whoever is asked for the last bytes of what has no end yet holds them.
        job["spec"]!["template"]!["spec"]!["containers"]![0]!["command"] = new JsonArray("sh", "-c", "(head -c 83886080 /dev/zero; timeout 20 sh -c 'while :; do :; done'; sleep 60) | tail -c 83886080 | wc -c");

        var run = await SettledAsync(ns, job, TimeSpan.FromMinutes(4));

        TestContext.Current.TestOutputHelper?.WriteLine(run.ToJsonString());
        ((string)run["source"]!).ShouldBeOneOf("metrics-server", "kubelet");
        ((long)run["peakMemoryBytes"]!).ShouldBeInRange(80 * MiB, 120 * MiB);
        ((long)run["meanCpuMillis"]!).ShouldBeInRange(20, 500);
        ((int)run["samples"]!).ShouldBeGreaterThan(1);
        (await cluster.FabrikAsync("runs", "show", "measured", "-n", ns)).Out.ShouldContain("at most of 1Gi");
    }

    private async Task<JsonObject> SettledAsync(string ns, JsonObject job, TimeSpan patience)
    {
        job["metadata"]!["annotations"] = new JsonObject { [Names.Annotations.Optimize] = "true" };
        await cluster.Client.CreateAsync(Kinds.Job, ns, job, Cancel);

        // A node that is busy pulls late, and only from then on is there anything to measure.
        await Wait.UntilAsync("its Pod to start", () => cluster.Client.ListAsync(Kinds.Pod, ns, Cancel).AnyAsync(pod => pod.Json.Text("status", "phase") is not "Pending", Cancel).AsTask(), TimeSpan.FromMinutes(5));
        return await Wait.ForAsync("the settled usage", async () =>
        {
            var shown = await cluster.FabrikAsync("runs", "show", "measured", "-n", ns, "-o", "json");
            return shown.Code == 0 && JsonNode.Parse(shown.Out)?["usage"] is { } usage && (bool)usage["settled"]! ? usage.AsObject() : null;
        }, patience);
    }
}
