using System.Text.Json;
using System.Text.Json.Nodes;

namespace Fabrik.Sandbox.Controllers;

/// <summary>Builds the next status of a Job from the present one.</summary>
internal sealed class JobStatus
{
    private readonly JobView job;
    private readonly DateTimeOffset now;
    private readonly List<JsonObject> conditions = [];
    private readonly List<(string, string, string)> events = [];
    private DateTimeOffset? completed;

    public JobStatus(JobView job, DateTimeOffset now)
    {
        (this.job, this.now, StartTime) = (job, now, job.StartTime);
        foreach (var condition in job.Status.List("conditions")) conditions.Add((JsonObject)condition.Copy()!);
    }

    public DateTimeOffset? StartTime { get; private set; }

    public IReadOnlyList<(string Type, string Reason, string Message)> Events => events;

    public void Tell(string type, string reason, string message) => events.Add((type, reason, message));

    /// <summary>False when the condition stood already.</summary>
    public bool Set(string type, string reason, string message, string status = "True")
    {
        var condition = conditions.Find(condition => (string?)condition["type"] == type);
        if ((string?)condition?["status"] == status) return false;
        if (condition is not null) conditions.Remove(condition);
        conditions.Add(new JsonObject
        {
            ["type"] = type,
            ["status"] = status,
            ["lastProbeTime"] = now.Stamp(),
            ["lastTransitionTime"] = now.Stamp(),
            ["reason"] = reason,
            ["message"] = message,
        });
        return true;
    }

    public void CompletedAt(DateTimeOffset time) => completed = time;

    public void Suspend()
    {
        StartTime = null;
        if (Set("Suspended", "JobSuspended", "Job suspended")) Tell("Normal", "Suspended", "Job suspended");
    }

    public void Resume()
    {
        var suspended = conditions.Exists(condition => (string?)condition["type"] == "Suspended");
        if (suspended && Set("Suspended", "JobResumed", "Job resumed", "False"))
        {
            StartTime = now;
            Tell("Normal", "Resumed", "Job resumed");
        }

        StartTime ??= now;
    }

    /// <summary>Null when nothing differs from what stands.</summary>
    public JsonObject? Build(int active, JobDecision.Tally tally, int terminating, int ready)
    {
        var status = new JsonObject();
        if (conditions.Count > 0) status["conditions"] = new JsonArray([.. conditions]);
        if (StartTime is { } start) status["startTime"] = start.Stamp();
        if (completed is { } end) status["completionTime"] = end.Stamp();
        if (active > 0) status["active"] = active;
        if (tally.Succeeded > 0) status["succeeded"] = tally.Succeeded;
        if (tally.Failed > 0) status["failed"] = tally.Failed;
        status["terminating"] = terminating;
        if (job.Indexed && tally.Indexes.Count > 0) status["completedIndexes"] = CompletedIndexes.Format(tally.Indexes);
        status["uncountedTerminatedPods"] = new JsonObject();
        status["ready"] = ready;
        return JsonNode.DeepEquals(status, job.Status.Copy()) ? null : status;
    }
}
