using System.Text.Json;
using Fabrik.Experiments;

namespace Fabrik.Checks;

/// <param name="Policy">The OptimizerPolicy that counts.</param>
/// <param name="Leader">The Lease of the scheduler that leads.</param>
/// <param name="Overdue">Emergency rollbacks whose review by a person is due; null: not told.</param>
/// <param name="ServerTime">The API server's time: Leases are compared with it.</param>
public sealed record OptimizerFacts(
    Reading<JsonElement> Policy, Reading<IReadOnlyList<JsonElement>> Changes, Reading<JsonElement> Leader, Reading<IReadOnlyList<string>> Overdue, DateTimeOffset ServerTime);

/// <summary>Budgets, and whether the optimizer gets on with its work.</summary>
public static class OptimizerChecks
{
    /// <summary>A Lease is renewed each few seconds.</summary>
    private static readonly TimeSpan Late = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan LongQueued = TimeSpan.FromDays(14);
    private static readonly TimeSpan LongApproved = TimeSpan.FromHours(1);
    private static readonly TimeSpan Overlong = TimeSpan.FromDays(2);

    public static readonly Category<OptimizerFacts> Budgets = new("budgets",
    [
        new("FAB-3241", "the policy can be read", facts => facts.Policy.Judge(
            policy => PolicyRules.Validate(null, policy) is { Count: > 0 } problems
                ? Finding.Failed($"{problems[0].Field}: {problems[0].Message}", "fabrik optimizer config get")
                : Finding.Passed($"{policy.List("spec", "budgets").Count()} budgets"),
            () => Finding.Passed("there is none: defaults count, and there is no budget"))),
        new("FAB-3242", "no budget is exhausted", facts => facts.Policy.Judge(
            policy => policy.Texts("status", "exhaustedBudgets").ToList() is { Count: > 0 } spent
                ? Finding.Warning($"{spent.Few()}: where it is hard, calls are refused until it begins anew", "fabrik gateway budgets")
                : Finding.Passed(),
            () => Finding.Passed("there is none"))) { Needs = ["FAB-3241"] },
    ])
    { Needs = [AccessChecks.Answers], Phase = CheckPhase.After };

    public static readonly Category<OptimizerFacts> Category = new("optimizer",
    [
        new("FAB-3261", "a scheduler leads", facts => facts.Leader.Judge(
            lease => lease.Text("spec", "holderIdentity") is not { Length: > 0 } holder ? Finding.Failed("nobody holds its Lease: nothing is observed, decided or taken back", $"kubectl -n {Names.SystemNamespace} logs {Names.Objects.Control}-0 -c scheduler --tail=50")
                : facts.ServerTime - lease.Time("spec", "renewTime") is { } old && old > Late ? Finding.Failed($"{holder} has not renewed its Lease for {Words(old)}: nothing is observed, decided or taken back", $"kubectl -n {Names.SystemNamespace} logs {Names.Objects.Control}-0 -c scheduler --tail=50")
                : Finding.Passed(holder),
            () => Finding.Failed($"there is no Lease {Names.SystemNamespace}/{Names.Objects.Leader}: no scheduler has ever led here", "fabrik install"))),
        new("FAB-3262", "every change can be read", facts => Changes(facts, changes => changes.Where(change => ChangeRules.Validate(null, change).Count > 0).Select(Fields.Name).ToList() is { Count: > 0 } broken
            ? Finding.Warning($"{broken.Few()}: it breaks a rule, and is passed over", $"kubectl -n {Names.SystemNamespace} get optimizationchange {broken[0]} -o yaml")
            : Finding.Passed($"{changes.Count} changes"))),
        new("FAB-3263", "no change is stuck", facts => Changes(facts, changes => changes.Select(change => (change, Why: Stuck(facts, change))).Where(one => one.Why is not null).ToList() is { Count: > 0 } stuck
            ? Finding.Warning(stuck.Select(one => $"{one.change.Name()} {one.Why}").Few(3), $"fabrik optimizer changes show {stuck[0].change.Name()}")
            : Finding.Passed())) { Needs = ["FAB-3261"] },
        new("FAB-3264", "no change waits for a person", facts => Changes(facts, changes => changes.Where(change => change.Condition(Names.Conditions.ApprovalRequired)?.Text("status") == "True" && change.At("spec", "approval").ValueKind == JsonValueKind.Undefined).Select(Fields.Name).ToList() is { Count: > 0 } waiting
            ? Finding.Warning($"{waiting.Few()}", $"fabrik optimizer changes show {waiting[0]}, then approve or reject")
            : Finding.Passed())),
        new("FAB-3265", "no incident's review is overdue", facts => facts.Overdue.Judge(overdue => overdue.Count > 0
            ? Finding.Warning($"{overdue.Few()}: taken back in an emergency, and nobody has looked at it", "fabrik optimizer status")
            : Finding.Passed(), () => Finding.Unproven(facts.Overdue.Why!))),
        new("FAB-3266", "the optimizer is not paused", facts => facts.Policy.Judge(policy => policy.Says("spec", "paused")
            ? Finding.Warning($"it is: {policy.Text("spec", "pauseReason") ?? "no reason was given"}", "fabrik optimizer resume")
            : Finding.Passed(), () => Finding.Passed())),
        new("FAB-3267", "the scheduler does not stand still", facts => facts.Policy.Judge(policy => policy.Condition(Names.Conditions.StorageWritable) is { } storage && storage.Text("status") == "False"
            ? Finding.Failed($"nothing can be written to the control database: {storage.Text("message") ?? storage.Text("reason")}", $"make room, or repair the volume: {Names.Documents.Surviving}")
            : Finding.Passed(), () => Finding.Unproven($"it says so on the OptimizerPolicy {Names.PolicyName}, which is not there"))),
    ])
    { Needs = [AccessChecks.Answers], Phase = CheckPhase.After };

    private static Finding Changes(OptimizerFacts facts, Func<IReadOnlyList<JsonElement>, Finding> judge) => facts.Changes.Judge(judge, () => Finding.Skipped("the cluster does not know changes"));

    private static string? Stuck(OptimizerFacts facts, JsonElement change)
    {
        var since = change.Condition(Names.Conditions.PhaseReached)?.Time("lastTransitionTime") ?? change.Time("metadata", "creationTimestamp");
        var age = facts.ServerTime - since;
        var longest = TimeSpan.FromDays(facts.Policy.IsRead ? facts.Policy.Value.Whole("spec", "experiments", "maximumDays") ?? 14 : 14) + Overlong;
        if (change.Condition(Names.Conditions.ApprovalRequired)?.Text("status") == "True") return null;
        return change.Text("status", "phase") switch
        {
            "queued" when age > LongQueued => $"has been queued for {Words(age!.Value)}",
            "approved" when age > LongApproved && change.At("spec", "approval").ValueKind == JsonValueKind.Object => $"was approved {Words(age!.Value)} ago and is not applied",
            "experiment_running" or "analyzing" when facts.ServerTime - change.Time("status", "startedAt") > longest && change.At("spec", "experiment", "maximumDays").ValueKind == JsonValueKind.Undefined => $"has been on trial for {Words((facts.ServerTime - change.Time("status", "startedAt"))!.Value)}",
            _ => null,
        };
    }

    private static string Words(TimeSpan time) => time.TotalDays >= 2 ? $"{time.TotalDays:0} days" : time.TotalHours >= 2 ? $"{time.TotalHours:0} hours" : time.TotalMinutes >= 2 ? $"{time.TotalMinutes:0} minutes" : $"{time.TotalSeconds:0} s";
}
