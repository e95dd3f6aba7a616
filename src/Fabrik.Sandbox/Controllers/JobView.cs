using System.Text.Json;
using Fabrik.Kubernetes;

namespace Fabrik.Sandbox.Controllers;

/// <summary>What decides about a Job, read from it once.</summary>
internal sealed record JobView
{
    public JobView(KubeObject job)
    {
        var spec = job.Json.At("spec");
        Status = job.Json.At("status");
        Parallelism = Math.Max(0, spec.Int("parallelism") ?? 1);
        Completions = spec.Int("completions");
        BackoffLimit = spec.Int("backoffLimit") ?? 6;
        Deadline = spec.Int("activeDeadlineSeconds") is { } seconds ? TimeSpan.FromSeconds(seconds) : null;
        TimeToLive = spec.Int("ttlSecondsAfterFinished") is { } ttl ? TimeSpan.FromSeconds(ttl) : null;
        Suspended = spec.Says("suspend");
        Indexed = spec.Text("completionMode") == "Indexed";
        RestartsInPlace = spec.Text("template", "spec", "restartPolicy") == "OnFailure";
        ReplacesOnlyFailed = spec.Text("podReplacementPolicy") == "Failed";
        Foreign = spec.Text("managedBy") is { } manager && manager != "kubernetes.io/job-controller";
        StartTime = Status.Time("startTime");
    }

    public JsonElement Status { get; }
    public int Parallelism { get; }

    /// <summary>Null: a work queue, done once one Pod succeeded and none runs.</summary>
    public int? Completions { get; }
    public int BackoffLimit { get; }
    public TimeSpan? Deadline { get; }
    public TimeSpan? TimeToLive { get; }
    public bool Suspended { get; }
    public bool Indexed { get; }

    /// <summary>restartPolicy OnFailure.</summary>
    public bool RestartsInPlace { get; }

    /// <summary>podReplacementPolicy Failed: a Pod that is being deleted counts once it is gone.</summary>
    public bool ReplacesOnlyFailed { get; }

    /// <summary>Another controller than Kubernetes' own looks after it.</summary>
    public bool Foreign { get; }
    public DateTimeOffset? StartTime { get; }

    public JsonElement? Condition(string type)
    {
        foreach (var condition in Status.List("conditions"))
            if (condition.Text("type") == type && condition.Text("status") == "True") return condition;
        return null;
    }

    public JsonElement? Finished => Condition("Complete") ?? Condition("Failed");
}

/// <summary>One Pod of a Job as far as the Job's controller cares.</summary>
/// <param name="Gone">Deleted; kept until it has been counted.</param>
internal sealed record PodView(string Uid, string Name, string Phase, bool Deleting, bool Gone, bool Ready, int Restarts, DateTimeOffset FinishedAt, int? Index)
{
    public const string IndexAnnotation = "batch.kubernetes.io/job-completion-index";

    public bool Succeeded => Phase == "Succeeded";
    public bool Ended => Phase is "Succeeded" or "Failed";
    public bool Active => !Gone && !Deleting && !Ended;
    public bool Terminating => !Gone && Deleting && !Ended;

    public static PodView From(KubeObject pod, bool gone, bool deleted)
    {
        var status = pod.Json.At("status");
        var restarts = 0;
        var finished = pod.CreationTimestamp ?? default;
        foreach (var container in status.List("containerStatuses").Concat(status.List("initContainerStatuses")))
        {
            restarts += container.Int("restartCount") ?? 0;
            if (container.Time("state", "terminated", "finishedAt") is { } end && end > finished) finished = end;
        }

        var ready = pod.Json.Holds("Ready");
        return new PodView(
            pod.Uid ?? "", pod.Name, status.Text("phase") ?? "Pending", deleted || pod.DeletionTimestamp is not null, gone, ready, restarts,
            finished, int.TryParse(pod.Annotation(IndexAnnotation), out var index) ? index : null);
    }
}
