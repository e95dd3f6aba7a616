using System.Text;
using System.Text.Json.Nodes;
using Dapper;
using Fabrik.CronJobs;
using Fabrik.Kubernetes;
using Fabrik.Storage;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Fabrik.Benchmarks;

/// <summary>
/// 10,000 Jobs from the watches to the database: the whole scheduler process over HTTP, against a server in this same process that sends
/// what a cluster would (4 states of each Job, 5 of its Pod, 3 Events) as fast as it is taken.
/// </summary>
internal static class ObserveBenchmark
{
    private const int Jobs = 10_000;
    private const string Namespace = "ci";

    public static async Task<int> RunAsync(string[] args)
    {
        var clock = TimeProvider.System;
        var directory = Path.Combine(Path.GetTempPath(), $"fabrik-observe-{Environment.ProcessId}");
        var server = new Server();
        await using var cluster = server.Build();
        await cluster.StartAsync();
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        builder.Services.AddFabrikCronJobs(new CronJobsOptions { Cluster = new ClusterConfig { Server = Address(cluster) }, DataDirectory = directory, MetricsPort = 0, LoopbackOnly = true });
        try
        {
            await using var app = builder.Build();
            app.MapFabrikCronJobs();
            await app.StartAsync();
            await server.Watching;
            var database = app.Services.GetRequiredService<Database>();
            var before = Environment.CpuUsage.TotalTime;
            var began = clock.GetTimestamp();
            server.Go();
            int ended;
            do
            {
                await Task.Delay(TimeSpan.FromMilliseconds(50), clock);
                using var connection = database.Read();
                ended = connection.ExecuteScalar<int>("SELECT count(*) FROM runs WHERE outcome = 'succeeded' AND exit_code = 0");
            }
            while (ended < Jobs && clock.GetElapsedTime(began) < TimeSpan.FromMinutes(5));
            var took = clock.GetElapsedTime(began);
            Console.WriteLine($"{ended:N0} of {Jobs:N0} Jobs, {server.Lines:N0} changes, {server.Bytes / 1e6:0} MB of watches: {took.TotalSeconds:0.0} s, {(Environment.CpuUsage.TotalTime - before).TotalSeconds:0.0} s of CPU with the sending (target: at most 20 s on 2 cores)");
            Console.WriteLine($"working set {Environment.WorkingSet / 1e6:0} MB");
            await app.StopAsync();
            await cluster.StopAsync(new CancellationToken(true));
            return ended == Jobs ? 0 : 1;
        }
        finally
        {
            if (Directory.Exists(directory)) Directory.Delete(directory, recursive: true);
        }
    }

    private static Uri Address(WebApplication app) => new(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single());

    private sealed class Server
    {
        private readonly TaskCompletionSource go = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly TaskCompletionSource watching = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int watches;
        private long lines;
        private long bytes;

        public Task Watching => watching.Task;

        public long Lines => Interlocked.Read(ref lines);

        public long Bytes => Interlocked.Read(ref bytes);

        public void Go() => go.SetResult();

        public WebApplication Build()
        {
            var builder = WebApplication.CreateSlimBuilder();
            builder.Logging.ClearProviders();
            builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(System.Net.IPAddress.Loopback, 0));
            var app = builder.Build();
            app.Run(AnswerAsync);
            return app;
        }

        private async Task AnswerAsync(HttpContext context)
        {
            if (context.Request.Query["watch"] == "true") await WatchAsync(context);
            else if (context.Request.Method == "GET") context.Response.StatusCode = 404;
            else
            {
                var lease = (await JsonNode.ParseAsync(context.Request.Body))!;
                lease["metadata"]!["resourceVersion"] = "1";
                context.Response.ContentType = "application/json";
                await context.Response.WriteAsync(lease.ToJsonString());
            }
        }

