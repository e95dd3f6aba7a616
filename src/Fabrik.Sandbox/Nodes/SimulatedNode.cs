using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Fabrik.Kubernetes;
using Fabrik.Sandbox.Controllers;
using Fabrik.Sandbox.Worlds;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fabrik.Sandbox.Nodes;

public sealed record SimulatedNodeOptions
{
    /// <summary>Assigns Pods to the node itself. False where the cluster has a scheduler of its own.</summary>
    public bool Schedules { get; init; } = true;

    /// <summary>Pods that somebody else runs on this node: they are bound and take room, and nothing more is done with them.</summary>
    public Func<KubeObject, bool> PlayedElsewhere { get; init; } = _ => false;

    /// <summary>Where API servers reach the node for logs and ports; null: nowhere.</summary>
    public int? KubeletPort { get; init; }

    /// <summary>What a container has written, beside what the sandbox's API server is told; null when nothing follows.</summary>
    public Action<KubeObject, string, string?>? OnLog { get; init; }

    public ILogger Log { get; init; } = NullLogger.Instance;
}

/// <summary>One node that plays Pods instead of running them, and the scheduler that fills it.</summary>
public sealed class SimulatedNode : IDisposable
{
    private const string Scheduler = "default-scheduler";
    private readonly KubernetesClient client;
    private readonly TimeProvider clock;
    private readonly World world;
    private readonly SimulatedNodeOptions options;
    private readonly NodeObjects objects;
    private readonly NodeCapacity capacity;
    private readonly EventRecorder events;
    private readonly SandboxUpload uploads;
    private readonly ModelCalls models;
    private readonly CancellationTokenSource stopping = new();
    private readonly WorkQueue queue;
    private readonly Informer pods;
    private readonly ClaimFiles claims;
    private readonly ConcurrentDictionary<string, Play> plays = new();
    private readonly ConcurrentDictionary<string, int> podsOfJob = new();

    /// <summary>Pods that found no room, by key, with the time of their creation.</summary>
    private readonly ConcurrentDictionary<string, DateTimeOffset> waiting = new();

    private SimulatedNode(KubernetesClient client, TimeProvider clock, World world, SimulatedNodeOptions options)
    {
        (this.client, this.clock, this.world, this.options) = (client, clock, world, options);
        objects = new NodeObjects(client, clock, world.Node, options.KubeletPort);
        capacity = new NodeCapacity(world.Node);
        events = new EventRecorder(client, clock, options.Log);
        uploads = new SandboxUpload(client.Config);
        models = new ModelCalls(options.Log);
        queue = new WorkQueue(clock, "pods", SyncAsync, options.Log);
        pods = new Informer(client, Kinds.Pod, TimeProvider.System, new InformerOptions
        {
            OnEvent = OnPod,
            FieldSelector = options.Schedules ? null : $"spec.nodeName={world.Node.Name}",
            Logger = options.Log,
        });
        claims = new ClaimFiles(client, options.Log, OnClaim);
    }

    /// <summary>Registers the node and plays Pods until cancelled. The clock may run faster than real time.</summary>
    public static async Task RunAsync(KubernetesClient client, TimeProvider clock, World world, CancellationToken ct, SimulatedNodeOptions? options = null)
    {
        using var node = new SimulatedNode(client, clock, world, options ?? new SimulatedNodeOptions());
        try
        {
            await node.objects.RegisterAsync(ct);
            var running = Task.WhenAll(node.objects.KeepAliveAsync(ct), node.events.RunAsync(ct), node.uploads.RunAsync(ct), node.claims.RunAsync(ct), node.pods.RunAsync(ct));
            await node.claims.WaitForSyncAsync(ct);
            await node.pods.WaitForSyncAsync(ct);
            await Task.WhenAll(running, node.queue.RunAsync(8, ct));
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            // Asked to stop.
        }
    }

    public void Dispose()
    {
        stopping.Cancel();
        stopping.Dispose();
        models.Dispose();
        uploads.Dispose();
    }

    private void OnPod(WatchEvent change)
    {
        var pod = change.Object;
        if (pod.Uid is not { } uid) return;
        if (change.Type == WatchEventType.Deleted)
        {
            waiting.TryRemove(pod.Key, out _);
            Forget(pod, uid);
            return;
        }

        // Pods that were here before this process keep their place.
        if (pod.Json.Text("spec", "nodeName") == world.Node.Name && !Ended(pod)) capacity.Take(uid, PodRequest.Of(pod), always: true);
        queue.Add(pod.Key);
    }

    private void OnClaim(string key)
    {
        var known = pods.Items;
        foreach (var pod in waiting.Keys)
            if (known.TryGetValue(pod, out var found) && ClaimFiles.Of(found).Contains(key)) queue.Add(pod);
    }

