using System.Text.Json;
using Fabrik.Quantities;

namespace Fabrik.Admission;

/// <summary>What one ResourceQuota still leaves: hard minus used, never below zero; null where it says nothing.</summary>
internal sealed class QuotaRoom
{
    public required Quantity?[] Requests { get; init; }
    public required Quantity?[] Limits { get; init; }
    public required Quantity? Pods { get; init; }

    /// <summary>Null: either.</summary>
    public required bool? BestEffort { get; init; }

    /// <summary>Whether it counts only Pods with, or only Pods without, activeDeadlineSeconds; null: either.</summary>
    public required bool? Terminating { get; init; }

    public static QuotaRoom Of(JsonElement quota)
    {
        var (spec, status) = (quota.Member("spec"u8), quota.Member("status"u8));
        var hard = status.Member("hard"u8);
        if (hard.ValueKind != JsonValueKind.Object) hard = spec.Member("hard"u8);
        var used = status.Member("used"u8);
        var (bestEffort, terminating) = ((bool?)null, (bool?)null);
        foreach (var scope in Scopes(spec))
        {
            // Other scopes (priority classes, cross-namespace affinity) are taken as matching: too careful is safe.
            switch (scope)
            {
                case "BestEffort": bestEffort = true; break;
                case "NotBestEffort": bestEffort = false; break;
                case "Terminating": terminating = true; break;
                case "NotTerminating": terminating = false; break;
            }
        }

        return new QuotaRoom
        {
            Requests = [Room("requests.memory", "memory"), Room("requests.cpu", "cpu"), Room("requests.ephemeral-storage", "ephemeral-storage")],
            Limits = [Room("limits.memory"), Room("limits.cpu"), Room("limits.ephemeral-storage")],
            Pods = Room("pods", "count/pods"),
            BestEffort = bestEffort,
            Terminating = terminating,
        };

        Quantity? Room(params ReadOnlySpan<string> names)
        {
            Quantity? least = null;
            foreach (var name in names)
            {
                var key = System.Text.Encoding.UTF8.GetBytes(name);
                if (Json.Amount(hard.Member(key)) is not { } bound) continue;
                var left = Quantity.Max(bound - (Json.Amount(used.Member(key)) ?? default), default);
                least = least is { } other ? Quantity.Min(other, left) : left;
            }

            return least;
        }
    }

    public bool Counts(bool isBestEffort, bool hasDeadline) => (BestEffort ?? isBestEffort) == isBestEffort && (Terminating ?? hasDeadline) == hasDeadline;

    private static IEnumerable<string?> Scopes(JsonElement spec)
    {
        var plain = spec.Member("scopes"u8);
        if (plain.ValueKind == JsonValueKind.Array)
            foreach (var one in plain.EnumerateArray()) yield return one.Text();
        var expressions = spec.Member("scopeSelector"u8).Member("matchExpressions"u8);
        if (expressions.ValueKind != JsonValueKind.Array) yield break;
        foreach (var one in expressions.EnumerateArray())
            if (one.Member("operator"u8).Is("Exists"u8)) yield return one.Member("scopeName"u8).Text();
    }
}
