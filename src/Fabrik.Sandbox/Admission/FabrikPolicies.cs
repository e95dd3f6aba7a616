using System.Text.Json.Nodes;
using Fabrik.Sandbox.Access;
using Fabrik.Sandbox.Schema;
using Fabrik.Sandbox.Store;

namespace Fabrik.Sandbox.Admission;

/// <summary>manifests/base/policies.yaml as functions.</summary>
internal static class FabrikPolicies
{
    private const string Scheduler = $"system:serviceaccount:{Names.SystemNamespace}:fabrik-control";

    public static IReadOnlyList<PolicyTwin> Twins { get; } =
    [
        new("8244fbf22e26699c", question => question.User == Scheduler ? null : ""),
        new("ea48bb575b030268", Approval, AutoApply),
        new("85cf0acacc8e45c6", Guardrails, Runs),
        new("b57322de8f17df28", Budgets),
    ];

    private static string? Approval(PolicyQuestion question) =>
        JsonNode.DeepEquals(question.Object.At("spec", "approval"), question.Old.At("spec", "approval")) || MayApprove(question, "optimizationchanges") ? null : "";

    private static string? AutoApply(PolicyQuestion question) =>
        question.Object.Flag("spec", "autoApply") != true || question.Old.Flag("spec", "autoApply") == true || question.User == Scheduler || MayApprove(question, "optimizationchanges") ? null : "";

    private static string? Guardrails(PolicyQuestion question)
    {
        var (now, before) = (question.Object.At("spec"), question.Old.At("spec"));
        var isKept = question.Old is null
            ? now.Text("autoApplyRisk") == "low" && now.Texts("protectedEnvironments").Contains("prod")
            : now.Text("autoApplyRisk") == before.Text("autoApplyRisk") && JsonNode.DeepEquals(now.At("protectedEnvironments"), before.At("protectedEnvironments"));
        return isKept || MayApprove(question, "optimizerpolicies") ? null : "";
    }

    private static string? Runs(PolicyQuestion question)
    {
        var (now, before) = (question.Object.At("spec", "runs"), question.Old.At("spec", "runs"));
        var isKept = question.Old is not null
            ? JsonNode.DeepEquals(now, before)
            : now.Number("runAsUser") == 1000 && now.Number("runAsGroup") == 1000 && now.Flag("readOnlyRootFilesystem") == true
            && now.Number("activeDeadlineSeconds") == 21_600 && now.Number("ttlSecondsAfterFinished") == 86_400
            && now.At("runtimeClassName") is null && now.At("nodeSelector") is null && now.At("tolerations") is null
            && now.Flag("gate") == false && now.At("gateImage") is null && !now.Items("registries").Any();
        return isKept || MayApprove(question, "optimizerpolicies") ? null : "";
    }

    private static bool MayApprove(PolicyQuestion question, string resource) =>
        question.May(new AccessQuestion("approve", Names.Group, resource, "", question.Request.Namespace ?? "", question.Object.Text("metadata", "name") ?? ""));

    private static string? Budgets(PolicyQuestion question)
    {
        if (!CallsModels(question)) return null;
        var (ns, project) = (question.Request.Namespace!, Project(question));
        var exhausted = question.Parameters.Texts("status", "exhaustedBudgets").ToHashSet(StringComparer.Ordinal);
        var spent = question.Parameters.Items("spec", "budgets").Where(IsSpent).Select(budget => budget.Text("name")).ToList();
        return spent.Count == 0 ? null
            : $"the hard budget {string.Join(", ", spent)} is spent, and it is for the calls of models of namespace {ns}{(project.Length == 0 ? "" : ", project " + project)}"
            + ". Next: wait until it begins anew (kubectl get events --field-selector involvedObject.kind=OptimizerPolicy), raise it (fabrik optimizer config set budgets), or create the Job with annotation fabrik.dev/gateway: \"false\", without models";

        bool IsSpent(JsonNode? budget)
        {
            if (budget.Flag("hard") != true) return false;
            var (name, scope) = (budget.Text("name"), budget.Text("scope") ?? "");
            if (scope is "" or "cluster" || scope == $"namespace/{ns}" || (project.Length > 0 && scope == $"project/{project}")) return exhausted.Contains(name!);
            return (scope == "namespace" && exhausted.Contains($"{name}/{ns}")) || (scope == "project" && project.Length > 0 && exhausted.Contains($"{name}/{project}"));
        }
    }

    private static bool CallsModels(PolicyQuestion question)
    {
        var own = question.Object.Text("metadata", "annotations", Names.Annotations.Gateway);
        return question.Namespace.Text("metadata", "labels", Names.Labels.Gateway) == "true" ? own != "false" : own == "true";
    }

    private static string Project(PolicyQuestion question)
    {
        var own = question.Object.Text("metadata", "labels", Names.Labels.Project) ?? "";
        var listed = (question.Namespace.Text("metadata", "annotations", Names.Annotations.Projects) ?? "").Split(',', StringSplitOptions.TrimEntries);
        return own.Length > 0 && listed.Contains(own) ? own : question.Namespace.Text("metadata", "labels", Names.Labels.Project) ?? "";
    }
}
