using System.Text.Json;
using Fabrik.Experiments;

namespace Fabrik.Admission;

/// <summary>
/// An update of a Job that Fabrik changed at its creation. Applying the same manifest again sends the values of before, which the API server would
/// refuse as a change of an immutable template: exactly those go back to what the Job has. What the user really changed stays changed.
/// </summary>
internal static class UpdateAdmission
{
    /// <summary>From here on resources of a suspended Job may be edited, and its scheduling as soon as nothing runs.</summary>
    private const int ResourcesMutableFrom = 36;

    public static AdmissionOutcome Admit(in ReviewRequest request, JobDraft job, JobDraft old, AdmissionSnapshot snapshot)
    {
        if (Assignment.Of(old.Job, snapshot.Keys) is not { } assignment) return request.Untouched(AdmissionReasons.UpdateUnassigned);
        var (resourcesOpen, schedulingOpen) = Open(old, snapshot);
        Freeze(job, job.Assignment, old.Assignment);
        for (var i = 0; i < job.Labels.Length; i++)
        {
            Freeze(job, job.Labels[i], old.Labels[i]);
            if (!schedulingOpen) Freeze(job, job.TemplateLabels[i], old.TemplateLabels[i]);
        }

        foreach (var written in assignment.Written)
        {
            if (WrittenPaths.Find(job, written) is not { } now || WrittenPaths.Find(old, written) is not { } before) continue;
            if (now.Container?.Ordinal != before.Container?.Ordinal || !WrittenPaths.Is(now, written.From) || Json.Same(now.Received, before.Received)) continue;
            if (IsOpen(now, resourcesOpen, schedulingOpen) || (IsMutable(now) && !WrittenPaths.Is(before, written.To))) continue;
            if (now.Field == JobField.Environment) now.Position = Position(before);
            else if (now.Field == JobField.Gate) now.Position = Math.Min(job.Length(now), before.Position);
            else if (now.IsEntry) now.Position = before.Position;
            job.Set(now, before.Received);
        }

        return job.Mark == 0 ? request.Untouched(AdmissionReasons.UpdateUnchanged) : request.Patched(AdmissionReasons.UpdateRestored);
    }

    /// <summary>What the API server lets others edit on this suspended Job: there the values of a queue such as Kueue stand.</summary>
    private static (bool Resources, bool Scheduling) Open(JobDraft old, AdmissionSnapshot snapshot)
    {
        if (old.Spec.Member("suspend"u8).ValueKind != JsonValueKind.True) return (false, false);
        var status = old.Job.Member("status"u8);
        var isIdle = status.Member("active"u8) is not { ValueKind: JsonValueKind.Number } active || !active.TryGetInt32(out var count) || count == 0;
        return snapshot.KubernetesMinor >= ResourcesMutableFrom
            ? (isIdle, isIdle)
            : (false, isIdle && status.Member("startTime"u8).ValueKind == JsonValueKind.Undefined);
    }

    private static bool IsOpen(JobValue value, bool resourcesOpen, bool schedulingOpen) => value.Field switch
    {
        JobField.NodeSelector or JobField.Tolerations => schedulingOpen,

        // On a suspended Job a queue may have set it: partial admission lowers the parallelism.
        JobField.Parallelism => schedulingOpen,
        _ => value.IsResource && resourcesOpen,
    };

    /// <summary>At any time: once it is no longer what Fabrik wrote, it is the user's.</summary>
    private static bool IsMutable(JobValue value) => value.Field is JobField.Parallelism or JobField.Ttl or JobField.Deadline;

    private static void Freeze(JobDraft job, JobValue now, JobValue before) => job.Set(now, before.Received);

    private static int Position(JobValue variable)
    {
        var position = 0;
        foreach (var entry in variable.Container!.EnvironmentElement.EnumerateArray())
        {
            if (entry.Member("name"u8).Is(variable.Key)) return position;
            position++;
        }

        return -1;
    }
}
