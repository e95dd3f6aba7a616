using System.Text.Json;

namespace Fabrik.Checks;

public sealed record RuntimeFacts(Reading<IReadOnlyList<JsonElement>> Classes, Reading<JsonElement> Policy, Reading<IReadOnlyList<JsonElement>> Changes, Reading<IReadOnlyList<JsonElement>> Nodes);

/// <summary>Runtime classes: what isolates a run from the kernel of its node.</summary>
public static class RuntimeChecks
{
    private static readonly string[] Isolating = ["gvisor", "runsc", "kata"];

    public static readonly Category<RuntimeFacts> Category = new("runtimeclass",
    [
        new("FAB-3151", "there is a runtime class that isolates", facts => facts.Classes.Judge(classes => classes.Where(one => Isolating.Any(part => one.Text("handler")?.Contains(part, StringComparison.OrdinalIgnoreCase) == true)).ToList() is { Count: > 0 } found
            ? Finding.Passed(found.Select(Fields.Name).Few())
            : Finding.Warning("code of runs uses the kernel of its node directly; for code that nobody trusts there should be gVisor or Kata Containers", "install gVisor on the nodes and create a RuntimeClass with handler runsc"))),
        new("FAB-3152", "every runtime class that is named exists", facts => facts.Classes.Judge(classes => facts.Policy.State == ReadState.Forbidden && facts.Changes.State == ReadState.Forbidden ? Finding.Unproven(facts.Policy.Why!)
            : Named(facts).Where(name => classes.All(one => one.Name() != name)).ToList() is { Count: > 0 } unknown
                ? Finding.Failed($"{unknown.Few()} is named by the policy or a change and does not exist: Pods with it are not let in", "kubectl get runtimeclass")
                : Finding.Passed($"{Named(facts).Count()} named"))) { Phase = CheckPhase.After },
        new("FAB-3153", "there is a node for each of them", facts => facts.Classes.Judge(classes => facts.Nodes.Judge(nodes => classes
            .Where(one => one.Map("scheduling", "nodeSelector").ToList() is { Count: > 0 } wanted && !nodes.Any(node => wanted.All(label => node.Label(label.Name) == label.Value.GetString()))).Select(Fields.Name).ToList() is { Count: > 0 } nowhere
            ? Finding.Warning($"{nowhere.Few()}: no node has the labels it asks for, and Pods with it wait for ever", $"kubectl get runtimeclass {nowhere[0]} -o yaml")
            : Finding.Passed($"{classes.Count} classes")))),
    ])
    { Needs = [AccessChecks.Answers] };

    private static IEnumerable<string> Named(RuntimeFacts facts) =>
        (facts.Policy.IsRead ? facts.Policy.Value.Texts("spec", "runtimeClasses") : [])
            .Concat((facts.Changes.IsRead ? facts.Changes.Value : []).Select(change => change.Text("spec", "change", "runtimeClassName")).OfType<string>()).Distinct(StringComparer.Ordinal);
}
