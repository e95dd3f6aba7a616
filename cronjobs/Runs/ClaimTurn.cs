using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.CronJobs.Decisions;
using Fabrik.Kubernetes;
using Fabrik.Runs;

namespace Fabrik.CronJobs.Runs;

/// <summary>
/// Makes the claims of Jobs that resume, where they are not there. One write for each, under a name that follows from the Job: a kill loses nothing and makes nothing twice. A claim that
/// is there is left alone, whosever it is. What keeps a claim from being made, or from getting a volume, is told once, by an Event whose name follows from what it tells.
/// </summary>
/// <param name="clock">The cluster's.</param>
public sealed partial class ClaimTurn(KubernetesClient cluster, RunObserver observer, TimeProvider clock, ILogger<ClaimTurn> logger)
{
    /// <summary>Until one that was refused is tried again: what is in its way is seldom gone sooner.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(30);

    /// <summary>Characters of an Event's message that the API server takes, less what stands around them.</summary>
    private const int LongestWhy = 600;

    private readonly Dictionary<string, DateTimeOffset> refused = new(StringComparer.Ordinal);
    private readonly HashSet<(string Job, string Reason)> told = [];

    /// <returns>False where Jobs are not observed now.</returns>
    /// <exception cref="KubernetesException">The API server cannot be reached, or refuses.</exception>
    public async Task<bool> TakeAsync(CancellationToken ct)
    {
        if (observer.Known is not var (jobs, _)) return false;
        if (observer.Keys is not { } keys) return true;
        var wanted = ResumeClaims.Of(jobs.Select(job => job.Json), keys);
        Forget(wanted);
        if (wanted.Count == 0) return true;
        var there = new Dictionary<string, JsonElement>(StringComparer.Ordinal);
        await foreach (var one in cluster.ListAsync(Kinds.PersistentVolumeClaim, null, ct, new ListOptions { LabelSelector = Names.Labels.RunId })) there[one.Key] = one.Json;
        foreach (var claim in wanted)
        {
            if (there.TryGetValue($"{claim.Namespace}/{claim.Name}", out var found)) await LookAsync(claim, found, ct);
            else if (!refused.TryGetValue(claim.JobUid, out var again) || again <= clock.GetUtcNow()) await MakeAsync(claim, ct);
        }

        return true;
    }

    private async Task MakeAsync(ResumeClaim claim, CancellationToken ct)
    {
        try
        {
            await cluster.CreateAsync(Kinds.PersistentVolumeClaim, claim.Namespace, claim.ToJson(), ct, new WriteOptions { FieldManager = Names.FieldManager });
            refused.Remove(claim.JobUid);
            Log.Made(logger, claim.Namespace, claim.Name, claim.Size, claim.Job);
        }
        catch (KubernetesException e) when (e.IsAlreadyExists)
        {
            refused[claim.JobUid] = clock.GetUtcNow() + Pause;
            await TakenAsync(claim, ct);
        }
        catch (KubernetesException e) when (!e.IsTransient)
        {
            // One namespace's quota, policy or end, or one odd Job, does not keep the others waiting.
            refused[claim.JobUid] = clock.GetUtcNow() + Pause;
            var why = e.StatusMessage.Length > LongestWhy ? e.StatusMessage[..LongestWhy] : e.StatusMessage;
            await TellAsync(claim, "ResumeVolumeRefused", $"The volume to resume from cannot be made, so no Pod of this Job starts: {why}. Next: make room (kubectl describe resourcequota,limitrange -n {claim.Namespace}), which is seen within a minute, or create the Job again with another size in {Names.Annotations.Resume}", ct);
        }
    }

    private async Task LookAsync(ResumeClaim claim, JsonElement found, CancellationToken ct)
    {
        if (!claim.Owns(found)) await TakenAsync(claim, ct);
        else if (ResumeClaims.LacksClass(found, clock.GetUtcNow()))
            await TellAsync(claim, "ResumeVolumeWithoutClass", $"The volume to resume from waits for a storage class, so no Pod of this Job starts: claim {claim.Name} names none, and the cluster has no default. Next: kubectl get storageclass, and mark one: kubectl annotate storageclass NAME storageclass.kubernetes.io/is-default-class=true", ct);
    }

    private Task TakenAsync(ResumeClaim claim, CancellationToken ct) =>
        TellAsync(claim, "ResumeVolumeTaken", $"Claim {claim.Name}, which this Job resumes from, is not this Job's and is left as it is. Next: create the Job again, with what {Names.Annotations.Assignment} says taken out if it is a copy", ct);

    private async Task TellAsync(ResumeClaim claim, string reason, string message, CancellationToken ct)
    {
        if (told.Contains((claim.JobUid, reason))) return;
        var name = $"{claim.Job}.{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{claim.JobUid}\n{reason}")))[..16]}";
        var about = new JsonObject { ["apiVersion"] = "batch/v1", ["kind"] = Kinds.Job.Kind, ["namespace"] = claim.Namespace, ["name"] = claim.Job, ["uid"] = claim.JobUid };
        try
        {
            await Told.EventAsync(cluster, claim.Namespace, name, about, isWarning: true, reason, message, clock.GetUtcNow(), ct);
            Log.Told(logger, claim.Namespace, claim.Job, message);
        }
        catch (KubernetesException e) when (e.IsAlreadyExists)
        {
            // Told before a kill.
        }
        catch (KubernetesException e) when (!e.IsTransient)
        {
            // Its namespace is on its way out, or Events are not for us to write.
            Log.Told(logger, claim.Namespace, claim.Job, message);
        }

        told.Add((claim.JobUid, reason));
    }

    private void Forget(IReadOnlyList<ResumeClaim> wanted)
    {
        if (refused.Count + told.Count == 0) return;
        var live = wanted.Select(claim => claim.JobUid).ToHashSet(StringComparer.Ordinal);
        foreach (var uid in refused.Keys.Where(uid => !live.Contains(uid)).ToList()) refused.Remove(uid);
        told.RemoveWhere(one => !live.Contains(one.Job));
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Information, Message = "Claim {Namespace}/{Name} of {Size} was made, which Job {Job} resumes from")]
        public static partial void Made(ILogger logger, string @namespace, string name, string size, string job);

        [LoggerMessage(Level = LogLevel.Warning, Message = "Job {Namespace}/{Job}: {What}")]
        public static partial void Told(ILogger logger, string @namespace, string job, string what);
    }
}
