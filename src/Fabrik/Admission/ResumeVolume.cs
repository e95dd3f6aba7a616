using System.Text;
using System.Text.Json;
using Fabrik.Runs;

namespace Fabrik.Admission;

/// <summary>
/// The volume of a Job that outlives its Pods: a retried Pod finds what the one before it wrote. Here the Pod template gets a claim by a name that follows from the run's id; the
/// scheduler makes the claim once the Job exists (<see cref="ResumeClaims"/>), and Pods wait for it. It is the same in every arm, and stands on the Job before a change is put on it.
/// </summary>
internal static class ResumeVolume
{
    public static readonly byte[] Name = Encoding.ASCII.GetBytes(Names.Objects.ResumeVolume);

    private static readonly byte[] Mount = Encoding.ASCII.GetBytes($$"""{"name":"{{Names.Objects.ResumeVolume}}","mountPath":"{{Names.Paths.Resume}}"}""");
    private static readonly byte[] Variable = Encoding.ASCII.GetBytes(Names.Variables.ResumeDirectory);
    private static readonly byte[] Directory = Json.String(Names.Paths.Resume);
    private static readonly byte[] OnRootMismatch = "\"OnRootMismatch\""u8.ToArray();

    /// <summary>Of a file's mode.</summary>
    private const int OthersRead = 4;

    /// <summary>Whatever may be in it, Fabrik's mount must neither hide nor be hidden by another.</summary>
    private static readonly string[] Above = ["/fabrik", ""];

    /// <summary>Whole, or not at all: then <see cref="JobDraft.ResumeNotice"/> says why.</summary>
    /// <param name="runId">Of the Job.</param>
    /// <param name="group">That the volume belongs to where the Job says none, as JSON.</param>
    public static void Put(JobDraft job, string runId, byte[] group)
    {
        if (job.AnnotationsElement.Member(Utf8Names.Resume).Text() is not { } size) return;
        job.ResumeNotice = Obstacle(job, size);
        if (job.ResumeNotice is not null) return;
        job.Resume = Json.String(size);
        var safety = job.Safety;
        job.Set(safety.Resume, Encoding.ASCII.GetBytes($$$"""{"name":"{{{Names.Objects.ResumeVolume}}}","persistentVolumeClaim":{"claimName":"{{{ResumeClaims.NameOf(runId)}}}"}}"""));
        Behind(safety.Resume, safety.Volume);
        foreach (var container in job.Containers)
        {
            if (container.IsInit) continue;
            job.Set(container.ResumeMount, Mount);
            Behind(container.ResumeMount, container.Mount);
            var variable = container.Variable(Variable);
            if (variable.Current.Length == 0) job.Set(variable, Directory);
        }

        Own(job, safety, group);
    }

    /// <summary>Else a user that is not root could not write into it. The group of a Pod is one for all its volumes: those that somebody else looks after keep theirs.</summary>
    private static void Own(JobDraft job, SafetyDraft safety, byte[] group)
    {
        if (job.Pod.Member("os"u8).Member("name"u8).Is("windows"u8)) return;
        if (safety.VolumeGroup.Current.Length == 0)
        {
            if (HasOtherOwners(safety))
            {
                job.ResumeNotice = AdmissionReasons.ResumeGroup;
                return;
            }

            job.Set(safety.VolumeGroup, JobDraft.Number(safety.Group.Current) > 0 ? safety.Group.Current : group);
        }

        // What is large is not walked through again at each retry.
        if (safety.VolumeGroupChange.Current.Length == 0 && !HasOtherOwners(safety)) job.Set(safety.VolumeGroupChange, OnRootMismatch);
    }

    private static string? Obstacle(JobDraft job, string size)
    {
        if (ResumeClaims.Size(size) is null) return AdmissionReasons.ResumeSize;
        if (IsShared(job)) return AdmissionReasons.ResumeShared;
        return job.Safety is { IsSound: true } safety && safety.Resume.Current.Length == 0 && Array.TrueForAll(job.Containers, container => container.IsInit || IsFree(container)) ? null : AdmissionReasons.ResumeTaken;
    }

    /// <summary>More than one Pod at a time, or each with a part of its own: a volume that is written on one node can be neither on two nor two.</summary>
    private static bool IsShared(JobDraft job)
    {
        var completions = job.Spec.Member("completions"u8) is { ValueKind: JsonValueKind.Number } value && value.TryGetInt32(out var number) ? number : (int?)null;
        if (completions == 1) return false;
        return JobDraft.Number(job.Parallelism.Current) > 1 || job.Spec.Member("completionMode"u8).Is("Indexed"u8);
    }

    private static bool IsFree(ContainerDraft container)
    {
        if (container.ResumeMount.Current.Length > 0) return false;
        return !Paths(container.MountsElement, "mountPath"u8).Concat(Paths(container.Element.Member("volumeDevices"u8), "devicePath"u8)).Any(path =>
            path == Names.Paths.Resume || Above.Contains(path) || path.StartsWith(Names.Paths.Resume + "/", StringComparison.Ordinal));
    }

    /// <summary>Fabrik's own was a copied Job's, and is taken back.</summary>
    private static List<string> Paths(JsonElement list, ReadOnlySpan<byte> field)
    {
        var paths = new List<string>();
        if (list.ValueKind != JsonValueKind.Array) return paths;
        foreach (var one in list.EnumerateArray())
            if (!one.Member("name"u8).Is(Name) && one.Member(field).Text() is { Length: > 0 } path) paths.Add(path.TrimEnd('/'));
        return paths;
    }

    /// <summary>Volumes from elsewhere get another group with it, and Secrets that are for nobody else to read other modes, which some programs refuse; the rest does not mind.</summary>
    private static bool HasOtherOwners(SafetyDraft safety)
    {
        if (safety.VolumesElement.ValueKind != JsonValueKind.Array) return false;
        foreach (var volume in safety.VolumesElement.EnumerateArray())
        {
            if (volume.Member("name"u8).Is(Name)) continue;
            foreach (var source in volume.EnumerateObject())
            {
                if (source.NameEquals("name"u8) || source.NameEquals("emptyDir"u8) || source.NameEquals("configMap"u8) || source.NameEquals("downwardAPI"u8) || source.NameEquals("hostPath"u8)) continue;
                if (!(source.NameEquals("secret"u8) || source.NameEquals("projected"u8)) || !IsForAll(source.Value)) return true;
            }
        }

        return false;
    }

    private static bool IsForAll(JsonElement source)
    {
        if (IsPrivate(source.Member("defaultMode"u8))) return false;
        return source.Member("items"u8) is not { ValueKind: JsonValueKind.Array } items || !items.EnumerateArray().Any(item => IsPrivate(item.Member("mode"u8)));

        static bool IsPrivate(JsonElement mode) => mode.ValueKind == JsonValueKind.Number && mode.TryGetInt32(out var bits) && (bits & OthersRead) == 0;
    }

    /// <summary>Where both come to the end of a list.</summary>
    private static void Behind(JobValue entry, JobValue before)
    {
        if (entry.Received.Length == 0 && before.Received.Length == 0 && before.Current.Length > 0) entry.Position = before.Position + 1;
    }
}
