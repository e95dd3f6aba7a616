using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json.Nodes;
using Fabrik.Kubernetes;
using Microsoft.Extensions.Logging;

namespace Fabrik.Sandbox.Controllers;

/// <summary>Creates the Jobs of CronJobs. The name of a Job follows from its slot, so that no slot is started twice.</summary>
internal sealed class CronJobController
{
    private const string Component = "cronjob-controller";
    private const string ScheduledAt = "batch.kubernetes.io/cronjob-scheduled-timestamp";
    private readonly KubernetesClient client;
    private readonly TimeProvider clock;
    private readonly EventRecorder events;
    private readonly WorkQueue queue;
    private readonly Informer cronJobs, jobs;

    /// <summary>What was told last about each CronJob, so that looking again does not tell it again.</summary>
    private readonly ConcurrentDictionary<string, HashSet<string>> told = new();

    /// <summary>Jobs by the UID of their CronJob, then by their own.</summary>
    private readonly ConcurrentDictionary<string, ConcurrentDictionary<string, KubeObject>> children = new();

    public CronJobController(KubernetesClient client, TimeProvider clock, EventRecorder events, ILogger log)
    {
        (this.client, this.clock, this.events) = (client, clock, events);
        queue = new WorkQueue(clock, "cronjobs", SyncAsync, log);
        cronJobs = new Informer(client, Kinds.CronJob, TimeProvider.System, new InformerOptions { OnEvent = OnCronJob });
        jobs = new Informer(client, Kinds.Job, TimeProvider.System, new InformerOptions { OnEvent = OnJob });
    }

    public async Task RunAsync(CancellationToken ct)
    {
        var watching = Task.WhenAll(cronJobs.RunAsync(ct), jobs.RunAsync(ct));
        await Task.WhenAll(cronJobs.WaitForSyncAsync(ct), jobs.WaitForSyncAsync(ct));
        await Task.WhenAll(watching, queue.RunAsync(2, ct));
    }

    private void OnCronJob(WatchEvent change)
    {
        if (change.Type == WatchEventType.Deleted && change.Object.Uid is { } uid)
        {
            told.TryRemove(uid, out _);
            children.TryRemove(uid, out _);
        }

        queue.Add(change.Object.Key);
    }

    private void OnJob(WatchEvent change)
    {
        var job = change.Object;
        if (job.Json.Controller("CronJob") is not var (name, owner) || job.Uid is not { } uid) return;
        var siblings = children.GetOrAdd(owner, _ => new ConcurrentDictionary<string, KubeObject>());
        if (change.Type == WatchEventType.Deleted) siblings.TryRemove(uid, out _);
        else siblings[uid] = job;
        queue.Add($"{job.Namespace}/{name}");
    }

    private async Task<TimeSpan?> SyncAsync(string key, CancellationToken ct)
    {
        if (!cronJobs.Items.TryGetValue(key, out var cronJob) || cronJob.Uid is not { } uid || cronJob.DeletionTimestamp is not null) return null;
        var view = new CronJobView(cronJob);
        var known = children.GetOrAdd(uid, _ => new ConcurrentDictionary<string, KubeObject>());
        await FindUnseenAsync(view, known, ct);

        var plan = CronJobDecision.Decide(view, known.Values.Where(job => job.DeletionTimestamp is null).Select(ChildJob.From).ToList(), clock.GetUtcNow());
        foreach (var job in plan.Delete) await DeleteAsync(cronJob, known, job, ct);
        var status = plan.Status;
        if (plan.Create is { } slot)
        {
            status ??= view.Status.Copy() as JsonObject ?? [];
            if (await CreateAsync(cronJob, view, known, slot, ct) is { } child)
            {
                CronJobDecision.Started(status, view, child, slot);
                events.Tell(cronJob, Component, "Normal", "SuccessfulCreate", $"Created job {child.Name}");
            }
            else
            {
                // The name is taken by a Job of somebody else: this slot is lost.
                status["lastScheduleTime"] = slot.Stamp();
            }
        }

        if (status is not null && !await WriteAsync(cronJob, status, ct)) return TimeSpan.FromSeconds(1);
        Tell(cronJob, uid, plan);
        return plan.CheckAfter;
    }

