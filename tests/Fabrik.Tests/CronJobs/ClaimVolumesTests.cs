using System.Text.Json.Nodes;
using Fabrik.CronJobs;
using Fabrik.Kubernetes;
using Fabrik.Runs;
using Fabrik.Tests.Admission;
using Fabrik.Tests.Cli;
using Fabrik.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Logging;

namespace Fabrik.Tests.CronJobs;

/// <summary>The process on an API server that has no other controller: what it makes for Jobs as the webhook leaves them, and what it leaves alone.</summary>
public sealed class ClaimVolumesTests : IAsyncLifetime
{
    private readonly ClusterOfObjects cluster = new();
    private readonly TestClock clock = new(TimeProvider.System.GetUtcNow());
    private readonly DirectoryInfo home = Directory.CreateTempSubdirectory("fabrik-claims-");

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_job_gets_the_claim_that_its_record_says_and_owns_it()
    {
        var (job, name) = await JobAsync("train");
        await using (await SchedulerAsync())
        {
            var claim = await ClaimAsync(name);
            claim.Json.GetProperty("spec").GetProperty("resources").GetProperty("requests").GetProperty("storage").GetString().ShouldBe("5Gi");
            claim.Json.GetProperty("spec").GetProperty("accessModes")[0].GetString().ShouldBe("ReadWriteOnce");
            var owner = claim.Json.GetProperty("metadata").GetProperty("ownerReferences")[0];
            (owner.GetProperty("kind").GetString(), owner.GetProperty("uid").GetString()).ShouldBe(("Job", job.Uid));
        }

        // Another that knows nothing finds it; one that was deleted is made again.
        var first = (await ClaimAsync(name)).Uid;
        await using (await SchedulerAsync())
        {
            await ClaimAsync((await JobAsync("next")).Claim);
            (await ClaimAsync(name)).Uid.ShouldBe(first);
            await cluster.Client.DeleteAsync(Kinds.PersistentVolumeClaim, "ci", name, Cancel);
            (await ClaimAsync(name)).Uid.ShouldNotBe(first);
        }

        (await EventsAsync()).ShouldBeEmpty();
    }

    /// <summary>The claim of a Job that was created behind all of them is made last.</summary>
    [Fact]
    public async Task A_record_that_is_not_signed_or_not_the_jobs_own_makes_no_claim_and_neither_does_a_job_that_waits_or_has_ended()
    {
        await JobAsync("forged", job => Annotate(job, job["metadata"]!["annotations"]![Names.Annotations.Assignment]!.GetValue<string>().Replace("5Gi", "9Gi", StringComparison.Ordinal)));
        await JobAsync("other-claim", job => job["spec"]!["template"]!["spec"]!["volumes"]![0]!["persistentVolumeClaim"]!["claimName"] = "fabrik-resume-aaaaaaaaaaaaaaaaaaaaaaaaaa");
        await JobAsync("renamed", job => job["metadata"]!["name"] = "renamed-copy");
        await JobAsync("suspended", job => job["spec"]!["suspend"] = true);
        await JobAsync("ended");
        var over = TimeProvider.System.GetUtcNow().ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", System.Globalization.CultureInfo.InvariantCulture);
        await cluster.Client.PatchAsync(Kinds.Job, "ci", "ended", PatchType.Merge, new JsonObject
        {
            ["status"] = new JsonObject
            {
                ["startTime"] = over,
                ["failed"] = 1,
                ["conditions"] = new JsonArray([.. new[] { "FailureTarget", "Failed" }.Select(type => (JsonNode)new JsonObject { ["type"] = type, ["status"] = "True", ["reason"] = "BackoffLimitExceeded", ["message"] = "", ["lastTransitionTime"] = over })]),
            },
        }, Cancel, new WriteOptions { Subresource = "status" });
        var (_, last) = await JobAsync("last");
        await using var scheduler = await SchedulerAsync();
        await ClaimAsync(last);
        (await ClaimsAsync()).Select(claim => claim.Name).ShouldBe([last]);

        await cluster.Client.PatchAsync(Kinds.Job, "ci", "suspended", PatchType.Merge, new JsonObject { ["spec"] = new JsonObject { ["suspend"] = false } }, Cancel);
        await Wait.UntilAsync("the claim of the Job that goes on", async () => (await ClaimsAsync()).Count == 2);
    }

    [Fact]
    public async Task What_keeps_a_claim_from_being_made_is_told_once_and_it_is_made_when_that_is_gone()
    {
        await cluster.Client.CreateAsync(Kinds.ResourceQuota, "ci", new JsonObject
        {
            ["apiVersion"] = "v1",
            ["kind"] = "ResourceQuota",
            ["metadata"] = new JsonObject { ["name"] = "none" },
            ["spec"] = new JsonObject { ["hard"] = new JsonObject { ["persistentvolumeclaims"] = "0" } },
        }, Cancel);
        var (job, name) = await JobAsync("train");
        await using (await SchedulerAsync()) await Wait.UntilAsync("an Event", async () => (await EventsAsync()).Count == 1);
        await using var scheduler = await SchedulerAsync();
        await ClaimAsync((await JobAsync("behind-it", ns: "free")).Claim, "free");
        var told = (await EventsAsync()).ShouldHaveSingleItem().Json;
        told.GetProperty("involvedObject").GetProperty("uid").GetString().ShouldBe(job.Uid);
        told.GetProperty("message").GetString()!.ShouldContain("exceeded quota: none");
        told.GetProperty("message").GetString()!.ShouldContain("Next: ");

        await cluster.Client.DeleteAsync(Kinds.ResourceQuota, "ci", "none", Cancel);
        clock.Jump(TimeSpan.FromMinutes(1));
        await ClaimAsync(name);
    }

