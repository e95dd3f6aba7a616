using System.Text.Json;
using Fabrik.Experiments;

namespace Fabrik.Reports;

/// <summary>What the object of a change still tells of its life, where its record cannot be asked.</summary>
public static class ChangeHistory
{
    public static IEnumerable<HistoryEntry> Of(OptimizationChange change)
    {
        var status = change.Status;
        if (change.Metadata.CreationTimestamp is { } created) yield return new HistoryEntry(created, change.Name, null, "proposed", null, []);
        if (status.StartedAt is { } started) yield return new HistoryEntry(started, change.Name, null, "experiment_running", null, []);
        if (status.LastAppliedAt is { } applied) yield return new HistoryEntry(applied, change.Name, null, "applied", null, change.Phase == Phase.Applied && status.Reason is { } why ? [why] : []);
        if (change.Spec.Approval is { At: { } decided } approval) yield return new HistoryEntry(decided, change.Name, null, approval.Approved ? "approved" : "refused", approval.By, approval.Reason is { } reason ? [reason] : []);

        // The last step, where a condition has its time.
        if (change.Phase is Phase.Rejected or Phase.RolledBack && status.Conditions.Max(condition => condition.LastTransitionTime) is { } ended)
            yield return new HistoryEntry(ended, change.Name, null, JsonSerializer.SerializeToElement(change.Phase, ObjectJson.Default.Phase).GetString()!, null, status.Reason is { } last ? [last] : []);
    }
}