    /// <summary>A Job that the status names and the watch has not brought may be gone or merely not here yet.</summary>
    private async Task FindUnseenAsync(CronJobView view, ConcurrentDictionary<string, KubeObject> known, CancellationToken ct)
    {
        foreach (var reference in view.Status.List("active"))
        {
            if (reference.Text("uid") is not { } uid || reference.Text("name") is not { } name || known.ContainsKey(uid)) continue;
            try
            {
                var job = await client.GetAsync(Kinds.Job, view.Namespace, name, ct);
                if (job.Uid == uid) known.TryAdd(uid, job);
            }
            catch (KubernetesException error) when (error.IsNotFound)
            {
                // Gone: the decision sees that it is missing.
            }
        }
    }

    private async Task DeleteAsync(KubeObject cronJob, ConcurrentDictionary<string, KubeObject> known, ChildJob job, CancellationToken ct)
    {
        try
        {
            var options = new DeleteOptions { PropagationPolicy = "Background", Preconditions = new Preconditions(Uid: job.Uid) };
            await client.DeleteAsync(Kinds.Job, cronJob.Namespace, job.Name, ct, options);
            events.Tell(cronJob, Component, "Normal", "SuccessfulDelete", $"Deleted job {job.Name}");
        }
        catch (KubernetesException error) when (error.IsNotFound || error.IsConflict)
        {
            // Gone, or another Job of that name.
        }

        known.TryRemove(job.Uid, out _);
    }

    private async Task<ChildJob?> CreateAsync(
        KubeObject cronJob, CronJobView view, ConcurrentDictionary<string, KubeObject> known, DateTimeOffset slot, CancellationToken ct)
    {
        try
        {
            var job = await client.CreateAsync(Kinds.Job, view.Namespace, JobOf(cronJob, view, slot), ct);
            known.TryAdd(job.Uid ?? "", job);
            return ChildJob.From(job);
        }
        catch (KubernetesException error) when (error.IsAlreadyExists)
        {
            // Created before a crash or by a sync that did not get to the status.
            var job = await client.GetAsync(Kinds.Job, view.Namespace, view.JobName(slot), ct);
            return job.Json.Controller("CronJob")?.Uid == cronJob.Uid ? ChildJob.From(job) : null;
        }
        catch (KubernetesException error) when (error.Code != 0)
        {
            events.Tell(cronJob, Component, "Warning", "FailedCreate", $"Error creating job: {error.StatusMessage}");
            throw;
        }
    }

    private async Task<bool> WriteAsync(KubeObject cronJob, JsonObject status, CancellationToken ct)
    {
        var body = cronJob.ToNode();
        body["status"] = status;
        try
        {
            await client.ReplaceAsync(Kinds.CronJob, cronJob.Namespace, cronJob.Name, body, ct, new WriteOptions { Subresource = "status" });
            return true;
        }
        catch (KubernetesException error) when (error.IsConflict || error.IsNotFound)
        {
            return false;
        }
    }

    private void Tell(KubeObject cronJob, string uid, CronJobPlan plan)
    {
        var before = told.GetValueOrDefault(uid) ?? [];
        told[uid] = plan.Events.Select(one => one.Reason + one.Message).ToHashSet();
        foreach (var (type, reason, message) in plan.Events)
            if (!before.Contains(reason + message)) events.Tell(cronJob, Component, type, reason, message);
    }

    internal static JsonObject JobOf(KubeObject cronJob, CronJobView view, DateTimeOffset slot)
    {
        var template = cronJob.Json.At("spec", "jobTemplate");
        var annotations = template.At("metadata", "annotations").Copy() as JsonObject ?? [];
        var local = TimeZoneInfo.ConvertTime(slot, CronJobDecision.Zone(view) ?? TimeZoneInfo.Utc);
        annotations[ScheduledAt] = local.Offset == TimeSpan.Zero ? slot.Stamp() : local.ToString("yyyy-MM-dd'T'HH:mm:sszzz", CultureInfo.InvariantCulture);
        var metadata = new JsonObject
        {
            ["name"] = view.JobName(slot),
            ["namespace"] = view.Namespace,
            ["annotations"] = annotations,
            ["ownerReferences"] = new JsonArray(new JsonObject
            {
                ["apiVersion"] = "batch/v1",
                ["kind"] = "CronJob",
                ["name"] = cronJob.Name,
                ["uid"] = cronJob.Uid,
                ["controller"] = true,
                ["blockOwnerDeletion"] = true,
            }),
        };
        if (template.At("metadata", "labels").Copy() is { } labels) metadata["labels"] = labels;
        return new JsonObject { ["apiVersion"] = "batch/v1", ["kind"] = "Job", ["metadata"] = metadata, ["spec"] = template.At("spec").Copy() };
    }
}
