using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json.Nodes;
using Fabrik.Kubernetes;
using Microsoft.Extensions.Logging;

namespace Fabrik.Sandbox.Controllers;

/// <summary>Brings Pods about for Jobs and writes how the Jobs fare. One at a time may run against an API server.</summary>
internal sealed class JobController
{
    private const string Component = "job-controller";

    /// <summary>Several changes of a Job's Pods within this time make one status.</summary>
    private static readonly TimeSpan Batch = TimeSpan.FromSeconds(1);
    private readonly KubernetesClient client;
    private readonly TimeProvider clock;
    private readonly EventRecorder events;
    private readonly WorkQueue queue;
    private readonly Informer jobs, podInformer;
    private readonly JobPods pods = new();

    /// <summary>What this controller wrote last, for as long as the watch has not caught up.</summary>
    private readonly ConcurrentDictionary<string, KubeObject> written = new();
    private readonly ConcurrentDictionary<string, IReadOnlySet<string>> counted = new();

    public JobController(KubernetesClient client, TimeProvider clock, EventRecorder events, ILogger log)
    {
        (this.client, this.clock, this.events) = (client, clock, events);
        queue = new WorkQueue(clock, "jobs", SyncAsync, log);
        jobs = new Informer(client, Kinds.Job, TimeProvider.System, new InformerOptions { OnEvent = OnJob });
        podInformer = new Informer(client, Kinds.Pod, TimeProvider.System, new InformerOptions { OnEvent = OnPod });
    }

    public async Task RunAsync(CancellationToken ct)
    {
        var watching = Task.WhenAll(jobs.RunAsync(ct), podInformer.RunAsync(ct));
        await Task.WhenAll(jobs.WaitForSyncAsync(ct), podInformer.WaitForSyncAsync(ct));
        await Task.WhenAll(watching, queue.RunAsync(8, ct));
    }

    private void OnJob(WatchEvent change)
    {
        if (change.Type == WatchEventType.Deleted && change.Object.Uid is { } uid)
        {
            written.TryRemove(uid, out _);
            counted.TryRemove(uid, out _);
            pods.Forget(uid);
        }

        queue.Add(change.Object.Key);
    }

    private void OnPod(WatchEvent change)
    {
        if (pods.Saw(change) is not { } job) return;
        queue.Add(job, Batch);

        // Pods of a Job that is gone concern nobody any more.
        if (change.Type == WatchEventType.Deleted && change.Object.Json.Controller("Job") is var (_, owner)
            && !(jobs.Items.TryGetValue(job, out var known) && known.Uid == owner))
            pods.Forget(owner);
    }

    private async Task<TimeSpan?> SyncAsync(string key, CancellationToken ct)
    {
        if (!jobs.Items.TryGetValue(key, out var job) || job.Uid is not { } uid || job.DeletionTimestamp is not null) return null;
        if (written.TryGetValue(uid, out var mine))
        {
            if (Version(mine) > Version(job)) job = mine;
            else written.TryRemove(uid, out _);
        }

        var plan = JobDecision.Decide(new JobView(job), pods.Views(uid), counted.GetValueOrDefault(uid), clock.GetUtcNow());
        if (plan.DeleteJob)
        {
            var background = new DeleteOptions { PropagationPolicy = "Background", Preconditions = new Preconditions(Uid: uid) };
            await Unless404(client.DeleteAsync(Kinds.Job, job.Namespace, job.Name, ct, background));
            return null;
        }

        foreach (var pod in plan.Delete) await DeleteAsync(job, uid, pod, ct);
        var (created, refused) = await CreateAsync(job, uid, plan.Create, ct);
        if (plan.Status is { } status && await WriteAsync(job, status, plan.Create.Count - created, ct) is null) return TimeSpan.FromSeconds(1);

        counted[uid] = plan.Counted.ToHashSet();
        pods.Forget(uid, plan.Counted);
        foreach (var (type, reason, message) in plan.Events) events.Tell(job, Component, type, reason, message);
        return refused is null ? plan.CheckAfter : throw refused;
    }

    private async Task DeleteAsync(KubeObject job, string uid, PodView pod, CancellationToken ct)
    {
        await Unless404(client.DeleteAsync(Kinds.Pod, job.Namespace, pod.Name, ct, new DeleteOptions { Preconditions = new Preconditions(Uid: pod.Uid) }));
        pods.Deleted(uid, pod.Uid);
        events.Tell(job, Component, "Normal", "SuccessfulDelete", $"Deleted pod: {pod.Name}");
    }

