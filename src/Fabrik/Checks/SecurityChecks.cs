using System.Text.Json;

namespace Fabrik.Checks;

/// <summary>What the API server said to a Pod that was only tried.</summary>
/// <param name="Refusal">Null: it was let in.</param>
public sealed record TriedPod(string? Refusal);

/// <param name="Namespaces">All.</param>
/// <param name="Privileged">A privileged Pod, tried in <see cref="Where"/>.</param>
/// <param name="Plain">A Pod that asks for nothing special, tried there too.</param>
/// <param name="Where">The namespace for runs, or before Fabrik is installed one that was made with the label.</param>
/// <param name="StatusWrite">What the API server said to this user's writing a status, tried only.</param>
public sealed record SecurityFacts(
    InstalledObjects Installation, Reading<IReadOnlyList<JsonElement>> Namespaces, string Where, Reading<TriedPod> Privileged, Reading<TriedPod> Plain,
    Reading<IReadOnlyList<JsonElement>> Policies, Reading<IReadOnlyList<JsonElement>> Bindings, Reading<TriedPod> StatusWrite);

/// <summary>Whether Kubernetes itself holds back what a run may not do.</summary>
public static class SecurityChecks
{
    private const string Enforce = "pod-security.kubernetes.io/enforce";

    /// <summary>Who refused, in the API server's sentences.</summary>
    private const string PodSecurity = "PodSecurity";
    private const string AdmissionPolicy = "ValidatingAdmissionPolicy";

    /// <summary>What the command installs; the manifests are compared with it.</summary>
    public static readonly IReadOnlyList<string> PolicyNames =
        ["fabrik-approval", "fabrik-budgets", "fabrik-guardrails", "fabrik-run-access", "fabrik-run-egress", "fabrik-run-identity", Names.Objects.RunImagesPolicy, Names.Objects.RunJobsPolicy, "fabrik-run-pods", "fabrik-status"];

    public static readonly Category<SecurityFacts> Category = new("pod-security",
    [
        new("FAB-3131", "Fabrik's namespaces enforce the restricted level", facts => facts.Installation.Outside is { } outside ? Finding.Skipped(outside) : facts.Namespaces.Judge(all =>
            new[] { Names.SystemNamespace, Names.GatewayNamespace, Names.RunsNamespace }.Where(name => all.All(ns => ns.Name() != name || ns.Label(Enforce) != "restricted")).ToList() is { Count: > 0 } open
                ? Finding.Failed($"{string.Join(", ", open)} lacks the label {Enforce}: restricted", $"kubectl label namespace {open[0]} {Enforce}=restricted --overwrite")
                : Finding.Passed())) { Phase = CheckPhase.After },
        new("FAB-3132", "a privileged Pod is refused", facts => facts.Privileged.Judge(
            tried => tried.Refusal is null ? Finding.Failed($"a privileged Pod was let into namespace {facts.Where}, which is labelled {Enforce}: restricted", "enable the admission plugin PodSecurity of the API server")
                : tried.Refusal.Contains(PodSecurity, StringComparison.Ordinal) || tried.Refusal.Contains(AdmissionPolicy, StringComparison.Ordinal) ? Finding.Passed($"in namespace {facts.Where}")
                : Finding.Unproven($"it was refused for another reason: {tried.Refusal}"),
            () => Finding.Skipped($"there is no namespace {facts.Where}"))),
        new("FAB-3133", "a Pod that asks for nothing special is let in", facts => facts.Plain.Judge(
            tried => tried.Refusal is null ? Finding.Passed($"in namespace {facts.Where}") : Finding.Failed($"it was refused, so no run would start: {tried.Refusal}", $"kubectl -n {facts.Where} get resourcequota,limitrange"),
            () => Finding.Skipped($"there is no namespace {facts.Where}"))),
        new("FAB-3134", "other namespaces that are opted in enforce the baseline", facts => facts.Namespaces.Judge(all =>
            all.Where(ns => (ns.Label(Names.Labels.Enabled) == "true" || ns.Label(Names.Labels.Gateway) == "true") && ns.Label(Enforce) is not ("baseline" or "restricted") && ns.Label(Names.Labels.Check) is null).Select(Fields.Name).ToList() is { Count: > 0 } open
                ? Finding.Warning($"{open.Few()}: a run there may take over its node", $"kubectl label namespace {open[0]} {Enforce}=baseline --overwrite")
                : Finding.Passed())) { Phase = CheckPhase.After },
        new("FAB-3135", "the admission policies are there and deny", facts => facts.Installation.Outside is { } outside ? Finding.Skipped(outside) : facts.Policies.Judge(policies => facts.Bindings.Judge(bindings =>
            PolicyNames.Where(name => policies.All(policy => policy.Name() != name) || !bindings.Any(binding => binding.Text("spec", "policyName") == name && binding.Texts("spec", "validationActions").Contains("Deny"))).ToList() is { Count: > 0 } open
                ? Finding.Failed($"not there, or not bound with the action Deny: {string.Join(", ", open)}", "fabrik install")
                : Finding.Passed($"{PolicyNames.Count} policies")))) { Phase = CheckPhase.After },
        new("FAB-3136", "the API server understands their expressions", facts => facts.Installation.Outside is { } outside ? Finding.Skipped(outside) : facts.Policies.Judge(policies =>
            policies.Where(policy => PolicyNames.Contains(policy.Name()) && policy.List("status", "typeChecking", "expressionWarnings").Any()).ToList() is { Count: > 0 } odd
                ? Finding.Failed($"{odd[0].Name()}: {odd[0].List("status", "typeChecking", "expressionWarnings").First().Text("warning")}", $"kubectl get validatingadmissionpolicy {odd[0].Name()} -o yaml")
                : Finding.Passed())) { Phase = CheckPhase.After, Needs = ["FAB-3135"] },
        new("FAB-3137", "nobody but the scheduler writes a status", facts => facts.Installation.Outside is { } outside ? Finding.Skipped(outside) : facts.StatusWrite.Judge(
            tried => tried.Refusal is null ? Finding.Failed("this user's write of the policy's status was accepted (tried with --dry-run=server): a status could be made up", "fabrik install") : Finding.Passed("tried with --dry-run=server"),
            () => Finding.Unproven($"there is no OptimizerPolicy {Names.PolicyName} to try it with"))) { Phase = CheckPhase.After, Needs = ["FAB-3135"] },
    ])
    { Needs = [AccessChecks.Answers] };
}
