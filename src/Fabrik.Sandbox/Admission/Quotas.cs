using System.Numerics;
using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using Fabrik.Sandbox.Discovery;
using Fabrik.Sandbox.Schema;
using Fabrik.Sandbox.Server;
using Fabrik.Sandbox.Store;

namespace Fabrik.Sandbox.Admission;

/// <summary>ResourceQuotas: what a namespace uses, and the refusal of what would go beyond. Counted in the moment of the write, so nothing slips through.</summary>
public sealed class Quotas(Cluster cluster)
{
    private static readonly string[] PodResourceNames = ["cpu", "memory", "ephemeral-storage"];

    private readonly ConditionalWeakTable<StoredObject, IReadOnlyDictionary<string, Quantity>> usages = [];

    /// <summary>Throws inside the write when a quota would be exceeded. Null when no quota of the namespace concerns the kind.</summary>
    public Action? Guard(ResourceType type, JsonObject content, StoredObject? old)
    {
        if (!type.Namespaced || type == BuiltInTypes.ResourceQuota || type == BuiltInTypes.Event) return null;
        var ns = content.Text("metadata", "namespace") ?? "";
        StoredObject[] quotas = [.. cluster.Store.Log(BuiltInTypes.ResourceQuota).Now().From(ns)];
        if (quotas.Length == 0) return null;
        return () =>
        {
            var wanted = Usage(type, content);
            var before = old is null ? new Dictionary<string, Quantity>() : UsageOf(old);
            foreach (var stored in quotas)
            {
                var quota = stored.Read();
                if (type == BuiltInTypes.Pod && !InScope(quota, content)) continue;
                Check(type, content, stored.Name, quota, wanted, before);
            }
        };
    }

    /// <summary>The status that a quota should have now.</summary>
    public JsonObject Status(JsonObject quota)
    {
        var hard = quota.At("spec", "hard") as JsonObject ?? [];
        var used = new JsonObject();
        foreach (var (name, limit) in hard)
        {
            var sum = Used(quota, name, quota.Text("metadata", "namespace") ?? "");
            used[name] = (Parse(limit.Text()) is { } family ? sum with { Suffixes = sum.Billionths.IsZero ? family.Suffixes : sum.Suffixes } : sum).ToString();
        }

        return new() { ["hard"] = hard.DeepClone(), ["used"] = used };
    }

    private void Check(
        ResourceType type, JsonObject content, string quotaName, JsonObject quota, IReadOnlyDictionary<string, Quantity> wanted, IReadOnlyDictionary<string, Quantity> before)
    {
        var name = content.Text("metadata", "name") ?? "";
        var hard = quota.At("spec", "hard") as JsonObject ?? [];
        if (type == BuiltInTypes.Pod && before.Count == 0) RequireAmounts(content, quotaName, hard, name);
        var (requested, used, limited) = (new List<string>(), new List<string>(), new List<string>());
        foreach (var (resource, limit) in hard.OrderBy(each => each.Key, StringComparer.Ordinal))
        {
            if (!wanted.TryGetValue(resource, out var amount) || Parse(limit.Text()) is not { } most) continue;
            var more = amount.Billionths - (before.TryGetValue(resource, out var had) ? had.Billionths : BigInteger.Zero);
            if (more.Sign <= 0) continue;
            var now = Used(quota, resource, content.Text("metadata", "namespace") ?? "");
            if (now.Billionths + more <= most.Billionths) continue;
            requested.Add($"{resource}={amount with { Billionths = more }}");
            used.Add($"{resource}={now}");
            limited.Add($"{resource}={most}");
        }

        if (requested.Count == 0) return;
        throw ApiException.Forbidden(type, name, $"exceeded quota: {quotaName}, requested: {string.Join(',', requested)}, used: {string.Join(',', used)}, limited: {string.Join(',', limited)}");
    }

