using System.Text.Json;

namespace Fabrik.Experiments;

/// <summary>The rules of the CRD OptimizerPolicy in C#: what manifests/crds/optimizerpolicies.yaml says, for the command and the sandbox.</summary>
public static class PolicyRules
{
    /// <summary>Every problem of the object as it would be stored. <paramref name="old"/> is null at creation, where the status is not looked at.</summary>
    public static IReadOnlyList<Problem> Validate(JsonElement? old, JsonElement changed)
    {
        var checks = new Checks();
        var policy = checks.Read(changed, ObjectJson.Policy, "metadata.name", "spec.budgets[].name", "status.conditions[].type", "status.conditions[].status");
        if (policy is null) return checks.Problems;
        checks.Require(policy.Metadata.Name == Names.PolicyName, "metadata.name", "there is one policy and its name is default");
        Spec(checks, policy.Spec);
        if (old is not null)
        {
            checks.Set("status.exhaustedBudgets", policy.Status.ExhaustedBudgets, 128, (at, name) => checks.Text(at, name, 320));
            checks.Range("status.observedGeneration", policy.Status.ObservedGeneration, 0, long.MaxValue);
            checks.Conditions("status.conditions", policy.Status.Conditions);
        }

        return checks.Problems;
    }

    private static void Spec(Checks checks, PolicySpec spec)
    {
        checks.Text("spec.pauseReason", spec.PauseReason, 4096);
        checks.Text("spec.salt", spec.Salt, 128, least: 1);
        Guardrails(checks, spec.Experiments);
        checks.Text("spec.businessHours.timeZone", spec.BusinessHours.TimeZone, 64, Checks.TimeZone(), "must be an IANA time zone such as Europe/Berlin");
        checks.Text("spec.businessHours.from", spec.BusinessHours.From, 5, Checks.TimeOfDay(), "must be HH:MM");
        checks.Text("spec.businessHours.to", spec.BusinessHours.To, 5, Checks.TimeOfDay(), "must be HH:MM");
        checks.Require(string.CompareOrdinal(spec.BusinessHours.From, spec.BusinessHours.To) < 0, "spec.businessHours.from", "business hours must begin before they end");
        checks.Set("spec.protectedEnvironments", spec.ProtectedEnvironments, 32, (at, name) => checks.Text(at, name, 63, least: 1));
        checks.Set("spec.allowedEnvironment", spec.AllowedEnvironment, 128, (at, name) => checks.Text(at, name, 253, least: 1));
        checks.Set("spec.runtimeClasses", spec.RuntimeClasses, 16, (at, name) => checks.Text(at, name, 253, Checks.DnsName(), "must be the name of a RuntimeClass", 1));
        Budgets(checks, spec.Budgets);
        Runs(checks, spec.Runs);
    }

    private static void Runs(Checks checks, RunDefaults runs)
    {
        const string Field = "spec.runs.";
        checks.Require(runs.RunAsUser is >= 1 and <= int.MaxValue, Field + "runAsUser", "runs do not run as root: 1 to 2147483647");
        checks.Require(runs.RunAsGroup is >= 1 and <= int.MaxValue, Field + "runAsGroup", "runs do not run as root: 1 to 2147483647");
        checks.Range(Field + "activeDeadlineSeconds", runs.ActiveDeadlineSeconds, 1, 31_536_000);
        checks.Range(Field + "ttlSecondsAfterFinished", runs.TtlSecondsAfterFinished, 0, 31_536_000);
        checks.Text(Field + "runtimeClassName", runs.RuntimeClassName, 253, Checks.DnsName(), "must be the name of a RuntimeClass", 1);
        checks.LabelValues(Field + "nodeSelector", runs.NodeSelector, 1);
        TreatmentRules.Tolerations(checks, Field + "tolerations", runs.Tolerations);
        checks.Text(Field + "gateImage", runs.GateImage, 512, least: 1);
        checks.Set(Field + "registries", runs.Registries, 64, (at, name) => checks.Text(at, name, 256, Checks.Registry(), "must be a registry or a path in one, such as ghcr.io/example", 1));
    }

    private static void Guardrails(Checks checks, ExperimentGuardrails experiments)
    {
        const string Field = "spec.experiments.";
        checks.Require(experiments.MaxConcurrent is >= 0 and <= 3, Field + "maxConcurrent", "at most 3 experiments run at the same time");
        checks.Require(experiments.InitialShare is > 0 and <= 0.19, Field + "initialShare", "a share must be above 0 and at most 0.19");
        checks.Require(experiments.MaxShare is > 0 and <= 0.19, Field + "maxShare", "a share must be above 0 and at most 0.19");
        checks.Require(experiments.InitialShare <= experiments.MaxShare, Field + "initialShare", "the initial share is above the largest share");
        checks.Range(Field + "minimumRunsPerArm", experiments.MinimumRunsPerArm, 30, 1_000_000);
        checks.Range(Field + "confidence", experiments.Confidence, 0.95, 0.9999);
        checks.Range(Field + "maximumDays", experiments.MaximumDays, 1, 365);
        checks.Range(Field + "costCeiling", experiments.CostCeiling, 1, 100);
    }

    private static void Budgets(Checks checks, IReadOnlyList<Budget> budgets)
    {
        if (!checks.Require(budgets.Count <= 128, "spec.budgets", "must have at most 128 entries")) return;
        var seen = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < budgets.Count; i++)
        {
            var (at, budget) = ($"spec.budgets[{i}]", budgets[i]);
            checks.Text(at + ".name", budget.Name, 63, Checks.DnsLabel(), "must be lower-case letters, digits and '-'", 1);
            checks.Require(seen.Add(budget.Name), at, "stands there twice");
            checks.Text(at + ".scope", budget.Scope, 256);
            checks.Text(at + ".period", budget.Period, 16);
            checks.Text(at + ".currency", budget.Currency, 3, Checks.Currency(), "must be three capital letters such as EUR");
            checks.Text(at + ".limit", budget.Limit, 24, Checks.Money(), "must be a decimal amount such as 150.00");
            if (budget.Unit is null or BudgetUnit.Money) continue;
            checks.Require(budget.Currency is null, at + ".currency", "only money has a currency");
            checks.Require(budget.Limit?.Contains('.', StringComparison.Ordinal) != true, at + ".limit", "requests and tokens are whole numbers");
            checks.Require(budget.Unit != BudgetUnit.Requests || budget.Period is null or "minute", at + ".period", "requests are limited in a minute");
        }
    }
}
