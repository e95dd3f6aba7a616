using System.Text.Json;

namespace Fabrik.Checks;

/// <param name="Unknown">Objects with Fabrik's label that this version does not install, as KIND NAMESPACE/NAME; before an installation: all.</param>
/// <param name="Unread">Kinds that this user may not list, or that could not be.</param>
/// <param name="Canaries">What checks made and could not take away again.</param>
/// <param name="Terminating">Namespaces that are being deleted.</param>
public sealed record LeftoverFacts(IReadOnlyList<string> Unknown, IReadOnlyList<string> Unread, IReadOnlyList<string> Canaries, Reading<IReadOnlyList<JsonElement>> Terminating);

/// <summary>What stands about and belongs to nothing.</summary>
public static class LeftoverChecks
{
    private static readonly string List = $"kubectl get all,configmap,secret -A -l {Names.Labels.Ours}";

    public static readonly Category<LeftoverFacts> Category = new("leftovers",
    [
        new("FAB-3281", "nothing of an earlier installation is there", facts => Known(facts, "go on with fabrik install, which takes it over, or remove it first: fabrik uninstall")) { Phase = CheckPhase.Before },
        new("FAB-3282", "nothing with Fabrik's label is there that this version does not know", facts => Known(facts, $"look at them, and delete what nobody needs: {List}")) { Phase = CheckPhase.After },
        new("FAB-3283", "no namespace of Fabrik is stuck in its deletion", facts => facts.Terminating.Judge(stuck => stuck.Where(ns => ns.Name() is Names.SystemNamespace or Names.GatewayNamespace or Names.RunsNamespace).ToList() is { Count: > 0 } going
            ? Finding.Failed($"{going[0].Name()} is being deleted: {going[0].Condition("NamespaceContentRemaining")?.Text("message") ?? going[0].Condition("NamespaceDeletionDiscoveryFailure")?.Text("message") ?? "what is in it goes first"}", $"kubectl get namespace {going[0].Name()} -o jsonpath='{{.status.conditions}}'")
            : Finding.Passed())),
        new("FAB-3284", "what earlier checks made is gone", facts => facts.Canaries.Count > 0
            ? Finding.Failed($"could not be deleted: {facts.Canaries.Few(3)}", $"kubectl delete namespace,pod,networkpolicy -A -l {Names.Labels.Check}")
            : Finding.Passed()),
    ])
    { Needs = [AccessChecks.Answers] };

    private static Finding Known(LeftoverFacts facts, string next) => facts.Unknown.Count > 0 ? Finding.Warning(facts.Unknown.Few(), next)
        : facts.Unread.Count > 0 ? Finding.Unproven($"this user may not list {facts.Unread.Few()}")
        : Finding.Passed();
}
