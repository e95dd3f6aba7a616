using System.Text.Json;

namespace Fabrik.Admission;

/// <summary>The places of a Job at which the defaults of runs and the volume to resume from stand. Made only where somebody asks: few namespaces have untrusted runs.</summary>
internal sealed class SafetyDraft
{
    private static readonly byte[][] PodKeys = ["runAsNonRoot"u8.ToArray(), "runAsUser"u8.ToArray(), "runAsGroup"u8.ToArray(), "fsGroup"u8.ToArray(), "seccompProfile"u8.ToArray(), "fsGroupChangePolicy"u8.ToArray()];

    public SafetyDraft(JobDraft job)
    {
        Deadline = new JobValue(JobField.Deadline, null, null, job.Raw(job.Spec.Member("activeDeadlineSeconds"u8)));
        ServiceAccountToken = new JobValue(JobField.ServiceAccountToken, null, null, job.Raw(job.Pod.Member("automountServiceAccountToken"u8)));
        SecurityElement = job.Pod.Member("securityContext"u8);
        VolumesElement = job.Pod.Member("volumes"u8);
        Security = Array.ConvertAll(PodKeys, key => new JobValue(JobField.PodSecurity, null, key, job.Raw(SecurityElement.Member(key))));
        Volume = job.Entry(JobField.Volume, null, VolumesElement, RunSafety.TmpName);
        Resume = job.Entry(JobField.Volume, null, VolumesElement, ResumeVolume.Name);
        IsSound = SecurityElement.ValueKind is JsonValueKind.Undefined or JsonValueKind.Object && JobDraft.IsNamedList(VolumesElement);
        foreach (var container in job.Containers) IsSound &= container.MakeSafety();
    }

    public JsonElement SecurityElement { get; }
    public JsonElement VolumesElement { get; }
    public JobValue Deadline { get; }
    public JobValue ServiceAccountToken { get; }

    /// <summary>Of the Pod: who its processes are, and the system calls they have.</summary>
    public JobValue[] Security { get; }
    public JobValue NonRoot => Security[0];
    public JobValue User => Security[1];
    public JobValue Group => Security[2];
    public JobValue VolumeGroup => Security[3];
    public JobValue Seccomp => Security[4];
    public JobValue VolumeGroupChange => Security[5];

    /// <summary>The empty directory for /tmp.</summary>
    public JobValue Volume { get; }

    /// <summary>What outlives the Pod.</summary>
    public JobValue Resume { get; }

    /// <summary>Everything has the shape that Kubernetes says; else none of it is written.</summary>
    public bool IsSound { get; }
}
