using System.Globalization;
using System.Text.Json.Nodes;
using Fabrik.Kubernetes;
using Fabrik.Sandbox.Nodes;

namespace Fabrik.Sandbox.Worlds;

/// <summary>One step of a world being played.</summary>
/// <param name="What">Namespace, Object, Job or CronJob.</param>
/// <param name="Submitted">Jobs of all workloads handed over until now, refused ones included.</param>
/// <param name="Total">Jobs there will be; CronJobs do not count.</param>
/// <param name="Error">Null when it was accepted.</param>
public sealed record WorldProgress(string What, string Key, int Submitted, int Total, string? Error);

/// <summary>A Job that the API server accepted.</summary>
public sealed record SubmittedJob(string Workload, string Namespace, string Name, string Uid, DateTimeOffset At);

/// <summary>Plays the people of a world: creates what they create, with plain API calls as kubectl makes them.</summary>
public static class WorldPlayer
{
    private const int AtOnce = 16;
    private static readonly TimeSpan LookEvery = TimeSpan.FromMinutes(2);

    private static readonly Dictionary<(string ApiVersion, string Kind), ResourceKind> KnownKinds = new[]
    {
        Kinds.Namespace, Kinds.ConfigMap, Kinds.Secret, Kinds.ServiceAccount, Kinds.LimitRange, Kinds.ResourceQuota, Kinds.Job, Kinds.CronJob,
        Kinds.OptimizationChange, Kinds.OptimizerPolicy, Kinds.CustomResourceDefinition, Kinds.MutatingWebhookConfiguration,
    }.ToDictionary(kind => (kind.ApiVersion, kind.Kind));

    /// <summary>Creates namespaces and objects, so that Jobs may come. What exists already is left, and namespaces get the labels of the world.</summary>
    public static async Task PrepareAsync(KubernetesClient client, World world, CancellationToken ct, IProgress<WorldProgress>? progress = null)
    {
        var total = Total(world);
        foreach (var ns in world.Namespaces)
        {
            var metadata = new JsonObject { ["name"] = ns.Name };
            if (ns.Labels.Count > 0) metadata["labels"] = Map(ns.Labels);
            if (ns.Annotations.Count > 0) metadata["annotations"] = Map(ns.Annotations);
            var body = new JsonObject { ["apiVersion"] = "v1", ["kind"] = "Namespace", ["metadata"] = metadata };
            if (await CreateAsync(client, Kinds.Namespace, null, body, ct) is null)
                await client.PatchAsync(Kinds.Namespace, null, ns.Name, PatchType.Merge, new JsonObject { ["metadata"] = metadata.DeepClone() }, ct);
            progress?.Report(new WorldProgress("Namespace", ns.Name, 0, total, null));
        }

        foreach (var source in world.Objects)
            progress?.Report(new WorldProgress("Object", await CreateAsync(client, world, source, ct), 0, total, null));
    }

    /// <summary>What it is called, such as ConfigMap/settings.</summary>
    private static async Task<string> CreateAsync(KubernetesClient client, World world, JsonObject source, CancellationToken ct)
    {
        var body = (JsonObject)source.DeepClone();
        var identity = ((string?)body["apiVersion"] ?? "", (string?)body["kind"] ?? "");
        if (!KnownKinds.TryGetValue(identity, out var kind))
            throw new WorldException($"The world {world.Name} has an object of {identity.Item1} {identity.Item2}; it can have {string.Join(", ", KnownKinds.Values.Select(known => known.Kind))}");
        var name = (string?)body["metadata"]?["name"] ?? "";
        var ns = kind.Namespaced ? (string?)body["metadata"]?["namespace"] ?? client.Config.Namespace : null;
        body.Remove("status", out var status);
        var created = await CreateAsync(client, kind, ns, body, ct);
        if (created is not null && status is not null)
            await client.PatchAsync(kind, ns, name, PatchType.Merge, new JsonObject { ["status"] = status }, ct, new WriteOptions { Subresource = "status" });
        return $"{kind.Kind}/{name}";
    }

