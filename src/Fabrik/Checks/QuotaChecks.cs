using System.Text.Json;
using Fabrik.Quantities;

namespace Fabrik.Checks;

/// <param name="Namespaces">Those that are opted in.</param>
public sealed record QuotaFacts(Reading<IReadOnlyList<JsonElement>> Namespaces, Reading<IReadOnlyList<JsonElement>> Quotas, Reading<IReadOnlyList<JsonElement>> LimitRanges);

/// <summary>Whether there is room for runs. Kubernetes refuses Pods above a quota, and the Job only has an Event of it.</summary>
public static class QuotaChecks
{
    private const double Tight = 0.9;

    public static readonly Category<QuotaFacts> Category = new("quota",
    [
        new("FAB-3141", "what is opted in has room in its quotas", facts => facts.Quotas.Judge(quotas => Used(facts, quotas).Where(one => one.Part >= 1).ToList() is { Count: > 0 } full
            ? Finding.Failed($"{full.Select(one => one.Told).Few()}: no further Pod starts there", $"kubectl -n {full[0].Namespace} describe resourcequota")
            : Finding.Passed())),
        new("FAB-3142", "no quota there is nearly used up", facts => facts.Quotas.Judge(quotas => Used(facts, quotas).Where(one => one.Part >= Tight).ToList() is { Count: > 0 } tight
            ? Finding.Warning(tight.Select(one => one.Told).Few(), $"kubectl -n {tight[0].Namespace} describe resourcequota")
            : Finding.Passed())) { Needs = ["FAB-3141"] },
        new("FAB-3143", "where a quota bounds compute, containers get limits by themselves", facts => facts.Quotas.Judge(quotas => facts.LimitRanges.Judge(ranges =>
            quotas.Where(quota => OptedIn(facts, quota.Namespace()) && Compute(quota) && !ranges.Any(range => range.Namespace() == quota.Namespace() && Gives(range))).Select(quota => quota.Namespace()!).Distinct(StringComparer.Ordinal).ToList() is { Count: > 0 } bare
                ? Finding.Warning($"{bare.Few()}: Pods without requests and limits are refused (must specify limits.cpu)", $"kubectl -n {bare[0]} get limitrange")
                : Finding.Passed()))),
    ])
    { Needs = [AccessChecks.Answers], Phase = CheckPhase.After };

    private static IEnumerable<(string Namespace, double Part, string Told)> Used(QuotaFacts facts, IReadOnlyList<JsonElement> quotas) =>
        from quota in quotas
        where OptedIn(facts, quota.Namespace())
        from hard in quota.Map("status", "hard")
        let used = quota.Text("status", "used", hard.Name)
        where used is not null && hard.Value.ValueKind == JsonValueKind.String
        let part = Part(used, hard.Value.GetString()!)
        where part is not null
        select (quota.Namespace()!, part.Value, $"{quota.Namespace()}/{quota.Name()} {hard.Name} {used} of {hard.Value.GetString()}");

    private static double? Part(string used, string hard) =>
        Quantity.TryParse(used, out var one) && Quantity.TryParse(hard, out var other) && other.IsPositive ? (double)one.Billionths / (double)other.Billionths : null;

    private static bool OptedIn(QuotaFacts facts, string? ns) => facts.Namespaces.IsRead && facts.Namespaces.Value.Any(one => one.Name() == ns);

    private static bool Compute(JsonElement quota) => quota.Map("spec", "hard").Any(hard => hard.Name is "cpu" or "memory" || hard.Name.StartsWith("requests.cpu", StringComparison.Ordinal) || hard.Name.StartsWith("requests.memory", StringComparison.Ordinal) || hard.Name.StartsWith("limits.", StringComparison.Ordinal));

    private static bool Gives(JsonElement range) => range.List("spec", "limits").Any(limit => limit.Text("type") == "Container" && limit.Map("default").Any());
}