    [Fact]
    public async Task A_claim_of_somebody_else_is_left_as_it_is_and_one_that_waits_for_a_class_is_told()
    {
        var (_, taken) = await JobAsync("taken");
        await cluster.Client.CreateAsync(Kinds.PersistentVolumeClaim, "ci", new JsonObject
        {
            ["apiVersion"] = "v1",
            ["kind"] = "PersistentVolumeClaim",
            ["metadata"] = new JsonObject { ["name"] = taken },
            ["spec"] = new JsonObject { ["accessModes"] = new JsonArray("ReadWriteMany"), ["resources"] = new JsonObject { ["requests"] = new JsonObject { ["storage"] = "1Gi" } } },
        }, Cancel);
        var before = (await ClaimAsync(taken)).Json.GetProperty("metadata").GetProperty("resourceVersion").GetString();
        var (_, waits) = await JobAsync("waits");
        await using var scheduler = await SchedulerAsync();
        await ClaimAsync(waits);
        clock.Jump(ResumeClaims.Patience + TimeSpan.FromSeconds(5));
        await Wait.UntilAsync("both Events", async () => (await EventsAsync()).Count == 2);
        (await EventsAsync()).Select(one => $"{one.Json.GetProperty("involvedObject").GetProperty("name")} {one.Json.GetProperty("reason")}").Order(StringComparer.Ordinal).ShouldBe(["taken ResumeVolumeTaken", "waits ResumeVolumeWithoutClass"]);
        (await ClaimAsync(taken)).Json.GetProperty("metadata").GetProperty("resourceVersion").GetString().ShouldBe(before);
    }

    public async ValueTask InitializeAsync()
    {
        await cluster.InitializeAsync();
        foreach (var ns in (string[])["ci", "free"])
            await cluster.Client.CreateAsync(Kinds.Namespace, null, new JsonObject { ["apiVersion"] = "v1", ["kind"] = "Namespace", ["metadata"] = new JsonObject { ["name"] = ns } }, Cancel);
    }

    public async ValueTask DisposeAsync()
    {
        await cluster.DisposeAsync();
        home.Delete(recursive: true);
    }

    /// <summary>As the webhook leaves it, then as somebody else changes it.</summary>
    private async Task<(KubeObject Job, string Claim)> JobAsync(string name, Action<JsonObject>? change = null, string ns = "ci")
    {
        var review = JsonNode.Parse(TestData.Bytes("admission/reviews/jobs-create-ok-job.json"))!;
        (review["request"]!["uid"], review["request"]!["object"]!["metadata"]!["name"]) = ($"unit-of-{name}", name);
        (review["request"]!["namespace"], review["request"]!["object"]!["metadata"]!["namespace"]) = (ns, ns);
        review["request"]!["object"]!["metadata"]!["annotations"] = new JsonObject { [Names.Annotations.Resume] = "5Gi" };
        var job = Reviewed.Of(review, Snapshots.Of("""{"namespaces": {"ci": {"fabrik.dev/enabled": "true"}, "free": {}}}""")).After;
        job.Remove("status");
        foreach (var own in (string[])["uid", "creationTimestamp", "generation", "managedFields", "resourceVersion"]) job["metadata"]!.AsObject().Remove(own);
        job["spec"]!.AsObject().Remove("selector");
        foreach (var labels in (JsonNode?[])[job["metadata"]!["labels"], job["spec"]!["template"]!["metadata"]!["labels"]])
            foreach (var key in labels!.AsObject().Select(label => label.Key).Where(key => key.Contains("controller-uid", StringComparison.Ordinal) || key.Contains("job-name", StringComparison.Ordinal)).ToList()) labels.AsObject().Remove(key);
        var claim = job["spec"]!["template"]!["spec"]!["volumes"]![0]!["persistentVolumeClaim"]!["claimName"]!.GetValue<string>();
        change?.Invoke(job);
        return (await cluster.Client.CreateAsync(Kinds.Job, ns, job, Cancel), claim);
    }

    private static void Annotate(JsonObject job, string record) => job["metadata"]!["annotations"]![Names.Annotations.Assignment] = record;

    private async Task<Running> SchedulerAsync()
    {
        var keys = Path.Combine(home.FullName, "keys");
        await File.WriteAllTextAsync(keys, Reviewed.KeyText, Cancel);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddFabrikCronJobs(new CronJobsOptions
        {
            Cluster = ClusterConfig.FromKubeconfig(cluster.Kubeconfig),
            DataDirectory = Path.Combine(home.FullName, "data"),
            MetricsPort = 0,
            LoopbackOnly = true,
            AssignmentKeyFile = keys,
            ClusterClock = clock,
        });
        var app = builder.Build();
        app.MapFabrikCronJobs();
        await app.StartAsync(Cancel);
        return new Running(app);
    }

    private async Task<KubeObject> ClaimAsync(string name, string ns = "ci") =>
        await Wait.ForAsync($"claim {name}", async () => (await ClaimsAsync(ns)).Find(claim => claim.Name == name));

    private async Task<List<KubeObject>> ClaimsAsync(string ns = "ci") => await cluster.Client.ListAsync(Kinds.PersistentVolumeClaim, ns, Cancel).ToListAsync(Cancel);

    private async Task<List<KubeObject>> EventsAsync() => await cluster.Client.ListAsync(Kinds.Event, "ci", Cancel).ToListAsync(Cancel);

    private sealed class Running(WebApplication app) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync()
        {
            await app.StopAsync();
            await app.DisposeAsync();
        }
    }
}
