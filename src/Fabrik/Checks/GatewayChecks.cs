using Fabrik.Gateway;

namespace Fabrik.Checks;

/// <param name="None">Why there is no gateway here, where that is on purpose.</param>
/// <param name="Statuses">Of every gateway that answered.</param>
/// <param name="Uses">What shows that somebody uses the gateway, besides what gateways say themselves; empty: nothing does. Not read: somebody may.</param>
public sealed record GatewayFacts(InstalledObjects Installation, string? None, Reading<IReadOnlyList<string>> Uses, Reading<IReadOnlyList<GatewayStatus>> Statuses);

/// <summary>The LLM gateways, and the providers behind them.</summary>
public static class GatewayChecks
{
    public const string Answers = "FAB-3222";
    private static readonly TimeSpan LongUnsent = TimeSpan.FromMinutes(5);

    /// <summary>The API tells every three seconds.</summary>
    private static readonly TimeSpan Late = TimeSpan.FromMinutes(1);

    public static readonly Category<GatewayFacts> Category = new("gateway",
    [
        new("FAB-3221", "every replica is ready", facts => facts.None is { } none ? Finding.Skipped(none) : facts.Installation.Workload(facts.Installation.Gateway, $"StatefulSet {Names.GatewayNamespace}/{Names.Objects.Gateway}", ControlChecks.Rolled)),
        new(Answers, "a gateway answers", facts => Of(facts, statuses => Finding.Passed(statuses.Select(status => status.Replica).Few()))),
        new("FAB-3223", "every key of a provider is there", facts => Of(facts, statuses => IsUnused(facts, statuses)
            ? Finding.Warning("no provider has a key, and nobody uses the gateway yet: no key, budget, change of models or call is there", $"kubectl -n {Names.GatewayNamespace} edit secret fabrik-provider-keys, or leave it so")
            : Keys(statuses, key => key.Missing) is { Count: > 0 } missing
            ? Finding.Failed($"{missing.Few()}: no file with this name, or it is empty", $"kubectl -n {Names.GatewayNamespace} edit secret fabrik-provider-keys")
            : Finding.Passed($"{statuses[0].Providers.Sum(provider => provider.Keys.Count)} keys"))) { Needs = [Answers] },
        new("FAB-3224", "usage reaches the API", facts => Of(facts, statuses => statuses.Where(status => status.Spool.Failing is not null).ToList() is { Count: > 0 } failing
            ? Finding.Failed($"{failing[0].Replica}: {failing[0].Spool.Failing}; it keeps what it has", "kubectl auth can-i create usage.fabrik.dev --as " + Names.GatewayUser)
            : statuses.Where(status => status.Now - status.Spool.Oldest > LongUnsent).ToList() is { Count: > 0 } late
                ? Finding.Warning($"{late[0].Replica} has usage that is {(late[0].Now - late[0].Spool.Oldest!.Value).TotalMinutes:0} minutes old and not sent", "fabrik gateway status")
                : Finding.Passed())) { Needs = [Answers] },
        new("FAB-3225", "budgets are known", facts => Of(facts, statuses => statuses.Where(status => !status.BudgetsKnown).Select(status => status.Replica).ToList() is { Count: > 0 } unknowing
            ? Finding.Failed($"{unknowing.Few()}: the API has not told which budgets there are, so none is kept", $"look at {Names.Variables.ApiUrl} of the gateway: fabrik gateway status")
            : Finding.Passed($"{statuses[0].Budgets.Count} budgets"))) { Needs = [Answers] },
        new("FAB-3226", "tokens of runs that have ended are refused", facts => Of(facts, statuses => statuses.Where(status => status.RunEnds.ToldAt is not { } told || status.Now - told > Late).Select(status => status.Replica).ToList() is { Count: > 0 } untold
            ? Finding.Failed($"{untold.Few()} has not been told for a minute which runs have ended: their tokens are good until they expire", "fabrik gateway status")
            : Finding.Passed())) { Needs = [Answers] },
        new("FAB-3227", "every gateway has the same prices", facts => Of(facts, statuses => statuses.Select(status => status.PriceVersion).Distinct(StringComparer.Ordinal).ToList() is { Count: > 1 } different
            ? Finding.Warning($"there are {different.Few()}: one call costs differently by where it goes", $"kubectl -n {Names.GatewayNamespace} rollout restart statefulset/{Names.Objects.Gateway}")
            : Finding.Passed(statuses[0].PriceVersion))) { Needs = [Answers] },
        new("FAB-3228", "no gateway is about to end", facts => Of(facts, statuses => statuses.Where(status => status.Draining).Select(status => status.Replica).ToList() is { Count: > 0 } draining
            ? Finding.Warning($"{draining.Few()} takes no new connections", $"kubectl -n {Names.GatewayNamespace} get pods")
            : Finding.Passed())) { Needs = [Answers] },
    ])
    { Needs = [AccessChecks.Answers], Phase = CheckPhase.After };

