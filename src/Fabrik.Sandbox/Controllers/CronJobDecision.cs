using System.Globalization;
using System.Text.Json.Nodes;
using Fabrik.Schedules;

namespace Fabrik.Sandbox.Controllers;

/// <summary>What is to be done for one CronJob now.</summary>
internal sealed record CronJobPlan
{
    /// <summary>The slot whose Job is to be created.</summary>
    public DateTimeOffset? Create { get; set; }
    public List<ChildJob> Delete { get; } = [];

    /// <summary>The status without the Job to be created, when it differs from what stands.</summary>
    public JsonObject? Status { get; set; }
    public List<(string Type, string Reason, string Message)> Events { get; } = [];
    public TimeSpan? CheckAfter { get; set; }
}

/// <summary>The rules of the CronJob controller as a function of the CronJob, its Jobs and the time.</summary>
internal static class CronJobDecision
{
    /// <summary>Woken a little late rather than a little early.</summary>
    private static readonly TimeSpan Late = TimeSpan.FromMilliseconds(100);

    public static CronJobPlan Decide(CronJobView cronJob, IReadOnlyList<ChildJob> jobs, DateTimeOffset now)
    {
        var plan = new CronJobPlan();
        var active = Reconcile(cronJob, jobs, plan);
        History(jobs.Where(job => job.Finished == "Complete"), cronJob.SuccessfulKept, plan);
        History(jobs.Where(job => job.Finished == "Failed"), cronJob.FailedKept, plan);
        if (!cronJob.Suspended) Schedule(cronJob, jobs, active, now, plan);
        return plan;
    }

    /// <summary>Status after the creation of a Job; changes the status given.</summary>
    public static JsonObject Started(JsonObject status, CronJobView cronJob, ChildJob job, DateTimeOffset slot)
    {
        if (status["active"] is not JsonArray active) status["active"] = active = [];
        active.Add(Reference(cronJob, job));
        status["lastScheduleTime"] = slot.Stamp();
        return status;
    }

    public static TimeZoneInfo? Zone(CronJobView cronJob) =>
        cronJob.TimeZone is not { } name ? TimeZoneInfo.Utc : TimeZones.TryFind(name, out var zone) ? zone : null;

    private static List<ChildJob> Reconcile(CronJobView cronJob, IReadOnlyList<ChildJob> jobs, CronJobPlan plan)
    {
        var byUid = jobs.ToDictionary(job => job.Uid, StringComparer.Ordinal);
        var active = new JsonArray();
        var listed = new HashSet<string>();
        foreach (var reference in cronJob.Status.List("active"))
        {
            var (name, uid) = (reference.Text("name") ?? "", reference.Text("uid") ?? "");
            if (!listed.Add(uid)) continue;
            if (!byUid.TryGetValue(uid, out var job))
                plan.Events.Add(("Normal", "MissingJob", $"Active job went missing: {name}"));
            else if (job.Finished is { } condition)
                plan.Events.Add(("Normal", "SawCompletedJob", $"Saw completed job: {name}, condition: {condition}"));
            else
                active.Add(reference.Copy());
        }

        foreach (var job in jobs.Where(job => job.Finished is null && !listed.Contains(job.Uid)))
            plan.Events.Add(("Warning", "UnexpectedJob", $"Saw a job that the controller did not create or forgot: {job.Name}"));

        var lastSuccess = jobs.Where(job => job.Finished == "Complete").Select(job => job.Completed)
            .Append(cronJob.Status.Time("lastSuccessfulTime")).Max();
        var status = new JsonObject();
        if (active.Count > 0) status["active"] = active;
        if (cronJob.LastSchedule is { } last) status["lastScheduleTime"] = last.Stamp();
        if (lastSuccess is { } success) status["lastSuccessfulTime"] = success.Stamp();
        if (!JsonNode.DeepEquals(status, cronJob.Status.Copy() ?? new JsonObject())) plan.Status = status;
        return active.Select(reference => byUid[(string)reference!["uid"]!]).ToList();
    }

