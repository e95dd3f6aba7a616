using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Fabrik.Tests.Sandbox.Server;
using Fabrik.Tests.Support;

namespace Fabrik.Tests.Sandbox.Kubectl;

/// <summary>
/// Everything that a real kubectl asked of a real Kubernetes 1.36 in one session is asked of the sandbox, in the same order. Each answer
/// must have the same status, the same headers where they matter, and give values to the same paths.
/// </summary>
public partial class ReplayTests
{
    private const string Ci = "/api/v1/namespaces/ci";
    private const string Job = "/apis/batch/v1/namespaces/ci/jobs/verb";

    /// <summary>Statuses that differ on purpose.</summary>
    private static readonly Dictionary<string, (int Status, string Why)> OtherStatus = new(StringComparer.Ordinal)
    {
        ["logs: GET /api/v1/namespaces/ci/pods/verb-n6r42/log?container=main"] = (200, "the recorded cluster had no kubelet to ask; the simulated node's Pods have logs"),
    };

    /// <summary>Exchanges (by a part of their name) and paths (by their beginning) that an answer need not have, or has beyond the recording, on purpose.</summary>
    private static readonly (string Exchange, string Path, string Why)[] Intended =
    [
        ("GET /openapi/v3?", "paths", "the index names what is served, which is less"),
        ("GET /openapi/v3/apis", "paths", "paths name JSON alone as the content of answers; held by the tests of OpenAPI"),
        ("cluster-info: GET /api/v1/namespaces/kube-system/services", "items[]", "no services here"),
        ("events: GET /api/v1/namespaces/ci/events", "header Vary", "long lists are not compressed"),
    ];

    [Fact]
    public async Task Every_recorded_exchange_gets_an_answer_of_the_same_status_and_shape()
    {
        await using var api = await ApiServer.StartAsync();
        await PrepareAsync(api);
        var problems = new List<string>();
        foreach (var exchange in Recording.Read(Directory.GetFiles(TestData.PathOf("sandbox/kubectl"), "*.log")))
        {
            await AdvanceAsync(api, exchange);
            problems.AddRange(await CompareAsync(api, exchange));
        }

        string.Join('\n', problems.Distinct()).ShouldBeEmpty();
    }

    private static async Task<IReadOnlyList<string>> CompareAsync(ApiServer api, Exchange exchange)
    {
        var path = await AddressAsync(api, exchange.Path);
        var (body, type) = await BodyAsync(api, exchange);
        var accept = exchange.Headers.GetValueOrDefault("Accept");
        var key = exchange.ToString();
        var status = OtherStatus.TryGetValue(key, out var other) ? other.Status : exchange.Status;
        if (path.Contains("watch=true", StringComparison.Ordinal))
        {
            using var stream = await api.RequestAsync(exchange.Method, path, body, type, accept);
            return (int)stream.StatusCode == status ? [] : [$"{key}: {(int)stream.StatusCode} instead of {status}"];
        }

        var answer = await api.SendAsync(exchange.Method, path, body, type, accept);
        if (answer.Code != status) return [$"{key}: {answer.Code} instead of {status}: {answer.Text[..Math.Min(answer.Text.Length, 300)]}"];
        if (status != exchange.Status) return [];
        var problems = new List<string>();
        foreach (var header in (ReadOnlySpan<string>)["Cache-Control", "Etag", "Vary", "Audit-Id"])
        {
            if (exchange.ResponseHeaders.ContainsKey(header) && !answer.Headers.ContainsKey(header) && !IsIntended(key, "header " + header)) problems.Add($"{key}: no header {header}");
        }

        var contentType = exchange.ResponseHeaders["Content-Type"].Replace("application/vnd.kubernetes.protobuf", "application/json", StringComparison.Ordinal).Replace("; ", ";", StringComparison.Ordinal);
        if (answer.Headers["Content-Type"].Replace("; ", ";", StringComparison.Ordinal) != contentType) problems.Add($"{key}: {answer.Headers["Content-Type"]} instead of {contentType}");
        if (exchange.Response.Text.Length == 0) return problems;
        var (recorded, own) = (Shape.Of(exchange.Response.Text), Shape.Of(answer.Text));
        problems.AddRange(recorded.Except(own).Where(each => !IsIntended(key, each)).Select(each => $"{key}: lacks {each}"));
        if (!exchange.Response.Cut) problems.AddRange(own.Except(recorded).Where(each => !IsIntended(key, each)).Select(each => $"{key}: has {each} too"));
        return problems;
    }

