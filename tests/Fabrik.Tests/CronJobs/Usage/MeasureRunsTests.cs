using System.Text.Json.Nodes;
using Fabrik.CronJobs;
using Fabrik.CronJobs.Usage;
using Fabrik.Kubernetes;
using Fabrik.Runs;
using Fabrik.Tests.Kubernetes;
using Fabrik.Tests.Runs;
using Fabrik.Tests.Storage;
using Fabrik.Tests.Support;
using Fabrik.Tests.Webhook;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Fabrik.Tests.CronJobs.Usage;

/// <summary>The whole process over HTTP: from a cluster, its metrics and Prometheus to the database.</summary>
public class MeasureRunsTests
{
    private const string Pod = "hello-abcde";

    /// <summary>Of each Job; a little ago, as runs that ended long since are left alone. In whole seconds, as the cluster writes them.</summary>
    private static readonly DateTimeOffset Start = DateTimeOffset.FromUnixTimeSeconds(TimeProvider.System.GetUtcNow().ToUnixTimeSeconds() - 600);

    [Fact]
    public async Task A_run_that_ended_has_its_usage_from_prometheus()
    {
        await using var prometheus = await PrometheusProcess.StartAsync(new Exposed()
            .Add("ci", Pod, "main", "id=\"/x\"", Enumerable.Range(1, 20).Select(n => (Start.AddSeconds(n * 15), n * 1e6, n * 15 * 0.25)))
            .Add("ci", Pod, "clone", "id=\"/init\"", [(Start.AddSeconds(1), 9e9, 1)]).ToString());
        await using var world = await World.StartAsync();
        await using var process = await world.MeasureAsync(new PrometheusOptions { Url = prometheus.Url, ScrapeInterval = TimeSpan.FromMilliseconds(50) });
        await world.RunAsync();
        await world.EndAsync();
        var usage = await world.SettledAsync();
        usage.ShouldBe(new RunUsage { Source = UsageSource.Prometheus, PeakMemoryBytes = 20_000_000, MeanCpuMillis = 250, P95CpuMillis = 250, PeakCpuMillis = 250, Samples = 20, Settled = true });
        world.Paths.ShouldNotContain(path => path.Contains("metrics.k8s.io", StringComparison.Ordinal));
        (await process.MetricsAsync()).ShouldContain("fabrik_usage_settled_total{source=\"prometheus\"} 1\n");
    }

    [Fact]
    public async Task Without_prometheus_what_runs_is_sampled_and_the_run_says_what_was_missing()
    {
        await using var world = await World.StartAsync();
        await using var process = await world.MeasureAsync(null);
        world.Metrics = (Start.AddSeconds(30), 400, "300m");
        await world.RunAsync();
        (await world.UsageAsync(usage => usage.Samples == 1)).Settled.ShouldBeFalse();
        world.Metrics = (Start.AddSeconds(45), 700, "500m");
        await world.UsageAsync(usage => usage.Samples == 2);
        world.Metrics = (Start.AddSeconds(60), 500, "100m");
        await world.UsageAsync(usage => usage.Samples == 3);
        await world.EndAsync();
        (await world.SettledAsync()).ShouldBe(new RunUsage
        {
            Source = UsageSource.MetricsServer,
            PeakMemoryBytes = 700 << 20,
            MeanCpuMillis = 300,
            P95CpuMillis = 500,
            PeakCpuMillis = 500,
            Samples = 3,
            Missing = new MissingSources(UsageGap.NotConfigured),
            Settled = true,
        });
        (await process.MetricsAsync()).ShouldContain("fabrik_usage_source_up{source=\"metrics-server\"} 1\n");
    }

    [Theory]
    [InlineData(404, UsageGap.NotServed)]
    [InlineData(403, UsageGap.Forbidden)]
    [InlineData(500, UsageGap.Unavailable)]
    public async Task Where_metrics_are_not_to_be_had_the_kubelets_are_asked(int refusal, UsageGap gap)
    {
        await using var world = await World.StartAsync();
        await using var process = await world.MeasureAsync(null);
        world.MetricsRefusal = refusal;
        world.Summary = TestData.Text("usage/stats-summary.json").Replace("busy2-xmf8q", Pod, StringComparison.Ordinal);
        await world.RunAsync();
        await world.UsageAsync(usage => usage.Source == UsageSource.Kubelet);
        await world.EndAsync();
        var usage = await world.SettledAsync();
        (usage.Source, usage.PeakMemoryBytes, usage.MeanCpuMillis, usage.Samples).ShouldBe((UsageSource.Kubelet, 60538880, 18, 1));
        usage.Missing.ShouldBe(new MissingSources(UsageGap.NotConfigured, gap));
        world.Paths.ShouldContain($"/api/v1/nodes/node-1/proxy/stats/summary");
    }