        private async Task WatchAsync(HttpContext context)
        {
            var kind = context.Request.Path.Value!.Split('/')[^1];
            var events = context.Request.Query["fieldSelector"].ToString();
            context.Response.ContentType = "application/json";
            if (kind == "namespaces") await SendAsync(context, Line("ADDED", $$"""{"kind":"Namespace","apiVersion":"v1","metadata":{"name":"{{Namespace}}","uid":"n","resourceVersion":"5","labels":{"{{Names.Labels.Enabled}}":"true"} } }"""));
            await SendAsync(context, Line("BOOKMARK", $$"""{"kind":"X","apiVersion":"v1","metadata":{"resourceVersion":"10","annotations":{"{{Names.Annotations.InitialEventsEnd}}":"true"} } }"""));
            await context.Response.Body.FlushAsync(context.RequestAborted);
            if (Interlocked.Increment(ref watches) == 5) watching.TrySetResult();
            await go.Task.WaitAsync(context.RequestAborted);
            Func<int, IEnumerable<string>> of = kind switch { "jobs" => JobLines, "pods" => PodLines, "events" when events.Contains("kind=Job", StringComparison.Ordinal) => JobEventLines, "events" => PodEventLines, _ => _ => [] };
            for (var number = 0; number < Jobs; number++)
            {
                foreach (var line in of(number)) await SendAsync(context, line);
            }

            await context.Response.Body.FlushAsync(context.RequestAborted);
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, context.RequestAborted);
        }

        private async Task SendAsync(HttpContext context, string line)
        {
            Interlocked.Increment(ref lines);
            Interlocked.Add(ref bytes, line.Length);
            await context.Response.BodyWriter.WriteAsync(Encoding.UTF8.GetBytes(line), context.RequestAborted);
        }

        private static string Line(string type, string json) => $$"""{"type":"{{type}}","object":{{json}}}""" + "\n";

        private static IEnumerable<string> JobLines(int number)
        {
            for (var state = 0; state < 4; state++)
            {
                var status = state switch
                {
                    0 => "{}",
                    1 => """{"startTime":"2026-11-20T12:00:01Z","active":1,"ready":0,"terminating":0}""",
                    2 => """{"startTime":"2026-11-20T12:00:01Z","active":1,"ready":1,"terminating":0}""",
                    _ => """{"startTime":"2026-11-20T12:00:01Z","completionTime":"2026-11-20T12:01:00Z","succeeded":1,"ready":0,"terminating":0,"conditions":[{"type":"SuccessCriteriaMet","status":"True","reason":"CompletionsReached","lastTransitionTime":"2026-11-20T12:01:00Z"},{"type":"Complete","status":"True","reason":"CompletionsReached","lastTransitionTime":"2026-11-20T12:01:00Z"}]}""",
                };
                yield return Line(state == 0 ? "ADDED" : "MODIFIED", $$"""
                    {"kind":"Job","apiVersion":"batch/v1","metadata":{"name":"job-{{number}}","namespace":"{{Namespace}}","uid":"{{Uid(number)}}","resourceVersion":"{{Version(number, state)}}","creationTimestamp":"2026-11-20T12:00:00Z","labels":{"{{Names.Labels.SpecType}}":"impl"},"annotations":{"batch.kubernetes.io/job-tracking":""},"managedFields":[{"manager":"kube-controller-manager","operation":"Update","apiVersion":"batch/v1","fieldsType":"FieldsV1","fieldsV1":{"f:status":{"f:active":{},"f:ready":{},"f:startTime":{},"f:terminating":{},"f:uncountedTerminatedPods":{} } },"subresource":"status"}]},"spec":{"parallelism":1,"completions":1,"backoffLimit":6,"completionMode":"NonIndexed","suspend":false,"selector":{"matchLabels":{"batch.kubernetes.io/controller-uid":"{{Uid(number)}}"} },"template":{"metadata":{"labels":{"batch.kubernetes.io/job-name":"job-{{number}}"} },"spec":{"restartPolicy":"Never","containers":[{"name":"main","image":"registry.example/work:1","command":["work","--number","{{number}}"],"resources":{"requests":{"cpu":"500m","memory":"1Gi"},"limits":{"memory":"1Gi"} } }]} } },"status":{{status}} }
                    """.Trim());
            }
        }

        private static IEnumerable<string> PodLines(int number)
        {
            for (var state = 0; state < 5; state++)
            {
                var status = state switch
                {
                    0 => """{"phase":"Pending"}""",
                    1 => """{"phase":"Pending","conditions":[{"type":"PodScheduled","status":"True"}]}""",
                    2 => """{"phase":"Running","conditions":[{"type":"PodScheduled","status":"True"}],"containerStatuses":[{"name":"main","restartCount":0,"state":{"running":{"startedAt":"2026-11-20T12:00:02Z"} },"lastState":{} }]}""",
                    _ => """{"phase":"Succeeded","conditions":[{"type":"PodScheduled","status":"True"}],"containerStatuses":[{"name":"main","restartCount":0,"state":{"terminated":{"exitCode":0,"reason":"Completed","startedAt":"2026-11-20T12:00:02Z","finishedAt":"2026-11-20T12:00:59Z"} },"lastState":{} }]}""",
                };
                var node = state == 0 ? "" : "\"nodeName\":\"node-1\",";
                yield return Line(state == 0 ? "ADDED" : "MODIFIED", $$"""
                    {"kind":"Pod","apiVersion":"v1","metadata":{"name":"job-{{number}}-abcde","generateName":"job-{{number}}-","namespace":"{{Namespace}}","uid":"p{{Uid(number)}}","resourceVersion":"{{Version(number, 10 + state)}}","creationTimestamp":"2026-11-20T12:00:01Z","labels":{"batch.kubernetes.io/job-name":"job-{{number}}"},"ownerReferences":[{"apiVersion":"batch/v1","kind":"Job","name":"job-{{number}}","uid":"{{Uid(number)}}","controller":true}]},"spec":{ {{node}}"restartPolicy":"Never","containers":[{"name":"main","image":"registry.example/work:1","command":["work","--number","{{number}}"],"resources":{"requests":{"cpu":"500m","memory":"1Gi"},"limits":{"memory":"1Gi"} } }],"tolerations":[{"key":"node.kubernetes.io/not-ready","operator":"Exists","effect":"NoExecute","tolerationSeconds":300},{"key":"node.kubernetes.io/unreachable","operator":"Exists","effect":"NoExecute","tolerationSeconds":300}],"volumes":[{"name":"kube-api-access","projected":{"sources":[{"serviceAccountToken":{"expirationSeconds":3607,"path":"token"} },{"configMap":{"name":"kube-root-ca.crt","items":[{"key":"ca.crt","path":"ca.crt"}]} }]} }]},"status":{{status}} }
                    """.Trim());
            }
        }

        private static IEnumerable<string> JobEventLines(int number)
        {
            yield return Event(number, 20, "Job", $"job-{number}", Uid(number), "SuccessfulCreate", $"Created pod: job-{number}-abcde");
            yield return Event(number, 21, "Job", $"job-{number}", Uid(number), "Completed", "Job completed");
        }

        private static IEnumerable<string> PodEventLines(int number)
        {
            yield return Event(number, 30, "Pod", $"job-{number}-abcde", "p" + Uid(number), "Scheduled", $"Successfully assigned {Namespace}/job-{number}-abcde to node-1");
        }

        private static string Event(int number, int state, string kind, string name, string uid, string reason, string message) => Line("ADDED", $$"""
            {"kind":"Event","apiVersion":"v1","metadata":{"name":"{{name}}.{{state}}","namespace":"{{Namespace}}","uid":"e{{state}}-{{number}}","resourceVersion":"{{Version(number, state)}}","creationTimestamp":"2026-11-20T12:00:01Z"},"involvedObject":{"kind":"{{kind}}","namespace":"{{Namespace}}","name":"{{name}}","uid":"{{uid}}"},"reason":"{{reason}}","message":"{{message}}","firstTimestamp":"2026-11-20T12:00:01Z","lastTimestamp":"2026-11-20T12:00:01Z","count":1,"type":"Normal"}
            """.Trim());

        private static string Uid(int number) => $"00000000-0000-4000-8000-{number:000000000000}";

        private static long Version(int number, int state) => 100 + (number * 40L) + state;
    }
}
