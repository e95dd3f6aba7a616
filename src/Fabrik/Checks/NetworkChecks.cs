using System.Text.Json;

namespace Fabrik.Checks;

/// <summary>What canary Pods have found out.</summary>
/// <param name="Open">Without a policy: what could be reached, by target. It shows that the way of trying works.</param>
/// <param name="Closed">Under the policies: what could be reached.</param>
public sealed record NetworkProof(IReadOnlyDictionary<string, bool> Open, IReadOnlyDictionary<string, bool> Closed);

/// <param name="Outside">Why nothing of Fabrik isolates runs here.</param>
/// <param name="Where">The namespace for runs, or before Fabrik is installed one with a policy of its own.</param>
/// <param name="Policies">NetworkPolicies there.</param>
/// <param name="Proof">Or why nothing could be shown.</param>
public sealed record NetworkFacts(string? Outside, string Where, Reading<IReadOnlyList<JsonElement>> Policies, Reading<NetworkProof> Proof);

/// <summary>Whether network policies are enforced. Kubernetes stores them whether or not anything does; so Pods try.</summary>
public static class NetworkChecks
{
    /// <summary>Another Pod of the same namespace.</summary>
    public const string Peer = "peer";

    /// <summary>The API server's address inside the cluster.</summary>
    public const string ApiServer = "api-server";

    /// <summary>The cloud's address that gives out credentials of nodes.</summary>
    public const string Metadata = "metadata";

    private const string Enforcer = "install a network plugin that enforces NetworkPolicy (k3s: without --disable-network-policy; Calico, Cilium)";

    public static readonly Category<NetworkFacts> Category = new("network-policy",
    [
        new("FAB-3251", "runs are isolated by a policy that denies by default", facts => facts.Outside is { } outside ? Finding.Skipped(outside) : facts.Policies.Judge(policies => policies.Any(DeniesAll)
            ? Finding.Passed($"{policies.Count} policies in {facts.Where}")
            : Finding.Failed($"no NetworkPolicy in {facts.Where} selects all Pods and has both directions: what is not allowed is not denied", "fabrik install"))) { Phase = CheckPhase.After },
        new("FAB-3252", "two Pods of runs really cannot talk", facts => Denied(facts, Peer, "another Pod")),
        new("FAB-3253", "a run really does not reach the API server", facts => Denied(facts, ApiServer, "the API server")),
        new("FAB-3254", "a run really does not reach the cloud's metadata address", facts => facts.Proof.Judge(
            proof => proof.Closed.GetValueOrDefault(Metadata) ? Finding.Failed($"a Pod in {facts.Where} reached 169.254.169.254:80", Enforcer)
                : proof.Open.GetValueOrDefault(Metadata) ? Finding.Passed($"in {facts.Where}; without policies it is reached")
                : Finding.Unproven("nothing answers at 169.254.169.254 in this cluster, with or without policies"),
            () => Finding.Unproven(facts.Proof.Why!))),
    ])
    { Needs = [AccessChecks.Answers] };

    public static bool DeniesAll(JsonElement policy) =>
        policy.At("spec", "podSelector") is { ValueKind: JsonValueKind.Object } selector && !selector.Map("matchLabels").Any() && !selector.List("matchExpressions").Any()
        && policy.Texts("spec", "policyTypes").Contains("Ingress") && policy.Texts("spec", "policyTypes").Contains("Egress") && !policy.List("spec", "ingress").Any() && !policy.List("spec", "egress").Any();

    private static Finding Denied(NetworkFacts facts, string target, string what) => facts.Proof.Judge(
        proof => !proof.Open.GetValueOrDefault(target) ? Finding.Unproven($"a Pod without any policy did not reach {what} either, so nothing is shown", "kubectl get pods -A -o wide")
            : proof.Closed.TryGetValue(target, out var reached) && !reached ? Finding.Passed($"in {facts.Where}; without policies it is reached")
            : Finding.Failed($"a Pod in {facts.Where} reached {what}: nothing in this cluster enforces network policies there", Enforcer),
        () => Finding.Unproven(facts.Proof.Why!));
}