    private static void History(IEnumerable<ChildJob> finished, int? kept, CronJobPlan plan)
    {
        if (kept is { } limit) plan.Delete.AddRange(finished.OrderByDescending(job => job.Started).ThenByDescending(job => job.Name, StringComparer.Ordinal).Skip(limit));
    }

    private static void Schedule(CronJobView cronJob, IReadOnlyList<ChildJob> jobs, List<ChildJob> active, DateTimeOffset now, CronJobPlan plan)
    {
        if (Zone(cronJob) is not { } zone)
        {
            plan.Events.Add(("Warning", "UnknownTimeZone", $"invalid timeZone: \"{cronJob.TimeZone}\": unknown time zone {cronJob.TimeZone}"));
            return;
        }

        if (!CronSchedule.TryParse(cronJob.Schedule, out var schedule, out var error))
        {
            plan.Events.Add(("Warning", "UnparseableSchedule", $"unparseable schedule: \"{cronJob.Schedule}\" : {error}"));
            return;
        }

        var after = cronJob.LastSchedule ?? cronJob.Created;
        if (cronJob.StartingDeadline is { } window && now - window > after) after = now - window;
        var (slot, missed) = MostRecent(schedule, zone, after, now);
        plan.CheckAfter = schedule.Next(slot ?? now, zone) is { } next ? Max(next - now, TimeSpan.Zero) + Late : null;
        if (slot is not { } due) return;
        if (missed > 100)
            plan.Events.Add(("Warning", "TooManyMissedTimes", $"too many missed start times: {missed}. Set or decrease .spec.startingDeadlineSeconds or check clock skew"));

        if (cronJob.StartingDeadline is { } deadline && due + deadline < now)
        {
            plan.Events.Add(("Warning", "MissSchedule", $"Missed scheduled time to start a job: {due.UtcDateTime.ToString("ddd, dd MMM yyyy HH:mm:ss '+0000'", CultureInfo.InvariantCulture)}"));
            return;
        }

        var running = active.Where(job => job.Finished is null).ToList();
        if (cronJob.Policy == "Forbid" && running.Count > 0)
        {
            plan.Events.Add(("Normal", "JobAlreadyActive", "Not starting job because prior execution is running and concurrency policy is Forbid"));
            return;
        }

        if (cronJob.Policy == "Replace") plan.Delete.AddRange(running);
        plan.Create = due;
    }

    /// <summary>The latest time of the schedule that has come, and how many came since; all but the latest are lost for good.</summary>
    internal static (DateTimeOffset? Slot, long Missed) MostRecent(CronSchedule schedule, TimeZoneInfo zone, DateTimeOffset after, DateTimeOffset now)
    {
        if (schedule.Next(after, zone) is not { } first || first > now) return (null, 0);
        if (schedule.Next(first, zone) is not { } second || second > now) return (first, 1);

        // Regular schedules are crossed in one step; where that overshoots an irregular one, it is walked.
        var seconds = Math.Max(1, (long)Math.Round((second - first).TotalSeconds));
        var count = ((long)(now - first).TotalSeconds / seconds) + 1;
        var near = first.AddSeconds((count - 2) * seconds);
        var (latest, steps) = Walk(near);
        return latest is null ? Walk(first) : (latest, Math.Max(count, steps));

        (DateTimeOffset? Latest, long Steps) Walk(DateTimeOffset from)
        {
            DateTimeOffset? found = from == first ? first : null;
            var walked = 0L;
            for (var time = schedule.Next(from, zone); time <= now && walked < 500_000; time = schedule.Next(time.Value, zone), walked++) found = time;
            return (found, walked);
        }
    }

    private static JsonObject Reference(CronJobView cronJob, ChildJob job) => new()
    {
        ["kind"] = "Job",
        ["namespace"] = cronJob.Namespace,
        ["name"] = job.Name,
        ["uid"] = job.Uid,
        ["apiVersion"] = "batch/v1",
        ["resourceVersion"] = job.ResourceVersion,
    };

    private static TimeSpan Max(TimeSpan one, TimeSpan other) => one > other ? one : other;
}