    /// <summary>Prepares the world, then submits its Jobs at their times on the given clock. Refused Jobs are told and passed over.</summary>
    /// <returns>The accepted Jobs in the order of their times; their runs may still go on.</returns>
    public static async Task<IReadOnlyList<SubmittedJob>> PlayAsync(
        KubernetesClient client, TimeProvider clock, World world, CancellationToken ct, IProgress<WorldProgress>? progress = null)
    {
        await PrepareAsync(client, world, ct, progress);
        var arrivals = Arrivals(world);
        foreach (var cron in world.Workloads.Where(workload => workload.Schedule is not null))
        {
            await CreateAsync(client, Kinds.CronJob, cron.Namespace, CronJobOf(cron), ct);
            progress?.Report(new WorldProgress("CronJob", $"{cron.Namespace}/{cron.Name}", 0, arrivals.Count, null));
        }

        var start = clock.GetUtcNow();
        var submitted = 0;
        var accepted = new SubmittedJob?[arrivals.Count];
        using var slots = new SemaphoreSlim(AtOnce);
        using var allSubmitted = CancellationTokenSource.CreateLinkedTokenSource(ct);
        List<Task> later = [.. world.Later.Select(LaterAsync)];
        List<Task> running = [];
        for (var index = 0; index < arrivals.Count; index++)
        {
            var (at, workload, name) = arrivals[index];
            var wait = start + at - clock.GetUtcNow();
            if (wait > TimeSpan.Zero) await Task.Delay(wait, clock, ct);
            await slots.WaitAsync(ct);
            running.RemoveAll(task => task.IsCompletedSuccessfully);
            running.Add(SubmitAsync(index, workload, name));
        }

        await Task.WhenAll(running);
        await allSubmitted.CancelAsync();
        await Task.WhenAll(later);
        return accepted.OfType<SubmittedJob>().ToList();

        async Task LaterAsync(LaterObject later)
        {
            try
            {
                while (later.Once is { } phase && !await ReachedAsync(client, phase, allSubmitted.Token)) await Task.Delay(LookEvery, clock, allSubmitted.Token);
                var from = later.Once is null ? start : clock.GetUtcNow();
                if (from + later.After - clock.GetUtcNow() is var wait && wait > TimeSpan.Zero) await Task.Delay(wait, clock, allSubmitted.Token);
                var what = await CreateAsync(client, world, later.Object, allSubmitted.Token);
                progress?.Report(new WorldProgress("Object", what, Volatile.Read(ref submitted), arrivals.Count, null));
            }
            catch (OperationCanceledException) when (!ct.IsCancellationRequested)
            {
                // The day is over.
            }
        }

        async Task SubmitAsync(int index, Workload workload, string name)
        {
            string? error = null;
            try
            {
                var job = await client.CreateAsync(Kinds.Job, workload.Namespace, JobOf(workload, name), ct);
                accepted[index] = new SubmittedJob(workload.Name, workload.Namespace, job.Name, job.Uid ?? "", job.CreationTimestamp ?? clock.GetUtcNow());
            }
            catch (KubernetesException refused)
            {
                error = refused.Message;
            }
            finally
            {
                slots.Release();
            }

            progress?.Report(new WorldProgress("Job", $"{workload.Namespace}/{name}", Interlocked.Increment(ref submitted), arrivals.Count, error));
        }
    }

    private static async Task<bool> ReachedAsync(KubernetesClient client, string phase, CancellationToken ct)
    {
        await foreach (var change in client.ListAsync(Kinds.OptimizationChange, null, ct))
            if (change.Json.TryGetProperty("status", out var status) && status.TryGetProperty("phase", out var now) && now.GetString() == phase) return true;
        return false;
    }

    /// <summary>Every single Job with its time after the start; the same for the same world.</summary>
    internal static List<(TimeSpan At, Workload Workload, string Name)> Arrivals(World world)
    {
        List<(TimeSpan At, Workload Workload, string Name)> arrivals = [];
        foreach (var workload in world.Workloads.Where(workload => workload.Schedule is null))
        {
            var at = workload.After;
            for (var number = 1; number <= workload.Count; number++)
            {
                var name = string.Create(CultureInfo.InvariantCulture, $"{workload.Name}-{number:D4}");
                arrivals.Add((at, workload, name));
                at += workload.Every * -Math.Log(1 - Draw.Uniform($"{world.Seed}/{workload.Namespace}/{name}/arrives"));
            }
        }

        return arrivals.OrderBy(arrival => arrival.At).ThenBy(arrival => arrival.Name, StringComparer.Ordinal).ToList();
    }

    internal static JsonObject JobOf(Workload workload, string name)
    {
        var job = (JsonObject)workload.Job.DeepClone();
        var metadata = Named(job, name, workload.Namespace);
        return new JsonObject { ["apiVersion"] = "batch/v1", ["kind"] = "Job", ["metadata"] = metadata, ["spec"] = Taken(job, "spec") };
    }

    private static JsonObject CronJobOf(Workload workload)
    {
        var template = (JsonObject)workload.Job.DeepClone();
        var spec = new JsonObject { ["schedule"] = workload.Schedule, ["jobTemplate"] = template };
        if (workload.TimeZone is { } zone) spec["timeZone"] = zone;
        var metadata = new JsonObject { ["name"] = workload.Name, ["namespace"] = workload.Namespace };
        return new JsonObject { ["apiVersion"] = "batch/v1", ["kind"] = "CronJob", ["metadata"] = metadata, ["spec"] = spec };
    }

    private static JsonObject Named(JsonObject job, string name, string ns)
    {
        var metadata = Taken(job, "metadata") as JsonObject ?? [];
        metadata["name"] = name;
        metadata["namespace"] = ns;
        return metadata;
    }

    private static JsonNode? Taken(JsonObject from, string field) => from.Remove(field, out var value) ? value : null;

    private static int Total(World world) => world.Workloads.Where(workload => workload.Schedule is null).Sum(workload => workload.Count);

    private static JsonObject Map(IReadOnlyDictionary<string, string> texts) =>
        new(texts.Select(text => KeyValuePair.Create<string, JsonNode?>(text.Key, text.Value)));

    /// <summary>Null when it exists already.</summary>
    private static async Task<KubeObject?> CreateAsync(KubernetesClient client, ResourceKind kind, string? ns, JsonObject body, CancellationToken ct)
    {
        try
        {
            return await client.CreateAsync(kind, ns, body, ct);
        }
        catch (KubernetesException error) when (error.IsAlreadyExists)
        {
            return null;
        }
    }
}
