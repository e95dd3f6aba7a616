using System.Text.Json;

namespace Fabrik.Checks;

/// <param name="Meant">The definitions that this version brings, by name.</param>
/// <param name="Found">Those of the cluster.</param>
public sealed record DefinitionFacts(IReadOnlyDictionary<string, JsonElement> Meant, IReadOnlyDictionary<string, Reading<JsonElement>> Found);

/// <summary>Whether the cluster knows Fabrik's objects, in the form that this version means.</summary>
public static class DefinitionChecks
{
    public const string Changes = "optimizationchanges.fabrik.dev";
    public const string Policies = "optimizerpolicies.fabrik.dev";
    private const string Repair = "kubectl apply --server-side -k manifests/crds";

    public static readonly Category<DefinitionFacts> Category = new("crds",
    [
        new("FAB-3191", $"{Changes} is served", facts => Served(facts, Changes)) { Phase = CheckPhase.After },
        new("FAB-3192", $"{Policies} is served", facts => Served(facts, Policies)) { Phase = CheckPhase.After },
        new("FAB-3193", $"{Changes} is what this version means", facts => Same(facts, Changes)) { Needs = ["FAB-3191"] },
        new("FAB-3194", $"{Policies} is what this version means", facts => Same(facts, Policies)) { Needs = ["FAB-3192"] },
        new("FAB-3195", "no object is stored in a version that is no longer served", facts => facts.Found.Values.FirstOrDefault(one => one.State is ReadState.Forbidden or ReadState.Broken) is { } unread ? Finding.Unproven(unread.Why!)
            : facts.Found.Values.All(one => one.State == ReadState.Missing) ? Finding.Skipped("none is installed") : facts.Found.Values.Where(one => one.IsRead).Select(one => one.Value)
            .Where(one => one.Texts("status", "storedVersions").Except(one.List("spec", "versions").Where(version => version.Says("served")).Select(version => version.Text("name") ?? "")).Any()).Select(Fields.Name).ToList() is { Count: > 0 } stale
            ? Finding.Failed($"{stale.Few()}: stored versions are not served any more, so objects cannot be read", $"kubectl get crd {stale[0]} -o jsonpath='{{.status.storedVersions}}'")
            : Finding.Passed()),
    ])
    { Needs = [AccessChecks.Answers] };

    private static Finding Served(DefinitionFacts facts, string name) => facts.Found[name].Judge(
        definition => !definition.Holds("Established") ? Finding.Failed($"it is not established: {definition.Condition("NamesAccepted")?.Text("message") ?? "the API server has not taken it in"}", $"kubectl describe crd {name}")
            : !definition.List("spec", "versions").Any(version => version.Text("name") == "v1" && version.Says("served")) ? Finding.Failed("version v1 is not served", Repair)
            : Finding.Passed("established, v1"),
        () => Finding.Failed("the cluster does not know it", Repair));

    private static Finding Same(DefinitionFacts facts, string name) => facts.Found[name].Judge(
        definition => Alike.Difference(facts.Meant[name].At("spec"), definition.At("spec"), "spec") is { } place
            ? Finding.Failed($"it differs from what this version means, at {Short(place)}", $"{Repair}; if the cluster's is newer, upgrade the command: fabrik version")
            : Finding.Passed(),
        () => Finding.Skipped("it is not installed"));

    private static string Short(string path) => path.Length <= 120 ? path : "…" + path[^119..];
}
