using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.Kubernetes;

namespace Fabrik.Tests.EndToEnd;

[Collection(ClusterFixture.Collection)]
public sealed class MainJobTests(ClusterFixture cluster)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Plain_jobs_get_an_arm_and_its_memory_at_creation_and_each_is_remembered_once()
    {
        var ns = await cluster.NamespaceAsync("plain");
        var change = await ExperimentAsync(ns);

        // 19 % treated: that none of 60 is has a chance of 1 in 300,000.
        var jobs = new List<KubeObject>();
        for (var number = 0; number < 60; number++)
            jobs.Add(await cluster.Client.CreateAsync(Kinds.Job, ns, number % 2 == 0 ? Jobs.Named($"plain-{number}") : Jobs.Generated("generated-"), Cancel));

        jobs.ShouldAllBe(job => job.Arm() != null);
        jobs.ShouldContain(job => job.Arm() == "treatment");
        jobs.ShouldContain(job => job.Arm() == "control");
        foreach (var job in jobs)
        {
            job.MemoryLimit().ShouldBe(job.Arm() == "treatment" ? "4Gi" : "2Gi");
            job.Label(Names.Labels.Experiment).ShouldBe(job.Arm() == "holdout" ? null : change);
        }

        var runs = await RunsAsync(ns, jobs.Count);
        runs.Select(run => run.GetProperty("id").GetString()).Order().ShouldBe(jobs.Select(job => job.Uid).Order());
        foreach (var run in runs)
            run.GetProperty("arm").GetString().ShouldBe(jobs.Single(job => job.Uid == run.GetProperty("id").GetString()).Arm());
        await cluster.EndAsync(change);
    }

    [Fact]
    public async Task Jobs_of_a_cronjob_get_an_arm_each_and_keep_their_owner()
    {
        var ns = await cluster.NamespaceAsync("cron");
        var change = await ExperimentAsync(ns);
        var template = new JsonObject { ["spec"] = Jobs.Spec("2Gi") };
        await cluster.Client.CreateAsync(Kinds.CronJob, ns, new JsonObject
        {
            ["apiVersion"] = "batch/v1",
            ["kind"] = "CronJob",
            ["metadata"] = new JsonObject { ["name"] = "nightly" },
            ["spec"] = new JsonObject { ["schedule"] = "* * * * *", ["jobTemplate"] = template },
        }, Cancel);

        var job = await Wait.ForAsync("the CronJob's first Job", async () => await FirstAsync(ns), TimeSpan.FromSeconds(100));

        job.Arm().ShouldNotBeNull();
        var runs = await RunsAsync(ns, 1);
        runs.ShouldContain(run => run.GetProperty("owner").GetString() == "CronJob/nightly");
        await cluster.Client.DeleteAsync(Kinds.CronJob, ns, "nightly", Cancel);
        await cluster.EndAsync(change);
    }

    [Fact]
    public async Task A_copy_of_a_treated_job_starts_from_the_original_values_and_draws_its_own_arm()
    {
        var ns = await cluster.NamespaceAsync("copy");
        var change = await ExperimentAsync(ns);
        var treated = await TreatedAsync(ns);

        var copies = new List<KubeObject>();
        for (var number = 0; number < 40; number++)
        {
            var copy = Jobs.Copied(treated, $"copy-{number}");
            copies.Add(await cluster.Client.CreateAsync(Kinds.Job, ns, copy, Cancel));
        }

        copies.Select(copy => copy.Label(Names.Labels.RunId)).Distinct().Count().ShouldBe(40);
        copies.ShouldNotContain(copy => copy.Label(Names.Labels.RunId) == treated.Label(Names.Labels.RunId));
        foreach (var copy in copies) copy.MemoryLimit().ShouldBe(copy.Arm() == "treatment" ? "4Gi" : "2Gi");
        copies.ShouldContain(copy => copy.Arm() == "control");
        await cluster.EndAsync(change);
    }

    [Fact]
    public async Task A_manifest_applied_twice_leaves_the_treated_job_as_it_is()
    {
        var ns = await cluster.NamespaceAsync("apply");
        var change = await ExperimentAsync(ns);
        for (var number = 0; number < 40; number++)
        {
            var manifest = Jobs.Named($"applied-{number}");
            var options = new WriteOptions { FieldManager = "e2e" };
            var first = await cluster.Client.PatchAsync(Kinds.Job, ns, $"applied-{number}", PatchType.Apply, manifest.DeepClone(), Cancel, options);

            var again = await cluster.Client.PatchAsync(Kinds.Job, ns, $"applied-{number}", PatchType.Apply, manifest.DeepClone(), Cancel, options with { Force = true });
            var merged = await cluster.Client.PatchAsync(Kinds.Job, ns, $"applied-{number}", PatchType.Strategic, new JsonObject { ["spec"] = manifest["spec"]!.DeepClone() }, Cancel);

            again.MemoryLimit().ShouldBe(first.MemoryLimit());
            merged.MemoryLimit().ShouldBe(first.MemoryLimit());
            merged.Annotation(Names.Annotations.Assignment).ShouldBe(first.Annotation(Names.Annotations.Assignment));
        }

        await cluster.EndAsync(change);
    }

    [Fact]
    public async Task A_dry_run_shows_the_arm_and_leaves_nothing()
    {
        var ns = await cluster.NamespaceAsync("dry");
        var change = await ExperimentAsync(ns);

        var shown = await cluster.Client.CreateAsync(Kinds.Job, ns, Jobs.Named("dry"), Cancel, new WriteOptions { DryRun = true });

        shown.Annotation(Names.Annotations.Assignment).ShouldNotBeNull();
        await Should.ThrowAsync<KubernetesException>(cluster.Client.GetAsync(Kinds.Job, ns, "dry", Cancel));
        await cluster.EndAsync(change);
    }

    [Fact]
    public async Task A_job_opts_in_and_out_by_its_annotation()
    {
        var closed = await cluster.NamespaceAsync("closed", enabled: false);
        var open = await cluster.NamespaceAsync("open");

        foreach (var ns in (string[])[closed, open]) await KnownAsync(ns);

        var silent = await cluster.Client.CreateAsync(Kinds.Job, closed, Jobs.Named("silent"), Cancel);
        var optedIn = await cluster.Client.CreateAsync(Kinds.Job, closed, Annotated("in", "true"), Cancel);
        var optedOut = await cluster.Client.CreateAsync(Kinds.Job, open, Annotated("out", "false"), Cancel);

        silent.Label(Names.Labels.RunId).ShouldBeNull();
        optedIn.Label(Names.Labels.RunId).ShouldNotBeNull();
        optedOut.Label(Names.Labels.RunId).ShouldBeNull();
    }

    [Fact]
    public async Task An_applied_change_reaches_every_job_but_the_holdout()
    {
        var ns = await cluster.NamespaceAsync("rollout");
        var change = await cluster.MemoryExperimentAsync(ns, "applied");
        await Wait.UntilAsync("the webhook to see the change", async () => (await ProbeAsync(ns)).Arm() == "applied");

        for (var number = 0; number < 20; number++)
        {
            var job = await cluster.Client.CreateAsync(Kinds.Job, ns, Jobs.Named($"rolled-{number}"), Cancel);
            job.MemoryLimit().ShouldBe(job.Arm() == "holdout" ? "2Gi" : "4Gi");
            job.Arm().ShouldBeOneOf("applied", "holdout");
        }

        await cluster.EndAsync(change);
    }

    private static JsonObject Annotated(string name, string optimize)
    {
        var job = Jobs.Named(name);
        job["metadata"]!["annotations"] = new JsonObject { [Names.Annotations.Optimize] = optimize };
        return job;
    }

    private async Task<string> ExperimentAsync(string ns)
    {
        var change = await cluster.MemoryExperimentAsync(ns);
        await Wait.UntilAsync("the webhook to see the change", async () => (await ProbeAsync(ns)).Arm() is "treatment" or "control");
        return change;
    }

    /// <summary>A dry run tells what the webhook would do and leaves nothing behind.</summary>
    private Task<KubeObject> ProbeAsync(string ns) => cluster.Client.CreateAsync(Kinds.Job, ns, Jobs.Named("probe"), Cancel, new WriteOptions { DryRun = true });

    /// <summary>A Job that comes in the same instant as its namespace is left alone: the webhook has not heard of the namespace yet.</summary>
    private Task KnownAsync(string ns) => Wait.UntilAsync("the webhook to know the namespace", async () =>
        (await cluster.Client.CreateAsync(Kinds.Job, ns, Annotated("probe", "true"), Cancel, new WriteOptions { DryRun = true })).Annotation(Names.Annotations.Assignment) is not null);

    private async Task<KubeObject> TreatedAsync(string ns)
    {
        for (var number = 0; number < 100; number++)
        {
            var job = await cluster.Client.CreateAsync(Kinds.Job, ns, Jobs.Named($"candidate-{number}"), Cancel);
            if (job.Arm() == "treatment") return job;
        }

        throw new InvalidOperationException("none of 100 Jobs was treated");
    }

    private async Task<KubeObject?> FirstAsync(string ns)
    {
        await foreach (var job in cluster.Client.ListAsync(Kinds.Job, ns, Cancel)) return job;
        return null;
    }

    /// <summary>What `fabrik runs list` prints once it has this many runs; then it must have no more.</summary>
    private async Task<IReadOnlyList<JsonElement>> RunsAsync(string ns, int atLeast) =>
        await Wait.ForAsync($"{atLeast} runs in {ns}", async () =>
        {
            var listed = await cluster.FabrikAsync("runs", "list", "-n", ns, "-o", "json");
            listed.Code.ShouldBe(0, listed.Error);
            var items = JsonDocument.Parse(listed.Out).RootElement.GetProperty("items").EnumerateArray().ToList();
            return items.Count >= atLeast ? items : null;
        });
}
