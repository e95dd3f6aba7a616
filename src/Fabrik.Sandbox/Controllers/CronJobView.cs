using System.Text.Json;
using Fabrik.Kubernetes;

namespace Fabrik.Sandbox.Controllers;

/// <summary>What decides about a CronJob, read from it once.</summary>
internal sealed record CronJobView
{
    public CronJobView(KubeObject cronJob)
    {
        var spec = cronJob.Json.At("spec");
        Status = cronJob.Json.At("status");
        Name = cronJob.Name;
        Namespace = cronJob.Namespace ?? "default";
        Created = cronJob.CreationTimestamp ?? default;
        Schedule = spec.Text("schedule") ?? "";
        TimeZone = spec.Text("timeZone");
        Suspended = spec.Says("suspend");
        Policy = spec.Text("concurrencyPolicy") ?? "Allow";
        StartingDeadline = spec.Int("startingDeadlineSeconds") is { } seconds ? TimeSpan.FromSeconds(seconds) : null;
        SuccessfulKept = spec.Int("successfulJobsHistoryLimit");
        FailedKept = spec.Int("failedJobsHistoryLimit");
        LastSchedule = Status.Time("lastScheduleTime");
    }

    public JsonElement Status { get; }
    public string Name { get; }
    public string Namespace { get; }
    public DateTimeOffset Created { get; }
    public string Schedule { get; }
    public string? TimeZone { get; }
    public bool Suspended { get; }

    /// <summary>Allow, Forbid or Replace.</summary>
    public string Policy { get; }
    public TimeSpan? StartingDeadline { get; }
    public int? SuccessfulKept { get; }
    public int? FailedKept { get; }
    public DateTimeOffset? LastSchedule { get; }

    public string JobName(DateTimeOffset slot) => $"{Name}-{slot.ToUnixTimeSeconds() / 60}";
}

/// <summary>One Job of a CronJob.</summary>
/// <param name="Finished">Complete, Failed or null.</param>
internal sealed record ChildJob(string Name, string Uid, string? ResourceVersion, string? Finished, DateTimeOffset Started, DateTimeOffset? Completed)
{
    public static ChildJob From(KubeObject job)
    {
        var view = new JobView(job);
        return new ChildJob(
            job.Name, job.Uid ?? "", job.ResourceVersion, view.Finished?.Text("type"),
            view.StartTime ?? job.CreationTimestamp ?? default, view.Status.Time("completionTime"));
    }
}