    [Fact]
    public async Task Where_nothing_is_to_be_had_the_run_says_that_and_is_observed_all_the_same()
    {
        await using var world = await World.StartAsync();
        await using var process = await world.MeasureAsync(null);
        (world.MetricsRefusal, world.SummaryRefusal) = (404, 403);
        await world.RunAsync();
        await Wait.UntilAsync("the kubelet to be asked", () => Task.FromResult(world.Paths.Any(path => path.EndsWith("/stats/summary", StringComparison.Ordinal))));
        await world.EndAsync();
        (await world.SettledAsync()).ShouldBe(new RunUsage { Source = UsageSource.None, Missing = new MissingSources(UsageGap.NotConfigured, UsageGap.NotServed, UsageGap.Forbidden), Settled = true });
        world.Database.All().Single().Outcome.ShouldBe(Outcome.Succeeded);
        process.Log.Count(line => line.Contains("metrics-server gives nothing (not_served)", StringComparison.Ordinal)).ShouldBe(1);
    }

    [Fact]
    public async Task A_prometheus_that_is_away_is_replaced_while_it_is_away()
    {
        await using var world = await World.StartAsync();
        await using var gone = await FakeApiServer.StartAsync(context => FakeApiServer.Reply(context, 401, "no"));
        await using var process = await world.MeasureAsync(new PrometheusOptions { Url = gone.Url, ScrapeInterval = TimeSpan.FromMilliseconds(50) });
        await Wait.UntilAsync("Prometheus to be asked", () => Task.FromResult(!gone.Requests.IsEmpty));
        var start = TimeProvider.System.GetUtcNow().AddSeconds(1); // the cluster cuts off fractions
        world.Metrics = (start.AddSeconds(30), 400, "300m");
        await world.RunAsync(start);
        await world.UsageAsync(usage => usage.Samples == 1);
        await world.EndAsync();
        var usage = await world.SettledAsync();
        (usage.Source, usage.PeakMemoryBytes).ShouldBe((UsageSource.MetricsServer, 400 << 20));
        usage.Missing.ShouldBe(new MissingSources(UsageGap.Unauthorized));
    }

    [Fact]
    public async Task A_prometheus_that_watches_no_containers_is_found_out()
    {
        await using var world = await World.StartAsync();
        await using var empty = await FakeApiServer.StartAsync(context => FakeApiServer.Reply(context, 200, """{"status":"success","data":{"resultType":"vector","result":[]}}"""));
        await using var process = await world.MeasureAsync(new PrometheusOptions { Url = empty.Url, ScrapeInterval = TimeSpan.FromMilliseconds(50) });
        world.Metrics = (Start.AddSeconds(30), 400, "300m");
        await world.RunAsync();
        await world.EndAsync();
        (await world.SettledAsync()).Missing.Prometheus.ShouldBe(UsageGap.NoSamples);

        await world.RunAsync(name: "second", pod: "second-abcde");
        await world.UsageAsync(usage => usage.Samples == 1, "second");
        await world.EndAsync("second");
        var usage = await world.SettledAsync("second");
        (usage.Source, usage.Missing.Prometheus).ShouldBe((UsageSource.MetricsServer, UsageGap.NoSamples));
        process.Log.Count(line => line.Contains("has no container of the runs", StringComparison.Ordinal)).ShouldBe(1);
    }