    private async Task<(int Created, KubernetesException? Refused)> CreateAsync(KubeObject job, string uid, IReadOnlyList<int?> indexes, CancellationToken ct)
    {
        KubernetesException? refused = null;
        var created = 0;
        await Parallel.ForEachAsync(indexes, new ParallelOptions { MaxDegreeOfParallelism = 8, CancellationToken = ct }, async (index, token) =>
        {
            if (refused is not null) return;
            try
            {
                var pod = await client.CreateAsync(Kinds.Pod, job.Namespace, PodOf(job, index), token);
                pods.Created(uid, pod);
                Interlocked.Increment(ref created);
                events.Tell(job, Component, "Normal", "SuccessfulCreate", $"Created pod: {pod.Name}");
            }
            catch (KubernetesException error)
            {
                refused = error;
                if (error.Code != 0) events.Tell(job, Component, "Warning", "FailedCreate", $"Error creating: {error.StatusMessage}");
            }
        });
        return (created, refused);
    }

    /// <summary>Null when the object has changed meanwhile: the watch brings the newer one.</summary>
    private async Task<KubeObject?> WriteAsync(KubeObject job, JsonObject status, int missing, CancellationToken ct)
    {
        if (missing > 0)
        {
            var active = (int?)status["active"] - missing;
            if (active > 0) status["active"] = active;
            else status.Remove("active");
        }

        var body = job.ToNode();
        body["status"] = status;
        try
        {
            return written[job.Uid!] = await client.ReplaceAsync(Kinds.Job, job.Namespace, job.Name, body, ct, new WriteOptions { Subresource = "status" });
        }
        catch (KubernetesException error) when (error.IsConflict || error.IsNotFound)
        {
            return null;
        }
    }

    internal static JsonObject PodOf(KubeObject job, int? index)
    {
        const string Index = PodView.IndexAnnotation;
        var template = job.Json.At("spec", "template");
        var metadata = new JsonObject
        {
            ["generateName"] = index is null ? $"{job.Name}-" : $"{job.Name}-{index}-",
            ["namespace"] = job.Namespace,
            ["ownerReferences"] = new JsonArray(new JsonObject
            {
                ["apiVersion"] = "batch/v1",
                ["kind"] = "Job",
                ["name"] = job.Name,
                ["uid"] = job.Uid,
                ["controller"] = true,
                ["blockOwnerDeletion"] = true,
            }),
        };
        if (template.At("metadata", "labels").Copy() is { } labels) metadata["labels"] = labels;
        if (template.At("metadata", "annotations").Copy() is { } annotations) metadata["annotations"] = annotations;
        var spec = (JsonObject)template.At("spec").Copy()!;
        if (index is { } number)
        {
            var text = number.ToString(CultureInfo.InvariantCulture);
            (metadata["annotations"] ??= new JsonObject())[Index] = text;
            (metadata["labels"] ??= new JsonObject())[Index] = text;
            if (spec["hostname"] is null) spec["hostname"] = $"{job.Name}-{text}";
            foreach (var container in new[] { spec["containers"], spec["initContainers"] }.OfType<JsonArray>().SelectMany(list => list).OfType<JsonObject>())
            {
                if (container["env"] is not JsonArray env) container["env"] = env = [];
                if (env.Any(variable => (string?)variable?["name"] == "JOB_COMPLETION_INDEX")) continue;
                var field = new JsonObject { ["apiVersion"] = "v1", ["fieldPath"] = $"metadata.labels['{Index}']" };
                env.Add(new JsonObject { ["name"] = "JOB_COMPLETION_INDEX", ["valueFrom"] = new JsonObject { ["fieldRef"] = field } });
            }
        }

        return new JsonObject { ["apiVersion"] = "v1", ["kind"] = "Pod", ["metadata"] = metadata, ["spec"] = spec };
    }

    private static async Task Unless404(Task deletion)
    {
        try
        {
            await deletion;
        }
        catch (KubernetesException error) when (error.IsNotFound || error.IsConflict)
        {
            // Gone, or another object of that name: either way nothing is left to delete.
        }
    }

    private static ulong Version(KubeObject of) => ulong.TryParse(of.ResourceVersion, CultureInfo.InvariantCulture, out var version) ? version : 0;
}
