using System.Text.Json.Nodes;
using Fabrik.Kubernetes;

namespace Fabrik.Tests.EndToEnd;

/// <summary>A Job that loses its Pod and goes on: webhook, scheduler and whatever runs Pods here.</summary>
[Collection(ClusterFixture.Collection)]
public sealed class ResumeTests(ClusterFixture cluster)
{
    private const string Checkpoint = Names.Paths.Resume + "/step";

    /// <summary>What a container does, where one runs: the first ends in the midst of its work.</summary>
    private const string Step = """
        if [ -e "$FABRIK_RESUME_DIR/step" ]; then echo "goes on from $(cat "$FABRIK_RESUME_DIR/step")"; exit 0; fi
        echo begins
        echo half > "$FABRIK_RESUME_DIR/step"
        exit 1
        """;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_second_pod_reads_what_the_first_wrote_before_it_was_evicted_and_the_volume_goes_with_the_job()
    {
        if (cluster.Containers && !await HasDefaultClassAsync()) Assert.Skip("this cluster's nodes have no default StorageClass: no volume would ever be made");
        var ns = await cluster.NamespaceAsync("resume");
        var job = await JobAsync(ns, cluster.Real ? "20s" : "20m");
        var pod = job.Json.GetProperty("spec").GetProperty("template").GetProperty("spec");
        var name = pod.GetProperty("volumes")[0].GetProperty("persistentVolumeClaim").GetProperty("claimName").GetString()!;
        name.ShouldBe($"{Names.Objects.ResumeVolume}-{job.Label(Names.Labels.RunId)}");
        pod.GetProperty("containers")[0].GetProperty("volumeMounts").EnumerateArray().Single(mount => mount.GetProperty("name").GetString() == Names.Objects.ResumeVolume).GetProperty("mountPath").GetString().ShouldBe(Names.Paths.Resume);
        job.Environment()[Names.Variables.ResumeDirectory].ShouldBe(Names.Paths.Resume);
        pod.GetProperty("securityContext").GetProperty("fsGroup").GetInt64().ShouldBe(1000);

        var claim = await Wait.ForAsync("its claim", () => FindAsync(ns, name));
        var owner = claim.Json.GetProperty("metadata").GetProperty("ownerReferences").EnumerateArray().ShouldHaveSingleItem();
        (owner.GetProperty("kind").GetString(), owner.GetProperty("uid").GetString()).ShouldBe(("Job", job.Uid));
        if (cluster.Containers || !cluster.Real)
        {
            await Wait.UntilAsync("the Job to complete", async () => Ended(await cluster.Client.GetAsync(Kinds.Job, ns, "train", Cancel)), TimeSpan.FromMinutes(2));
            var pods = new List<KubeObject>();
            await foreach (var one in cluster.Client.ListAsync(Kinds.Pod, ns, Cancel)) pods.Add(one);
            var logs = new List<string>();
            foreach (var one in pods.OrderBy(one => one.CreationTimestamp)) logs.Add($"{one.Json.GetProperty("status").GetProperty("phase")}: {await cluster.Client.LogsAsync(ns, one.Name, Cancel)}");
            logs.ShouldBe(cluster.Containers ? ["Failed: begins\n", "Succeeded: goes on from half\n"] : [$"Failed: nothing at {Checkpoint}: begins\n", $"Succeeded: read from {Checkpoint}: 600s are done\n"]);
            (await cluster.Client.GetAsync(Kinds.PersistentVolumeClaim, ns, name, Cancel)).Uid.ShouldBe(claim.Uid, "an ended Job keeps it");
        }

        await cluster.Client.DeleteAsync(Kinds.Job, ns, "train", Cancel, new DeleteOptions { PropagationPolicy = "Background" });
        await Wait.UntilAsync("its claim to go", async () => await FindAsync(ns, name) is null);
    }

    private async Task<KubeObject> JobAsync(string ns, string duration)
    {
        var job = Jobs.Named("train");
        job["metadata"]!["annotations"] = new JsonObject { [Names.Annotations.Resume] = "1Gi" };
        job["spec"]!["backoffLimit"] = 3;
        var annotations = job["spec"]!["template"]!["metadata"]!["annotations"]!;
        annotations[Names.Annotations.SandboxDuration] = duration;
        annotations[Names.Annotations.SandboxEvict] = "0.5,false";
        annotations[Names.Annotations.SandboxCheckpoint] = Checkpoint;
        if (cluster.Containers) job["spec"]!["template"]!["spec"]!["containers"]![0]!["command"] = new JsonArray("sh", "-ec", Step);
        await Wait.UntilAsync("the webhook to know the namespace", async () =>
            (await cluster.Client.CreateAsync(Kinds.Job, ns, job.DeepClone(), Cancel, new WriteOptions { DryRun = true })).Label(Names.Labels.RunId) is not null);
        return await cluster.Client.CreateAsync(Kinds.Job, ns, job, Cancel);
    }

    private async Task<bool> HasDefaultClassAsync() =>
        await cluster.Client.ListAsync(Kinds.StorageClass, null, Cancel).AnyAsync(one => one.Annotation("storageclass.kubernetes.io/is-default-class") == "true", Cancel);

    private async Task<KubeObject?> FindAsync(string ns, string name)
    {
        await foreach (var one in cluster.Client.ListAsync(Kinds.PersistentVolumeClaim, ns, Cancel))
            if (one.Name == name) return one;
        return null;
    }

    private static bool Ended(KubeObject job) =>
        job.Json.GetProperty("status").TryGetProperty("conditions", out var conditions) && conditions.EnumerateArray().Any(one => one.GetProperty("type").GetString() == "Complete" && one.GetProperty("status").GetString() == "True");
}
