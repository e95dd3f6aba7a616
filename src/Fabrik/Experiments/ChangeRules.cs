using System.Text.Json;

namespace Fabrik.Experiments;

/// <summary>The rules of the CRD OptimizationChange in C#: what manifests/crds/optimizationchanges.yaml says, for the command and the sandbox.</summary>
public static class ChangeRules
{
    /// <summary>
    /// Every problem of the object as it would be stored; empty when an API server takes it.
    /// <paramref name="old"/> is null at creation, where the status is not looked at: the server drops it.
    /// </summary>
    public static IReadOnlyList<Problem> Validate(JsonElement? old, JsonElement changed)
    {
        var checks = new Checks();
        var change = checks.Read(changed, ObjectJson.Change, "metadata.name", "spec", "spec.type", "spec.change", "spec.approval.approved", "status.conditions[].type", "status.conditions[].status");
        if (change is null) return checks.Problems;
        checks.Require(change.Name.Length <= 63, "metadata.name", "the name becomes the value of a label, so it may have at most 63 characters");
        Spec(checks, change.Spec);
        if (old is { } before && new Checks().Read(before, ObjectJson.Change) is { } previous)
        {
            Status(checks, change.Status);
            Step(checks, previous, change);
        }

        return checks.Problems;
    }

    private static void Step(Checks checks, OptimizationChange old, OptimizationChange changed)
    {
        checks.Require(Transitions.Exists(old.Phase, changed.Phase), "status.phase", $"there is no step from {WireNames.Of(old.Phase)} to {WireNames.Of(changed.Phase)}");
        checks.Require(
            old.Phase == Phase.Proposed || JsonElement.DeepEquals(WithoutApproval(old), WithoutApproval(changed)),
            "spec",
            "after phase proposed nothing but spec.approval may change; propose another change instead");
    }

    private static void Spec(Checks checks, ChangeSpec spec)
    {
        var target = spec.Target;
        checks.LabelValues("spec.target.labelSelector", target.LabelSelector);
        checks.Set("spec.target.namespaces", target.Namespaces, 64, (at, name) => checks.Text(at, name, 63, Checks.DnsLabel(), "must be the name of a namespace", 1));
        checks.Text("spec.target.cronJob", target.CronJob, 52, Checks.DnsName(), "must be the name of a CronJob", 1);
        checks.Set("spec.target.containers", target.Containers, 32, (at, name) => checks.Text(at, name, 63, Checks.DnsLabel(), "must be the name of a container", 1));
        checks.Text("spec.target.model", target.Model, 128, least: 1);
        checks.Require(spec.Type == ChangeType.Model || target.Model is null, "spec.target", "target.model belongs to a change of type model");
        checks.Require(spec.Type != ChangeType.Model || target.Model is not null, "spec.target", "a change of type model names in target.model the model whose calls it rewrites");
        checks.Require(spec.Type != ChangeType.Model || target.Model is null || target.Model != spec.Change.Model, "spec.change", "the model is the one that it replaces; name another");
        TreatmentRules.Check(checks, spec.Type, spec.Change);
        checks.Text("spec.rationale", spec.Rationale, 8192);
        if (spec.Evidence is { } evidence)
        {
            checks.Require(evidence.Runs.Count <= 256, "spec.evidence.runs", "must have at most 256 entries");
            for (var i = 0; i < evidence.Runs.Count; i++) checks.Text($"spec.evidence.runs[{i}]", evidence.Runs[i], 64, least: 1);
            checks.Map("spec.evidence.figures", evidence.Figures, 0, 64);
        }

        var plan = spec.Experiment;
        checks.Require(plan.Share is > 0 and < 0.2, "spec.experiment.share", "the share must be above 0 and below 0.2 (20 % of the Jobs)");
        checks.Range("spec.experiment.controlRuns", plan.ControlRuns, 0, int.MaxValue);
        checks.Range("spec.experiment.treatmentRuns", plan.TreatmentRuns, 0, int.MaxValue);
        checks.Text("spec.experiment.duration", plan.Duration, 8, Checks.Duration(), "must be a number of minutes, hours or days, such as 3d or 36h");
        checks.Range("spec.experiment.confidence", plan.Confidence, 0, 1);
        if (spec.RollbackPlan is { } rollback)
        {
            checks.Text("spec.rollbackPlan.metric", rollback.Metric, 63, Checks.Word(), "must be a word such as oom_rate");
            checks.Range("spec.rollbackPlan.threshold", rollback.Threshold, 0, double.MaxValue);
            checks.Text("spec.rollbackPlan.action", rollback.Action, 63, Checks.Word(), "must be a word such as immediate_rollback");
        }

        checks.Text("spec.approval.by", spec.Approval?.By, 253);
        checks.Text("spec.approval.reason", spec.Approval?.Reason, 4096);
    }

    private static void Status(Checks checks, ChangeStatus status)
    {
        checks.Text("status.experimentId", status.ExperimentId, 63);
        checks.Range("status.slot", status.Slot, 0, AssignmentBuckets.Slots - 1);
        checks.Range("status.holdback", status.Holdback, 0, AssignmentBuckets.Holdbacks - 1);
        checks.Require(status.Share is null or (>= 0 and < 0.2), "status.share", "the share in force must be below 0.2 (20 % of the Jobs)");
        checks.Text("status.rolloutProgress", status.RolloutProgress, 16, Checks.Percent(), "must be a percentage such as 100%");
        checks.Text("status.reason", status.Reason, 4096);
        checks.Text("status.transition", status.Transition, 64);
        checks.Range("status.observedGeneration", status.ObservedGeneration, 0, long.MaxValue);
        checks.Conditions("status.conditions", status.Conditions);
    }

    private static JsonElement WithoutApproval(OptimizationChange change) =>
        JsonSerializer.SerializeToElement(change with { Spec = change.Spec with { Approval = null }, Status = new ChangeStatus(), Metadata = new ChangeMetadata { Name = "" } }, ObjectJson.Default.OptimizationChange);
}