    public static readonly Category<GatewayFacts> Providers = new("llm-providers",
    [
        new("FAB-3231", "there is a provider", facts => Of(facts, statuses => statuses.All(status => status.Providers.Count == 0) ? Finding.Failed("the gateways have no provider: every call is refused", $"kubectl -n {Names.GatewayNamespace} edit configmap fabrik-gateway-config") : Finding.Passed(statuses[0].Providers.Select(provider => provider.Name).Few()))),
        new("FAB-3232", "no provider is set aside", facts => Of(facts, statuses => statuses.SelectMany(status => status.Providers).Where(provider => provider.Bench is not null).Select(provider => $"{provider.Name} ({provider.Bench!.Why})").Distinct(StringComparer.Ordinal).ToList() is { Count: > 0 } benched
            ? Finding.Warning($"{benched.Few()}: calls go to others, or fail", $"fabrik gateway test {benched[0].Split(' ')[0]}")
            : Finding.Passed())) { Needs = ["FAB-3231"] },
        new("FAB-3233", "no key is set aside", facts => Of(facts, statuses => Keys(statuses, key => key.Bench is not null) is { Count: > 0 } benched
            ? Finding.Warning($"{benched.Few()}: {statuses.SelectMany(status => status.Providers).SelectMany(provider => provider.Keys).First(key => key.Bench is not null).Bench!.Why}", "fabrik gateway status")
            : Finding.Passed())) { Needs = ["FAB-3231"] },
        new("FAB-3234", "every provider has a key that works", facts => Of(facts, statuses => IsUnused(facts, statuses)
            ? Finding.Skipped("nobody uses the gateway yet: FAB-3223")
            : statuses.SelectMany(status => status.Providers).Where(provider => provider.Keys.All(key => key.Missing || key.Bench is not null)).Select(provider => provider.Name).Distinct(StringComparer.Ordinal).ToList() is { Count: > 0 } dead
            ? Finding.Failed($"{dead.Few()}: every key is missing or set aside, so its calls fail", "fabrik gateway status")
            : Finding.Passed())) { Needs = ["FAB-3231"] },
        new("FAB-3235", "every model that is named has a price", facts => Of(facts, statuses => statuses.SelectMany(status => status.Unpriced ?? []).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).ToList() is { Count: > 0 } unpriced
            ? Finding.Warning($"{unpriced.Few()}: counted at the price of the dearest model", $"name prices of your own: {Names.Variables.ModelPrices}, fabrik gateway prices list")
            : statuses.All(status => status.Unpriced is null) ? Finding.Unproven("the gateways do not tell", "fabrik version") : Finding.Passed())) { Needs = ["FAB-3231"] },
    ])
    { Needs = [AccessChecks.Answers, Answers], Phase = CheckPhase.After };

    private static Finding Of(GatewayFacts facts, Func<IReadOnlyList<GatewayStatus>, Finding> judge) => facts.None is { } none
        ? Finding.Skipped(none)
        : facts.Statuses.Judge(statuses => statuses.Count == 0 ? Finding.Failed("no gateway answered", "fabrik gateway status") : judge(statuses), () => Finding.Failed(facts.Statuses.Why!, "fabrik install"), "fabrik gateway status");

    /// <summary>Whether a gateway without keys is one that nobody has begun with: what fails then fails nobody. What is not known counts as use.</summary>
    private static bool IsUnused(GatewayFacts facts, IReadOnlyList<GatewayStatus> statuses) =>
        facts.Uses is { IsRead: true, Value.Count: 0 }
        && statuses.All(status => status.Budgets.Count == 0 && status.Spool.Oldest is null && status.Providers.All(provider => provider.Keys.All(key => key.Missing)));

    private static List<string> Keys(IEnumerable<GatewayStatus> statuses, Func<KeyStatus, bool> which) =>
        [.. statuses.SelectMany(status => status.Providers).SelectMany(provider => provider.Keys.Where(which).Select(key => $"{provider.Name}/{key.Name}")).Distinct(StringComparer.Ordinal)];
}