    private static bool IsIntended(string exchange, string path) =>
        Intended.Any(each => exchange.Contains(each.Exchange, StringComparison.Ordinal) && path.StartsWith(each.Path, StringComparison.Ordinal));

    // Versions and uids of the recording stand for those of now; a hash for the one the index gives.
    private static async Task<string> AddressAsync(ApiServer api, string path)
    {
        if (path.Contains("hash=", StringComparison.Ordinal))
        {
            var index = (await api.GetAsync("/openapi/v3")).Json["paths"]!;
            return index[path["/openapi/v3/".Length..path.IndexOf('?', StringComparison.Ordinal)]]!["serverRelativeURL"]!.GetValue<string>();
        }

        if (RecordedUid().IsMatch(path)) path = RecordedUid().Replace(path, (await api.GetAsync(Job)).Json["metadata"]!["uid"]!.GetValue<string>());
        if (!RecordedVersion().IsMatch(path)) return path;
        var version = (await api.GetAsync("/apis/batch/v1/namespaces/ci/jobs")).Json["metadata"]!["resourceVersion"]!.GetValue<string>();
        return RecordedVersion().Replace(path, "resourceVersion=" + version);
    }

    private static async Task<(object? Body, string Type)> BodyAsync(ApiServer api, Exchange exchange)
    {
        var type = exchange.Headers.GetValueOrDefault("Content-Type", "application/json");
        switch (exchange.Verb)
        {
            // Recorded bodies that were cut, said again.
            case "create-cronjob":
                return (JsonNode.Parse("""
                    {"kind":"CronJob","apiVersion":"batch/v1","metadata":{"name":"verbcron"},"spec":{"schedule":"0 3 * * *","jobTemplate":{"metadata":{"name":"verbcron"},
                     "spec":{"template":{"spec":{"containers":[{"name":"verbcron","image":"busybox","command":["date"]}],"restartPolicy":"OnFailure"}}}}}}
                    """), "application/json");
            case "create-job-from" when exchange.Method == "POST":
                return (ApiServer.Job("verbfrom"), "application/json");
            case "apply-server-side" when exchange.Request.Cut:
                var metadata = (await api.GetAsync(Job)).Json["metadata"]!;
                foreach (var entry in metadata["managedFields"]!.AsArray().Where(entry => entry!["manager"]!.GetValue<string>() == "kubectl-client-side-apply").ToArray())
                {
                    metadata["managedFields"]!.AsArray().Remove(entry);
                }

                return (new JsonArray(
                    new JsonObject { ["op"] = "replace", ["path"] = "/metadata/managedFields", ["value"] = metadata["managedFields"]!.DeepClone() },
                    new JsonObject { ["op"] = "replace", ["path"] = "/metadata/resourceVersion", ["value"] = metadata["resourceVersion"]!.DeepClone() }), type);
            default:
                exchange.Request.Cut.ShouldBeFalse(exchange.ToString());
                return (exchange.Request.Bytes ?? (object?)(exchange.Request.Text.Length > 0 ? exchange.Request.Text : null), type);
        }
    }

    private static async Task PrepareAsync(ApiServer api)
    {
        (await api.PostAsync("/api/v1/namespaces?fieldManager=kubectl-create", """{"metadata":{"name":"ci"}}""")).ShouldBe(201);
        (await api.SendAsync("PATCH", Ci + "?fieldManager=kubectl-label", """{"metadata":{"labels":{"fabrik.dev/inject":"enabled"}}}""", "application/merge-patch+json")).ShouldBe(200);
    }