    private async Task<TimeSpan?> SyncAsync(string key, CancellationToken ct)
    {
        if (!pods.Items.TryGetValue(key, out var pod) || pod.Uid is not { } uid) return null;
        var assigned = pod.Json.Text("spec", "nodeName");
        if (assigned is not null && assigned != world.Node.Name) return null;
        if (options.PlayedElsewhere(pod))
        {
            if (Ended(pod)) Release(uid);
            else if (assigned is null && pod.DeletionTimestamp is null) await AssignAsync(pod, uid, ct);
            return null;
        }

        if (Ended(pod))
        {
            Release(uid);
            if (pod.DeletionTimestamp is not null) await RemoveAsync(pod, uid, ct);
            return null;
        }

        if (pod.DeletionTimestamp is not null)
        {
            await RemoveAsync(pod, uid, ct);
            return null;
        }

        if (!plays.TryGetValue(uid, out var play))
        {
            if (assigned is null && !await AssignAsync(pod, uid, ct)) return null;
            play = plays.GetOrAdd(uid, _ => Begin(pod, assigned is not null));
        }

        return await PlayAsync(pod, uid, play, ct);
    }

    /// <summary>True when the Pod is now bound to the node.</summary>
    private async Task<bool> AssignAsync(KubeObject pod, string uid, CancellationToken ct)
    {
        if (!options.Schedules || pod.Json.Text("spec", "schedulerName") is { } other && other != Scheduler) return false;
        if (pod.Json.List("spec", "schedulingGates").Any()) return false;
        var obstacle = claims.Missing(pod) ?? NodeFit.Obstacle(pod, world.Node, objects.Labels) ?? capacity.Take(uid, PodRequest.Of(pod));
        if (obstacle is not null)
        {
            // A claim that came before this was written down found nobody to wake.
            var missing = claims.Missing(pod) is not null;
            waiting[pod.Key] = pod.CreationTimestamp ?? default;
            if (missing && claims.Missing(pod) is null) queue.Add(pod.Key);
            await UnschedulableAsync(pod, NodeFit.Sentence(obstacle), ct);
            return false;
        }

        waiting.TryRemove(pod.Key, out _);
        var binding = new JsonObject
        {
            ["apiVersion"] = "v1",
            ["kind"] = "Binding",
            ["metadata"] = new JsonObject { ["name"] = pod.Name, ["namespace"] = pod.Namespace, ["uid"] = uid },
            ["target"] = new JsonObject { ["apiVersion"] = "v1", ["kind"] = "Node", ["name"] = world.Node.Name },
        };
        try
        {
            await client.CreateAsync(Kinds.Pod, pod.Namespace, binding, ct, new WriteOptions { Subresource = "binding", Name = pod.Name });
        }
        catch (KubernetesException error)
        {
            Release(uid);
            if (error.IsNotFound || error.IsConflict) return false;
            throw;
        }

        events.TellAction(pod, Scheduler, "Normal", "Scheduled", $"Successfully assigned {pod.Key} to {world.Node.Name}", "Binding");
        return true;
    }

    private async Task UnschedulableAsync(KubeObject pod, string message, CancellationToken ct)
    {
        if (pod.Json.Condition("PodScheduled")?.Text("message") == message) return;
        var condition = new JsonObject
        {
            ["lastProbeTime"] = null,
            ["lastTransitionTime"] = clock.GetUtcNow().Stamp(),
            ["message"] = message,
            ["observedGeneration"] = 1,
            ["reason"] = "Unschedulable",
            ["status"] = "False",
            ["type"] = "PodScheduled",
        };
        await WriteAsync(pod, new JsonObject { ["conditions"] = new JsonArray(condition), ["phase"] = "Pending" }, ct);
        events.TellAction(pod, Scheduler, "Warning", "FailedScheduling", message, "Scheduling");
    }

    private Play Begin(KubeObject pod, bool assignedBefore)
    {
        var owner = pod.Json.Controller("Job")?.Uid;
        var ordinal = owner is null ? 0 : podsOfJob.AddOrUpdate(owner, 0, (_, before) => before + 1);
        var bound = (assignedBefore ? pod.Json.Time("status", "startTime") : null) ?? clock.GetUtcNow();
        var needs = claims.Resumed(pod, Needs.Of(pod, world, ordinal));
        return new Play(new PodScript(pod, needs, bound), needs);
    }

    private async Task<TimeSpan?> PlayAsync(KubeObject pod, string uid, Play play, CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        var moment = play.Script.At(now);
        if (moment.Stage != play.Stage)
        {
            if (!await WriteAsync(pod, moment.Status, ct)) return null;
            play.Stage = moment.Stage;
            Tell(pod, play, moment);
        }

        if (moment.Ended) Keep(pod, play, now);
        if (!moment.Ended) return moment.Next - clock.GetUtcNow() is { } wait ? wait > TimeSpan.Zero ? wait : TimeSpan.FromMilliseconds(1) : null;
        Release(uid);
        return null;
    }

