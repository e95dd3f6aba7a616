using System.Text.Json.Nodes;

namespace Fabrik.Sandbox.Controllers;

/// <summary>The rules of the Job controller as a function of the Job, its Pods and the time.</summary>
internal static class JobDecision
{
    private const int PodsAtOnce = 500;
    private static readonly TimeSpan FirstDelay = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan LongestDelay = TimeSpan.FromMinutes(6);

    /// <param name="counted">UIDs that the status accounts for; null when that is not known, as after a restart.</param>
    public static JobPlan Decide(JobView job, IReadOnlyList<PodView> pods, IReadOnlySet<string>? counted, DateTimeOffset now)
    {
        if (job.Foreign) return JobPlan.Nothing;
        if (job.Finished is { } finished) return AfterEnd(job, pods, finished.Time("lastTransitionTime") ?? now, now);

        var tally = Tally.Of(job, pods, counted);
        var status = new JobStatus(job, now);
        var active = pods.Where(pod => pod.Active).ToList();
        var checkAfter = (TimeSpan?)null;
        List<int?> create = [];
        List<PodView> delete = [];

        if (Failure(job, status, tally, active, now, ref checkAfter) is { } failure)
        {
            delete = active;
            tally.Fail(active);
            status.Set("FailureTarget", failure.Reason, failure.Message);
            if (Terminating() == 0)
            {
                status.Set("Failed", failure.Reason, failure.Message);
                status.Tell("Warning", failure.Reason, failure.Message);
            }
        }
        else if (job.Condition("SuccessCriteriaMet") is not null || Succeeded(job, tally, active.Count))
        {
            const string Reason = "CompletionsReached", Message = "Reached expected number of succeeded pods";
            delete = active;
            tally.Fail(active);
            status.Set("SuccessCriteriaMet", Reason, Message);
            if (Terminating() == 0)
            {
                status.Set("Complete", Reason, Message);
                status.CompletedAt(now);
                status.Tell("Normal", "Completed", "Job completed");
            }
        }
        else if (job.Suspended)
        {
            delete = active;
            tally.Forget(active);
            status.Suspend();
        }
        else
        {
            status.Resume();
            var wanted = Wanted(job, tally, active.Count);
            if (active.Count > wanted)
            {
                delete = active.OrderBy(pod => pod.Ready).ThenBy(pod => pod.Phase == "Running").Take(active.Count - wanted).ToList();
                tally.Forget(delete);
            }
            else
            {
                // With podReplacementPolicy Failed a Pod on its way out still holds its place.
                var held = active.Count + (job.ReplacesOnlyFailed ? pods.Count(pod => pod.Terminating) : 0);
                var missing = Math.Min(Math.Max(0, wanted - held), PodsAtOnce);
                if (missing > 0 && Backoff(pods, now) is { } delay) checkAfter = Earlier(checkAfter, delay);
                else create = job.Indexed ? Indexes(job, tally, active, missing) : Enumerable.Repeat((int?)null, missing).ToList();
            }
        }

        var running = active.Except(delete).ToList();
        return new JobPlan
        {
            Create = create,
            Delete = delete,
            Status = status.Build(running.Count + create.Count, tally, Terminating(), running.Count(pod => pod.Ready)),
            Counted = tally.Counted,
            Events = status.Events,
            CheckAfter = checkAfter,
        };

        int Terminating() => delete.Count + pods.Count(pod => pod.Terminating);
    }

    private static JobPlan AfterEnd(JobView job, IReadOnlyList<PodView> pods, DateTimeOffset ended, DateTimeOffset now)
    {
        var left = pods.Where(pod => pod.Active).ToList();
        if (job.TimeToLive is not { } ttl) return JobPlan.Nothing with { Delete = left };
        var remaining = ended + ttl - now;
        return remaining <= TimeSpan.Zero ? JobPlan.Nothing with { DeleteJob = true } : JobPlan.Nothing with { Delete = left, CheckAfter = remaining };
    }

    private static (string Reason, string Message)? Failure(
        JobView job, JobStatus status, Tally tally, List<PodView> active, DateTimeOffset now, ref TimeSpan? checkAfter)
    {
        if (job.Condition("FailureTarget") is { } target) return (target.Text("reason") ?? "", target.Text("message") ?? "");
        if (job.Condition("SuccessCriteriaMet") is not null) return null;

        var restarts = job.RestartsInPlace ? active.Sum(pod => pod.Restarts) : 0;
        if (tally.Failed > job.BackoffLimit || (restarts > 0 && restarts >= job.BackoffLimit))
            return ("BackoffLimitExceeded", "Job has reached the specified backoff limit");

        if (job.Deadline is not { } deadline || job.Suspended || status.StartTime is not { } start) return null;
        var remaining = start + deadline - now;
        if (remaining <= TimeSpan.Zero) return ("DeadlineExceeded", "Job was active longer than specified deadline");
        checkAfter = remaining;
        return null;
    }