    [Theory]
    [InlineData(true, 200)]
    [InlineData(false, 100)]
    public async Task An_answer_that_may_not_be_whole_is_taken_only_where_no_other_comes(bool recovers, long memory)
    {
        await using var world = await World.StartAsync();
        await using var stores = await FakeApiServer.StartAsync();
        stores.Answer = context =>
        {
            // Three queries each time it is asked about the run; the probe before them is of one word.
            var whole = recovers && stores.Requests.Count(request => request.Body.Contains("max_over_time", StringComparison.Ordinal)) > 1;
            var warnings = whole ? "" : ",\"warnings\":[\"store-2 did not answer\"]";
            var peak = ((string)context.Items["body"]!).Contains("max_over_time", StringComparison.Ordinal);
            var result = peak ? $$$"""{"metric":{"namespace":"ci","pod":"{{{Pod}}}","container":"main"},"value":[{{{Start.ToUnixTimeSeconds()}}},"{{{(whole ? 200 : 100)}}}"]}""" : "";
            return FakeApiServer.Reply(context, 200, $$$"""{"status":"success","data":{"resultType":"vector","result":[{{{result}}}]}{{{warnings}}}}""");
        };
        await using var process = await world.MeasureAsync(new PrometheusOptions { Url = stores.Url, ScrapeInterval = TimeSpan.FromMilliseconds(50) });
        await world.RunAsync();
        await world.EndAsync();
        var usage = await world.SettledAsync();
        (usage.Source, usage.PeakMemoryBytes, usage.Missing.Prometheus).ShouldBe((UsageSource.Prometheus, memory, null));
        stores.Requests.Count(request => request.Body.Contains("max_over_time", StringComparison.Ordinal)).ShouldBe(recovers ? 2 : Patience.Tries);
    }

