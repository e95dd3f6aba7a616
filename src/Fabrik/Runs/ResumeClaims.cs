using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.Experiments;
using Fabrik.Quantities;

namespace Fabrik.Runs;

/// <summary>
/// The claims of Jobs that were given a volume to resume from. One is made only where the Job's signed record says so and names the size, and the Pod template mounts the claim that
/// follows from the record's run id: what anybody else writes on a Job makes none.
/// </summary>
public static class ResumeClaims
{
    /// <summary>A number without a unit is bytes, and was not meant so.</summary>
    public static readonly Quantity Least = Parse("1Mi");

    /// <summary>More than a container of a run may have as memory, which is what is written down. What a namespace may have altogether its ResourceQuota says.</summary>
    public static readonly Quantity Most = Parse("100Gi");

    /// <summary>A class that is marked as the default later is filled in by Kubernetes; sooner than this it may just not have looked.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    public static string NameOf(string runId) => $"{Names.Objects.ResumeVolume}-{runId}";

    /// <summary>Null unless it is a quantity within the bounds.</summary>
    public static Quantity? Size(string? text) => Quantity.TryParse(text, out var size) && size >= Least && size <= Most ? size : null;

    /// <summary>Claims that must be there, each once: where two Jobs name one, it is the earlier one's.</summary>
    /// <param name="jobs">As Kubernetes sends them. Those that have ended, are being deleted or wait to be let go on need none.</param>
    public static IReadOnlyList<ResumeClaim> Of(IEnumerable<JsonElement> jobs, AssignmentKeys keys) =>
        [.. jobs.Select(job => Claim(job, keys)).OfType<ResumeClaim>().OrderBy(claim => claim.Created, StringComparer.Ordinal).ThenBy(claim => claim.JobUid, StringComparer.Ordinal)];

    /// <summary>Whether a claim that is there waits for a storage class that nobody names.</summary>
    public static bool LacksClass(JsonElement claim, DateTimeOffset now) =>
        claim.Get("status").Text("phase") == "Pending" && claim.Get("spec").Text("storageClassName") is null && claim.Get("spec").Text("volumeName") is null
        && claim.Get("metadata").Time("creationTimestamp") is { } created && now - created > Patience;

    private static ResumeClaim? Claim(JsonElement job, AssignmentKeys keys)
    {
        // First what is cheap: few Jobs have one, and all are looked at.
        var (metadata, spec) = (job.Get("metadata"), job.Get("spec"));
        var name = spec.Get("template").Get("spec").Items("volumes").Where(volume => volume.Text("name") == Names.Objects.ResumeVolume).Select(volume => volume.Get("persistentVolumeClaim").Text("claimName")).FirstOrDefault();
        if (name is null || metadata.Text("deletionTimestamp") is not null || PeerPolicies.HasEnded(job) || spec.Get("suspend") is { ValueKind: JsonValueKind.True }) return null;
        if (metadata.Text("uid") is not { } uid || metadata.Text("name") is not { } jobName || metadata.Text("namespace") is not { } ns) return null;
        if (Assignment.Of(job, keys) is not { Resume: { } size } assignment || Size(size) is null || name != NameOf(assignment.RunId)) return null;
        return new ResumeClaim(ns, assignment.RunId, size, jobName, uid, metadata.Text("creationTimestamp") ?? "");
    }

    private static Quantity Parse(string text) => Quantity.TryParse(text, out var size) ? size : throw new FormatException(text);
}

/// <param name="Size">As the Job's author wrote it.</param>
/// <param name="Created">Of the Job, as Kubernetes writes times.</param>
public sealed record ResumeClaim(string Namespace, string RunId, string Size, string Job, string JobUid, string Created)
{
    public string Name => ResumeClaims.NameOf(RunId);

    /// <summary>
    /// Told apart by the label with the run's id alone: whatever has Fabrik's own label goes when Fabrik is removed, and this is the Job's. In the cluster's default class. ReadWriteOnce, not ReadWriteOncePod: with the latter a new Pod is not scheduled while the one before it is still listed, which on a lost node is
    /// until somebody removes it; and not every driver knows it.
    /// </summary>
    public JsonObject ToJson() => new()
    {
        ["apiVersion"] = "v1",
        ["kind"] = "PersistentVolumeClaim",
        ["metadata"] = new JsonObject
        {
            ["name"] = Name,
            ["namespace"] = Namespace,
            ["labels"] = new JsonObject { [Names.Labels.RunId] = RunId },
            ["ownerReferences"] = new JsonArray(new JsonObject { ["apiVersion"] = "batch/v1", ["kind"] = "Job", ["name"] = Job, ["uid"] = JobUid }),
        },
        ["spec"] = new JsonObject { ["accessModes"] = new JsonArray("ReadWriteOnce"), ["resources"] = new JsonObject { ["requests"] = new JsonObject { ["storage"] = Size } } },
    };

    /// <summary>Whether a claim of this name is this Job's.</summary>
    public bool Owns(JsonElement claim) => claim.Get("metadata").Items("ownerReferences").Any(owner => owner.Text("uid") == JobUid);
}