    private static bool Succeeded(JobView job, Tally tally, int active) =>
        job.Completions is { } completions ? tally.Succeeded >= completions : tally.Succeeded > 0 && active == 0;

    private static int Wanted(JobView job, Tally tally, int active)
    {
        if (job.Completions is { } completions) return Math.Min(job.Parallelism, completions - tally.Succeeded);
        return tally.Succeeded > 0 ? Math.Min(active, job.Parallelism) : job.Parallelism;
    }

    /// <summary>Time still to wait after the last failures in a row; null when a Pod may be created at once.</summary>
    private static TimeSpan? Backoff(IReadOnlyList<PodView> pods, DateTimeOffset now)
    {
        var lastSuccess = pods.Where(pod => pod.Succeeded).Select(pod => pod.FinishedAt).DefaultIfEmpty().Max();
        var failures = pods.Where(pod => pod.Phase == "Failed" && pod.FinishedAt >= lastSuccess).Select(pod => pod.FinishedAt).ToList();
        if (failures.Count == 0) return null;
        var delay = failures.Count > 10 ? LongestDelay : FirstDelay * (1 << (failures.Count - 1));
        var remaining = failures.Max() + (delay < LongestDelay ? delay : LongestDelay) - now;
        return remaining > TimeSpan.Zero ? remaining : null;
    }

    private static List<int?> Indexes(JobView job, Tally tally, List<PodView> active, int missing)
    {
        var taken = active.Select(pod => pod.Index).OfType<int>().Concat(tally.Indexes).ToHashSet();
        return Enumerable.Range(0, job.Completions ?? 0).Where(index => !taken.Contains(index)).Take(missing).Select(index => (int?)index).ToList();
    }

    private static TimeSpan Earlier(TimeSpan? one, TimeSpan other) => one is { } first && first < other ? first : other;

    /// <summary>How many Pods succeeded and failed, each counted once.</summary>
    internal sealed class Tally
    {
        public required HashSet<string> Counted { get; init; }
        public int Succeeded { get; private set; }
        public int Failed { get; private set; }
        public SortedSet<int> Indexes { get; } = [];

        public static Tally Of(JobView job, IReadOnlyList<PodView> pods, IReadOnlySet<string>? counted)
        {
            var (succeeded, failed) = (job.Status.Int("succeeded") ?? 0, job.Status.Int("failed") ?? 0);
            var tally = new Tally { Counted = new HashSet<string>(counted ?? new HashSet<string>()), Succeeded = succeeded, Failed = failed };
            if (job.Indexed) tally.Indexes.UnionWith(CompletedIndexes.Parse(job.Status.Text("completedIndexes")));
            if (counted is null)
            {
                // Which of the ended Pods the status accounts for is unknown: the larger number is the better guess.
                tally.Succeeded = tally.Failed = 0;
                tally.Add(job, pods);
                tally.Succeeded = Math.Max(succeeded, tally.Succeeded);
                tally.Failed = Math.Max(failed, tally.Failed);
            }
            else
            {
                tally.Add(job, pods);
            }

            if (job.Indexed) tally.Succeeded = tally.Indexes.Count;
            return tally;
        }

        /// <summary>Pods that the controller itself ends before they are done count as failures.</summary>
        public void Fail(IEnumerable<PodView> pods) => Failed += pods.Count(pod => Counted.Add(pod.Uid));

        public void Forget(IEnumerable<PodView> pods) => Counted.UnionWith(pods.Select(pod => pod.Uid));

        private void Add(JobView job, IReadOnlyList<PodView> pods)
        {
            foreach (var pod in pods)
            {
                var lost = pod.Gone || (pod.Deleting && !job.ReplacesOnlyFailed);
                if ((!pod.Ended && !lost) || !Counted.Add(pod.Uid)) continue;
                if (!pod.Succeeded) Failed++;
                else if (!job.Indexed) Succeeded++;
                else if (pod.Index is { } index && index < (job.Completions ?? 0)) Indexes.Add(index);
            }
        }
    }
}
