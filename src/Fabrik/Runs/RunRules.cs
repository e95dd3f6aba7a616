using Fabrik.Experiments;

namespace Fabrik.Runs;

/// <summary>From everything that was learned of a Job to its run.</summary>
public static class RunRules
{
    /// <summary>A Job that was deleted after waiting this long for a node counts as unschedulable; before that, somebody only changed their mind.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    /// <param name="own">False where another, earlier Job carries the same run id: then this one is a copy and in no arm.</param>
    /// <returns>Null where the Job was never seen and is not known to be gone: there may be more to learn.</returns>
    public static Run? ToRun(Evidence evidence, Scope scope, bool own = true)
    {
        var job = evidence.Job ?? (evidence is { GoneAt: not null, Events: { } events } ? JobFacts.Unseen(events) : null);
        if (job is null) return null;
        var assigned = own ? job.Assigned : null;
        var verdict = Judge(evidence, job);
        var last = LastEnd(evidence);

        int? containers = job.Ordinary is { Length: > 0 } names ? names.Count(one => one == ',') + 1 : null;

        // What neither the author nor a change has said, the namespace's LimitRange has: before a change as well as after it. What others put into the Pod is not the Job's.
        var defaults = evidence.Pods.Values.Where(pod => pod.Containers == containers).Select(pod => pod.Resources).Aggregate((RunResources?)null, RunResources.Greater)?.Except(job.Resources);
        return new Run
        {
            Id = evidence.Id,
            Namespace = job.Namespace,
            Name = job.Name,
            RunId = assigned?.RunId,
            Change = assigned?.Change,
            Arm = assigned?.Arm ?? Arm.Unassigned,
            Experiments = assigned?.KnownExperiments ?? [],
            AppliedChanges = assigned?.KnownApplied ?? [],
            SpecType = job.SpecType,
            SpecId = job.SpecId,
            Stratum = job.Stratum,
            Project = scope.ProjectOf(job),
            Owner = job.Owner,
            Containers = containers,
            Requested = (assigned?.Requested ?? job.Resources).Else(defaults),
            Applied = job.Resources.Else(defaults),
            CreatedAt = job.CreatedAt,
            StartedAt = verdict.Outcome == Outcome.Unschedulable ? null : job.StartedAt ?? (verdict.Outcome == Outcome.Running ? null : evidence.Events?.FirstAt),
            FinishedAt = verdict.At,
            Attempts = Attempts(evidence, job),
            Outcome = verdict.Outcome,
            OomKilled = evidence.Pods.Values.Any(pod => pod.OomKilled),
            ExitCode = last?.ExitCode,
            Reason = verdict.Reason,
        };
    }

    private readonly record struct Verdict(Outcome Outcome, DateTimeOffset? At, string? Reason);

    private static Verdict Judge(Evidence evidence, JobFacts job)
    {
        // The Job's own final word first; what is weaker counts only once it is gone and can say no more.
        if (job.End is { Final: true } end) return Ended(evidence, job, end);
        if (evidence.GoneAt is not { } gone) return new Verdict(Outcome.Running, null, null);
        if (evidence.Events?.CompletedAt is { } completed) return new Verdict(Outcome.Succeeded, completed, null);
        if (evidence.Events is { FailedReason: { } reason } events) return Ended(evidence, job, new JobEnd(false, true, reason, events.FailedAt));
        if (job.End is { } announced) return Ended(evidence, job, announced);
        if (job.Completions > 0 && Math.Max(job.Succeeded, evidence.Pods.Values.Count(pod => pod.Succeeded)) >= job.Completions)
            return new Verdict(Outcome.Succeeded, LastEnd(evidence)?.At, null);
        if (Math.Max(job.Failed, evidence.Pods.Values.Count(pod => pod.Failed)) > job.BackoffLimit)
            return Ended(evidence, job, new JobEnd(false, true, null, LastEnd(evidence)?.At));
        if (NeverGotANode(evidence) && gone - (job.StartedAt ?? job.CreatedAt) >= Patience) return new Verdict(Outcome.Unschedulable, gone, WhyNoNode(evidence));
        return new Verdict(Outcome.Lost, null, null);
    }

    private static Verdict Ended(Evidence evidence, JobFacts job, JobEnd end)
    {
        if (end.Succeeded) return new Verdict(Outcome.Succeeded, end.At, null);
        if (NeverGotANode(evidence) && job.Succeeded == 0) return new Verdict(Outcome.Unschedulable, end.At, WhyNoNode(evidence));
        var waiting = evidence.Pods.Values.Any(pod => pod.End is not null || pod.StartedEvents > 0)
            ? null
            : evidence.Pods.Values.Select(pod => pod.Waiting).Aggregate((string?)null, Json.Greater);
        if (end.Reason == "DeadlineExceeded") return new Verdict(Outcome.Deadline, end.At, waiting ?? end.Reason);
        if (LastFailed(evidence) is { Disruption: { } disruption }) return new Verdict(Outcome.Evicted, end.At, disruption);
        return new Verdict(Outcome.Failed, end.At, LastEnd(evidence) is { ExitCode: not 0, Reason: { } why } ? why : waiting ?? end.Reason);
    }

    /// <summary>Needs a positive sign: silence may only mean that nobody watched.</summary>
    private static bool NeverGotANode(Evidence evidence) =>
        (evidence.Pods.Values.Any(pod => pod.Refused) || evidence.Events is { CreateRefused: true }) && !evidence.Pods.Values.Any(Ran);

    private static string WhyNoNode(Evidence evidence) => evidence.Pods.Values.Any(pod => pod.Refused) ? "FailedScheduling" : "FailedCreate";

    private static bool Ran(PodFacts pod) => pod.Scheduled || pod.End is not null || pod.StartedEvents > 0;

    private static int Attempts(Evidence evidence, JobFacts job)
    {
        var seen = evidence.Pods.Values.Where(Ran).Sum(pod => 1 + Math.Max(pod.Restarts, pod.StartedEvents - job.Containers));
        var neverRan = evidence.Pods.Values.Count(pod => !Ran(pod));
        return Math.Max(seen, job.Succeeded + job.Failed - neverRan);
    }

    private static ContainerEnd? LastEnd(Evidence evidence) => evidence.Pods.Values.Select(pod => pod.End).Aggregate((ContainerEnd?)null, ContainerEnd.Merge);

    private static PodFacts? LastFailed(Evidence evidence) => evidence.Pods
        .Where(pod => pod.Value.Failed || pod.Value.Disruption is not null)
        .OrderBy(pod => pod.Value.EndedAt).ThenBy(pod => pod.Key, StringComparer.Ordinal)
        .LastOrDefault().Value;
}