    // What controllers and node did between the requests.
    private static async Task AdvanceAsync(ApiServer api, Exchange next)
    {
        switch (next.Verb)
        {
            case "apply-again" when next.Path.StartsWith("/openapi", StringComparison.Ordinal) || next.Path.StartsWith("/api?", StringComparison.Ordinal):
                await StatusAsync(api, """{"startTime":"2026-11-20T21:45:43Z","active":1,"ready":0,"terminating":0,"uncountedTerminatedPods":{}}""");
                if ((await api.GetAsync(Ci + "/pods/verb-n6r42")).Code == 404) await RunPodAsync(api);
                break;
            case "logs" when next.Path.StartsWith("/api?", StringComparison.Ordinal):
                await StatusAsync(api, """
                    {"startTime":"2026-11-20T21:45:43Z","completionTime":"2026-11-20T21:45:48Z","active":null,"succeeded":1,"ready":0,"terminating":0,"uncountedTerminatedPods":{},
                     "conditions":[{"type":"SuccessCriteriaMet","status":"True","lastProbeTime":"2026-11-20T21:45:48Z","lastTransitionTime":"2026-11-20T21:45:48Z","reason":"CompletionsReached","message":"Reached expected number of succeeded pods"},
                      {"type":"Complete","status":"True","lastProbeTime":"2026-11-20T21:45:48Z","lastTransitionTime":"2026-11-20T21:45:48Z","reason":"CompletionsReached","message":"Reached expected number of succeeded pods"}]}
                    """);
                break;
        }
    }

    private static async Task StatusAsync(ApiServer api, string status) =>
        (await api.SendAsync("PATCH", Job + "/status?fieldManager=kcm", $$"""{"status":{{status}}}""", "application/merge-patch+json")).ShouldBe(200);

    private static async Task RunPodAsync(ApiServer api)
    {
        var job = (await api.GetAsync(Job)).Json;
        var uid = job["metadata"]!["uid"]!.GetValue<string>();
        (await api.PostAsync(Ci + "/pods?fieldManager=kcm", $$$"""
            {"metadata":{"name":"verb-n6r42","generateName":"verb-","labels":{{{job["spec"]!["template"]!["metadata"]!["labels"]!.ToJsonString()}}},"annotations":{"sim/seconds":"3"},
              "finalizers":["batch.kubernetes.io/job-tracking"],
              "ownerReferences":[{"apiVersion":"batch/v1","kind":"Job","name":"verb","uid":"{{{uid}}}","controller":true,"blockOwnerDeletion":true}]},
             "spec":{"restartPolicy":"Never","containers":[{"name":"main","image":"busybox"}]}}
            """)).ShouldBe(201);
        (await api.PostAsync(Ci + "/pods/verb-n6r42/binding", """{"target":{"kind":"Node","name":"sim-node"}}""")).ShouldBe(201);
        (await api.SendAsync("PATCH", Ci + "/pods/verb-n6r42/status?fieldManager=node", """{"status":{"phase":"Running","podIP":"10.1.0.2"}}""", "application/merge-patch+json")).ShouldBe(200);
        (await api.PostAsync(Ci + "/events?fieldManager=kcm", $$"""
            {"metadata":{"generateName":"verb."},"involvedObject":{"kind":"Job","namespace":"ci","name":"verb","uid":"{{uid}}","apiVersion":"batch/v1","resourceVersion":"{{job["metadata"]!["resourceVersion"]}}"},
             "reason":"SuccessfulCreate","message":"Created pod: verb-n6r42","type":"Normal","count":1,"firstTimestamp":"2026-11-20T21:45:43Z","lastTimestamp":"2026-11-20T21:45:43Z",
             "source":{"component":"job-controller"},"reportingComponent":"job-controller"}
            """)).ShouldBe(201);
    }

    [GeneratedRegex("(?<=involvedObject.uid%3D|controller-uid%3D)[0-9a-f-]{36}", RegexOptions.None, matchTimeoutMilliseconds: 1000)]
    private static partial Regex RecordedUid();

    [GeneratedRegex("(?<![A-Za-z])resourceVersion=[1-9][0-9]*", RegexOptions.None, matchTimeoutMilliseconds: 1000)]
    private static partial Regex RecordedVersion();
}