    [Fact]
    public async Task A_prometheus_that_hangs_holds_up_no_run()
    {
        await using var world = await World.StartAsync();
        await using var slow = await FakeApiServer.StartAsync(context => Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, context.RequestAborted));
        await using var process = await world.MeasureAsync(new PrometheusOptions { Url = slow.Url, ScrapeInterval = TimeSpan.FromMilliseconds(50) });
        await Wait.UntilAsync("Prometheus to be asked", () => Task.FromResult(!slow.Requests.IsEmpty));
        await world.RunAsync();
        await world.EndAsync();
        await Wait.UntilAsync("the run to be observed", () => Task.FromResult(world.Database.All() is [{ Outcome: Outcome.Succeeded }]));
        (await process.TextAsync(Names.Paths.Ready)).ShouldBe("ok\n");
    }

    [Fact]
    public async Task A_process_that_starts_anew_goes_on_with_what_was_sampled()
    {
        await using var world = await World.StartAsync();
        world.Metrics = (Start.AddSeconds(30), 700, "300m");
        await using (await world.MeasureAsync(null))
        {
            await world.RunAsync();
            await world.UsageAsync(usage => usage.Samples == 1);
        }

        await using var process = await world.MeasureAsync(null);
        world.Metrics = (Start.AddSeconds(45), 300, "100m");
        await world.UsageAsync(usage => usage.Samples == 2);
        await world.EndAsync();
        var usage = await world.SettledAsync();
        (usage.PeakMemoryBytes, usage.MeanCpuMillis, usage.Samples).ShouldBe((700 << 20, 200, 2));
    }

    private sealed class World : IAsyncDisposable
    {
        private readonly FakeCluster cluster = new();
        private FakeApiServer server = null!;
        private KubernetesClient client = null!;

        public TemporaryDatabase Database { get; } = new();

        /// <summary>What metrics.k8s.io says of every Pod: when, MiB and CPU over the last 15 s.</summary>
        public (DateTimeOffset At, long Memory, string Cpu) Metrics { get; set; } = (Start, 1, "1m");

        public int? MetricsRefusal { get; set; }

        public string? Summary { get; set; }

        public int SummaryRefusal { get; set; } = 403;

        public IEnumerable<string> Paths => server.Requests.Select(request => request.Path);

        public static async Task<World> StartAsync()
        {
            var world = new World();
            world.server = await FakeApiServer.StartAsync(world.AnswerAsync);
            world.client = new KubernetesClient(world.server.Config, TimeProvider.System);
            await world.client.CreateAsync(Kinds.Namespace, null, JsonNode.Parse(Some.Namespace("ci").GetRawText())!, default);
            return world;
        }

        public async Task RunAsync(DateTimeOffset? start = null, string name = "hello", string pod = Pod)
        {
            var at = (start ?? Start).ToString("yyyy-MM-dd'T'HH:mm:ss'Z'");
            await client.CreateAsync(Kinds.Job, "ci", JsonNode.Parse($$$$"""
                {"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"{{{{name}}}}","namespace":"ci","uid":"uid-{{{{name}}}}","creationTimestamp":"{{{{at}}}}"},
                 "spec":{"template":{"spec":{"containers":[{"name":"main","image":"x"}],"initContainers":[{"name":"clone","image":"y"}]}}},"status":{"startTime":"{{{{at}}}}"}}
                """)!, default);
            await client.CreateAsync(Kinds.Pod, "ci", JsonNode.Parse($$$$"""
                {"apiVersion":"v1","kind":"Pod","metadata":{"name":"{{{{pod}}}}","namespace":"ci","labels":{"batch.kubernetes.io/job-name":"{{{{name}}}}"},
                 "ownerReferences":[{"kind":"Job","name":"{{{{name}}}}","uid":"uid-{{{{name}}}}","controller":true}]},"spec":{"nodeName":"node-1"},
                 "status":{"phase":"Running","startTime":"{{{{at}}}}","containerStatuses":[{"name":"main","state":{"running":{"startedAt":"{{{{at}}}}"}}}]}}
                """)!, default);
        }

        public async Task EndAsync(string name = "hello")
        {
            var job = (await client.GetAsync(Kinds.Job, "ci", name, default)).ToNode();
            var end = DateTimeOffset.Parse((string)job["status"]!["startTime"]!).AddMinutes(5).ToString("yyyy-MM-dd'T'HH:mm:ss'Z'");
            job["status"] = JsonNode.Parse($$$"""{"startTime":"{{{job["status"]!["startTime"]}}}","completionTime":"{{{end}}}","succeeded":1,"conditions":[{"type":"Complete","status":"True","lastTransitionTime":"{{{end}}}"}]}""");
            await client.ReplaceAsync(Kinds.Job, "ci", name, job, default);
        }

        public async Task<Process> MeasureAsync(PrometheusOptions? prometheus)
        {
            var builder = WebApplication.CreateSlimBuilder();
            var log = new MemoryLog();
            builder.Logging.ClearProviders().AddProvider(log);
            builder.Services.AddFabrikCronJobs(new CronJobsOptions
            {
                Cluster = server.Config,
                DataDirectory = Database.Path,
                MetricsPort = 0,
                LoopbackOnly = true,
                Prometheus = prometheus,
                MeasureEvery = TimeSpan.FromMilliseconds(100),
            });
            var app = builder.Build();
            app.MapFabrikCronJobs();
            await app.StartAsync();
            return new Process(app, log);
        }

        public Task<RunUsage> SettledAsync(string name = "hello") => UsageAsync(usage => usage.Settled, name);

        public Task<RunUsage> UsageAsync(Func<RunUsage, bool> wanted, string name = "hello") =>
            Wait.ForAsync($"the usage of {name}", () => Task.FromResult(Database.Reader.Latest("ci", name)?.Usage is { } usage && wanted(usage) ? usage : null));

        public async ValueTask DisposeAsync()
        {
            client.Dispose();
            await server.DisposeAsync();
            Database.Dispose();
        }

        private Task AnswerAsync(HttpContext context)
        {
            var path = context.Request.Path.Value!;
            if (path.StartsWith("/apis/metrics.k8s.io/", StringComparison.Ordinal))
                return MetricsRefusal is { } refusal ? FakeCluster.Fail(context, refusal, "x", "no metrics") : FakeApiServer.Reply(context, 200, PodMetrics());
            if (path.EndsWith("/proxy/stats/summary", StringComparison.Ordinal))
                return Summary is { } summary ? FakeApiServer.Reply(context, 200, summary) : FakeCluster.Fail(context, SummaryRefusal, "x", "no proxy");
            return cluster.Answer(context);
        }

        private string PodMetrics()
        {
            var items = new[] { Pod, "second-abcde", "stranger" }.Select(pod => $$$"""
                {"metadata":{"name":"{{{pod}}}","namespace":"ci"},"timestamp":"{{{Metrics.At:yyyy-MM-dd'T'HH:mm:ss'Z'}}}","window":"15s",
                 "containers":[{"name":"main","usage":{"cpu":"{{{Metrics.Cpu}}}","memory":"{{{Metrics.Memory}}}Mi"}},{"name":"injected","usage":{"cpu":"9","memory":"9Gi"}}]}
                """);
            return $$$"""{"kind":"PodMetricsList","apiVersion":"metrics.k8s.io/v1beta1","metadata":{},"items":[{{{string.Join(',', items)}}}]}""";
        }
    }

    private sealed class Process(WebApplication app, MemoryLog log) : IAsyncDisposable
    {
        public IEnumerable<string> Log => log.Lines;

        public Task<string> MetricsAsync() => TextAsync(Names.Paths.Metrics);

        public async Task<string> TextAsync(string path)
        {
            using var http = new HttpClient { BaseAddress = new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single()) };
            return await http.GetStringAsync(path);
        }

        public async ValueTask DisposeAsync()
        {
            await app.StopAsync();
            await app.DisposeAsync();
        }
    }
}