    // A quota on requests or limits obliges every container to name them.
    private static void RequireAmounts(JsonObject pod, string quotaName, JsonObject hard, string name)
    {
        var missing = new List<string>();
        foreach (var resource in hard.Select(each => each.Key).Order(StringComparer.Ordinal))
        {
            var (part, plain) = Split(resource);
            if (part is null) continue;
            string[] silent = [.. PodResources.Silent(pod, part, plain)];
            if (silent.Length > 0) missing.Add($"{resource} for: {string.Join(',', silent)}");
        }

        if (missing.Count > 0) throw ApiException.Forbidden(BuiltInTypes.Pod, name, $"failed quota: {quotaName}: must specify {string.Join("; ", missing)}");
    }

    private Quantity Used(JsonObject quota, string resource, string ns)
    {
        var sum = new Quantity(BigInteger.Zero, Quantity.Family.Decimal);
        foreach (var type in Types(resource))
        {
            foreach (var stored in cluster.Store.Log(type).Now().From(ns))
            {
                if (!UsageOf(stored).TryGetValue(resource, out var amount)) continue;
                if (type == BuiltInTypes.Pod && quota.At("spec", "scopes") is not null && !InScope(quota, stored.Read())) continue;
                sum = new(sum.Billionths + amount.Billionths, amount.Suffixes);
            }
        }

        return sum;
    }

    private IEnumerable<ResourceType> Types(string resource)
    {
        var plural = resource.StartsWith("count/", StringComparison.Ordinal) ? resource["count/".Length..] : resource;
        if (cluster.Catalog.All.FirstOrDefault(type => type.GroupResource == plural && type.Namespaced) is { } counted) return [counted];
        return Split(resource).Part is null ? [] : [BuiltInTypes.Pod];
    }

    private IReadOnlyDictionary<string, Quantity> UsageOf(StoredObject stored) => usages.GetValue(stored, each => Usage(each.Type, each.Read()));

    private static Dictionary<string, Quantity> Usage(ResourceType type, JsonObject content)
    {
        var one = new Quantity(1_000_000_000, Quantity.Family.Decimal);
        var usage = new Dictionary<string, Quantity>(StringComparer.Ordinal) { ["count/" + type.GroupResource] = one };
        if (type != BuiltInTypes.Pod)
        {
            if (type.Group.Length == 0) usage[type.Plural] = one;
            return usage;
        }

        // A Pod that has ended uses nothing but its place among all objects.
        if (content.Text("status", "phase") is "Succeeded" or "Failed") return usage;
        usage["pods"] = one;
        foreach (var resource in PodResourceNames)
        {
            if (PodResources.Sum(content, "requests", resource) is { } requested) usage[resource] = usage["requests." + resource] = requested;
            if (PodResources.Sum(content, "limits", resource) is { } limited) usage["limits." + resource] = limited;
        }

        return usage;
    }

    private static bool InScope(JsonObject quota, JsonObject pod) => quota.Texts("spec", "scopes").All(scope => scope switch
    {
        "Terminating" => pod.Number("spec", "activeDeadlineSeconds") is not null,
        "NotTerminating" => pod.Number("spec", "activeDeadlineSeconds") is null,
        "BestEffort" => !HasAmounts(pod),
        "NotBestEffort" => HasAmounts(pod),
        _ => true,
    });

    private static bool HasAmounts(JsonObject pod) =>
        pod.Items("spec", "containers").Any(container => container.At("resources", "requests") is JsonObject { Count: > 0 } || container.At("resources", "limits") is JsonObject { Count: > 0 });

    private static (string? Part, string Resource) Split(string resource) => resource.Split('.', 2) switch
    {
        ["requests", var plain] when PodResourceNames.Contains(plain) => ("requests", plain),
        ["limits", var plain] when PodResourceNames.Contains(plain) => ("limits", plain),
        [var plain] when PodResourceNames.Contains(plain) => ("requests", plain),
        _ => (null, resource),
    };

    private static Quantity? Parse(string? text) => text is not null && Quantity.TryParse(text, out var quantity, out _) ? quantity : null;
}
