using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.Runs.Usage;
using Fabrik.Sandbox.Server;
using Fabrik.Tests.Support;

namespace Fabrik.Tests.Sandbox.Server;

public class UsageTests
{
    private static readonly DateTimeOffset Start = new(2026, 11, 20, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public async Task Metrics_and_the_nodes_summary_show_what_runs_as_it_grows()
    {
        var clock = new TestClock(Start);
        await using var api = await ApiServer.StartAsync(new SandboxServerOptions { Clock = clock });
        await api.PostAsync("/api/v1/nodes", JsonNode.Parse("""{"apiVersion":"v1","kind":"Node","metadata":{"name":"sandbox"}}""")!);
        (await TellAsync(api, "a-1", "ci", "a")).ShouldBe(204);
        (await TellAsync(api, "b-1", "other", "b")).ShouldBe(204);
        (await api.GetAsync("/apis/metrics.k8s.io/v1beta1/pods")).Json["items"]!.AsArray().ShouldBeEmpty("they have only begun");

        clock.Advance(TimeSpan.FromSeconds(30));
        (await MemoryAsync(api, "/apis/metrics.k8s.io/v1beta1/pods")).ShouldBe([("a-1", 550L << 20), ("b-1", 550L << 20)]);
        (await MemoryAsync(api, "/apis/metrics.k8s.io/v1beta1/namespaces/ci/pods")).ShouldBe([("a-1", 550L << 20)]);
        (await MemoryAsync(api, "/apis/metrics.k8s.io/v1beta1/pods?labelSelector=job-name%3Db")).ShouldBe([("b-1", 550L << 20)]);
        var one = (await api.GetAsync("/apis/metrics.k8s.io/v1beta1/namespaces/ci/pods/a-1")).ShouldBe(200).Json;
        (one["kind"]!.GetValue<string>(), one["window"]!.GetValue<string>()).ShouldBe(("PodMetrics", "30s"));
        (await api.GetAsync("/apis/metrics.k8s.io/v1beta1/namespaces/ci/pods/b-1")).ShouldBe(404);

        clock.Advance(TimeSpan.FromMinutes(10));
        var summary = (await api.GetAsync("/api/v1/nodes/sandbox/proxy/stats/summary?only_cpu_and_memory=true")).ShouldBe(200);
        var reading = KubeletSummary.Read(JsonDocument.Parse(summary.Text).RootElement).First();
        (reading.MemoryBytes, reading.CpuCounter, reading.At).ShouldBe((1000L << 20, 60, Start.AddMinutes(2)), "it cannot go on after its end");
        (await api.GetAsync("/api/v1/nodes/other/proxy/stats/summary")).ShouldBe(404);
        (await api.GetAsync("/api/v1/nodes/sandbox/proxy/metrics")).ShouldBe(404);
    }

    [Fact]
    public void What_has_ended_is_shown_as_it_was_for_a_moment_and_then_no_more()
    {
        var real = new TestClock();
        var usage = new PodUsage(real);
        usage.Take("ci", "a-1", Body("a", ended: null)).ShouldBeTrue();
        usage.Take("ci", "a-1", Body("a", ended: Start.AddSeconds(30))).ShouldBeTrue();
        usage.At(Start.AddHours(5)).Single().Containers.Single().ShouldSatisfyAllConditions(container => container.MemoryBytes.ShouldBe(550L << 20), container => container.At.ShouldBe(Start.AddSeconds(30)));
        real.Advance(PodUsage.Shown);
        usage.At(Start.AddHours(9)).ShouldNotBeEmpty();
        real.Advance(TimeSpan.FromSeconds(1));
        usage.At(Start.AddHours(9)).ShouldBeEmpty();
    }

    [Fact]
    public async Task Who_may_read_metrics_needs_not_be_able_to_reach_nodes_and_only_the_administrator_tells_them()
    {
        await using var api = await ApiServer.StartAsync();
        await api.PostAsync("/api/v1/namespaces/default/serviceaccounts", JsonNode.Parse("""{"metadata":{"name":"viewer"}}""")!);
        await api.PostAsync("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", JsonNode.Parse("""
            {"metadata":{"name":"viewer"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"view"},"subjects":[{"kind":"ServiceAccount","namespace":"default","name":"viewer"}]}
            """)!);
        var token = (await api.PostAsync("/api/v1/namespaces/default/serviceaccounts/viewer/token", JsonNode.Parse("{}")!)).Json["status"]!["token"]!.GetValue<string>();
        (await api.GetAsync("/apis/metrics.k8s.io/v1beta1/pods", token)).ShouldBe(200);
        (await api.GetAsync("/api/v1/nodes/sandbox/proxy/stats/summary", token)).ShouldBe(403).Message.ShouldContain("nodes/proxy");
        (await api.PostAsync("/sandbox/v1/usage/ci/a-1", Body("a", null), token)).ShouldBe(403);
        (await api.PostAsync("/sandbox/v1/usage/ci/a-1", "{}")).ShouldBe(400);
        (await api.PostAsync("/sandbox/v1/usage/ci/a-1", "{")).ShouldBe(400);
        (await api.PostAsync("/apis/metrics.k8s.io/v1beta1/namespaces/ci/pods", "{}")).ShouldBe(405);
    }

    [Fact]
    public void Pods_that_are_told_of_and_never_again_do_not_fill_the_memory()
    {
        var usage = new PodUsage(new TestClock());
        for (var number = 0; number < 20_100; number++) usage.Take("ci", $"p-{number}", Body("a", null)).ShouldBeTrue();
        usage.At(Start.AddMinutes(1)).Count.ShouldBe(20_000);
    }

    private static async Task<int> TellAsync(ApiServer api, string pod, string ns, string job) => (await api.PostAsync($"/sandbox/v1/usage/{ns}/{pod}", Body(job, null))).Code;

    /// <summary>A minute to 1000Mi, two minutes to its end, half a core.</summary>
    private static JsonObject Body(string job, DateTimeOffset? ended)
    {
        var body = (JsonObject)JsonNode.Parse($$"""
            {"uid":"u","node":"sandbox","labels":{"job-name":"{{job}}"},
             "containers":[{"name":"main","start":"{{Start:O}}","end":"{{Start.AddMinutes(2):O}}","peakAt":"{{Start.AddMinutes(1):O}}","peak":{{1000L << 20}},"cpuMillis":500}]}
            """)!;
        if (ended is { } at) body["ended"] = at.ToString("O");
        return body;
    }

    private static async Task<List<(string Pod, long? Memory)>> MemoryAsync(ApiServer api, string path)
    {
        var list = JsonDocument.Parse((await api.GetAsync(path)).ShouldBe(200).Text).RootElement;
        return [.. list.GetProperty("items").EnumerateArray().SelectMany(PodMetrics.Read).Select(reading => (reading.Pod, reading.MemoryBytes))];
    }
}