    private void Tell(KubeObject pod, Play play, PodMoment moment)
    {
        const string Kubelet = "kubelet";
        var field = $"spec.containers{{{play.Script.Main}}}";
        if (play.Attempts < moment.Attempt) play.Over = false;
        for (; play.Attempts < moment.Attempt; play.Attempts++)
        {
            foreach (var (reason, message) in new[] { ("Pulled", "Container image already present on machine and can be accessed by the pod"), ("Created", "Container created"), ("Started", "Container started") })
                events.Tell(pod, Kubelet, "Normal", reason, message, field, world.Node.Name);
            if (play.Needs.Log is { } log)
            {
                uploads.Log(pod, play.Script.Main, log, false);
                options.OnLog?.Invoke(pod, play.Script.Main, log);
            }

            // Beside the play, in real time: the calls are real, the Pod's time is not.
            if (ModelCalls.Of(pod) is var (count, model)) _ = models.MakeAsync(pod, count, model, stopping.Token);
        }

        Use(pod, play, ended: !moment.Stage.StartsWith("running", StringComparison.Ordinal));
        var stuck = moment.Status["containerStatuses"]?[0]?["state"]?["waiting"];
        if ((string?)moment.Status["reason"] == "Evicted")
            events.Tell(pod, Kubelet, "Warning", "Evicted", (string?)moment.Status["message"] ?? "", null, world.Node.Name);
        else if ((string?)stuck?["reason"] is "CrashLoopBackOff")
            events.Tell(pod, Kubelet, "Warning", "BackOff", $"Back-off restarting failed container {play.Script.Main} in pod {pod.Name}_{pod.Namespace}({pod.Uid})", field, world.Node.Name);
        else if ((string?)stuck?["reason"] is "ErrImagePull" or "ErrImageNeverPull" or "ImagePullBackOff")
            events.Tell(pod, Kubelet, "Warning", "Failed", $"Error: {(string?)stuck["reason"]}", field, world.Node.Name);
        if (!moment.Ended) return;
        uploads.Log(pod, play.Script.Main, "", true);
        options.OnLog?.Invoke(pod, play.Script.Main, null);
    }

    /// <summary>False when the Pod is gone.</summary>
    private async Task<bool> WriteAsync(KubeObject pod, JsonObject status, CancellationToken ct)
    {
        // The uid keeps the status from going to another Pod of the same name.
        var patch = new JsonObject { ["metadata"] = new JsonObject { ["uid"] = pod.Uid }, ["status"] = status };
        try
        {
            await client.PatchAsync(Kinds.Pod, pod.Namespace, pod.Name, PatchType.Merge, patch, ct, new WriteOptions { Subresource = "status" });
            return true;
        }
        catch (KubernetesException error) when (error.IsNotFound || error.IsConflict)
        {
            return false;
        }
    }

    private async Task RemoveAsync(KubeObject pod, string uid, CancellationToken ct)
    {
        try
        {
            await client.DeleteAsync(Kinds.Pod, pod.Namespace, pod.Name, ct, new DeleteOptions { GracePeriodSeconds = 0, Preconditions = new Preconditions(Uid: uid) });
        }
        catch (KubernetesException error) when (error.IsNotFound || error.IsConflict)
        {
            // Gone already.
        }

        Forget(pod, uid);
    }

    private void Forget(KubeObject pod, string uid)
    {
        if (plays.TryRemove(uid, out var play))
        {
            Use(pod, play, ended: true);
            Keep(pod, play, clock.GetUtcNow());
        }

        Release(uid);
    }

    /// <summary>What it has done until it ended or was taken away stays in its claim.</summary>
    private void Keep(KubeObject pod, Play play, DateTimeOffset now)
    {
        if (play.Kept) return;
        play.Kept = true;
        claims.Keep(pod, play.Needs, play.Script.Done(now));
    }

    /// <summary>Tells what the containers use from now on, or that they have ended.</summary>
    private void Use(KubeObject pod, Play play, bool ended)
    {
        if (play.Attempts == 0 || play.Over) return;
        uploads.Usage(pod, ContainerUse.ToJson(pod, world.Node.Name, play.Script.UsesOf(play.Attempts - 1), ended ? clock.GetUtcNow() : null));
        play.Over = ended;
    }

    /// <summary>Gives the room back; those who waited longest are asked first.</summary>
    private void Release(string uid)
    {
        if (!capacity.Release(uid) || waiting.IsEmpty) return;
        var known = pods.Items;
        var next = waiting.ToArray().OrderBy(pod => pod.Value).ThenBy(pod => pod.Key, StringComparer.Ordinal)
            .Where(pod => known.TryGetValue(pod.Key, out var found) && capacity.Fits(PodRequest.Of(found)))
            .Take(8);
        foreach (var (key, _) in next) queue.Add(key);
    }

    private static bool Ended(KubeObject pod) => pod.Json.Text("status", "phase") is "Succeeded" or "Failed";

    private sealed class Play(PodScript script, PodNeeds needs)
    {
        public PodScript Script => script;

        public PodNeeds Needs => needs;

        public string? Stage { get; set; }

        public int Attempts { get; set; }

        public bool Kept { get; set; }

        /// <summary>That the last attempt has ended was told.</summary>
        public bool Over { get; set; }
    }
}
