using System.Numerics;
using System.Text.Json.Nodes;
using Fabrik.Sandbox.Discovery;
using Fabrik.Sandbox.Schema;
using Fabrik.Sandbox.Server;
using Fabrik.Sandbox.Store;

namespace Fabrik.Sandbox.Admission;

/// <summary>LimitRanges of a namespace: defaults for containers, and least and most per container and Pod.</summary>
public static class LimitRanges
{
    public static void SetDefaults(ObjectStore store, string ns, JsonObject pod)
    {
        var notes = new List<string>();
        foreach (var limit in Limits(store, ns, "Container"))
        {
            foreach (var (list, kind) in (ReadOnlySpan<(string, string)>)[("containers", "container"), ("initContainers", "init container")])
            {
                foreach (var container in pod.Items("spec", list).OfType<JsonObject>())
                {
                    Fill(container, "requests", limit["defaultRequest"] as JsonObject, "request", kind, notes);
                    Fill(container, "limits", limit["default"] as JsonObject, "limit", kind, notes);
                }
            }
        }

        if (notes.Count > 0) pod.Metadata().Child("annotations")["kubernetes.io/limit-ranger"] = "LimitRanger plugin set: " + string.Join("; ", notes);
    }

    /// <summary>Throws 403 with everything that is wrong.</summary>
    public static void Check(ObjectStore store, string ns, JsonObject pod)
    {
        var problems = new List<string>();
        foreach (var limit in Limits(store, ns, "Container"))
        {
            foreach (var container in pod.Items("spec", "containers").Concat(pod.Items("spec", "initContainers")))
            {
                Check(limit, "Container", resource => Amount(container.Text("resources", "requests", resource)), resource => Amount(container.Text("resources", "limits", resource)), problems);
            }
        }

        foreach (var limit in Limits(store, ns, "Pod"))
        {
            Check(limit, "Pod", resource => PodResources.Sum(pod, "requests", resource), resource => PodResources.Sum(pod, "limits", resource), problems);
        }

        if (problems.Count == 0) return;
        throw ApiException.Forbidden(BuiltInTypes.Pod, pod.Text("metadata", "name") ?? "", problems.Count == 1 ? problems[0] : $"[{string.Join(", ", problems)}]");
    }

    private static IEnumerable<JsonNode> Limits(ObjectStore store, string ns, string type) =>
        store.Log(BuiltInTypes.LimitRange).Now().From(ns).SelectMany(stored => stored.Read().Items("spec", "limits")).OfType<JsonNode>().Where(limit => limit.Text("type") == type);

    private static void Fill(JsonObject container, string part, JsonObject? defaults, string word, string kind, List<string> notes)
    {
        List<string> set = [];
        foreach (var (resource, value) in (defaults ?? []).OrderBy(each => each.Key, StringComparer.Ordinal))
        {
            var amounts = container.Child("resources").Child(part);
            if (amounts.ContainsKey(resource)) continue;
            amounts[resource] = value!.DeepClone();
            set.Add(resource);
        }

        if (set.Count > 0) notes.Add($"{string.Join(", ", set)} {word} for {kind} {container.Text("name")}");
    }

    private static void Check(JsonNode limit, string what, Func<string, Quantity?> request, Func<string, Quantity?> most, List<string> problems)
    {
        foreach (var (resource, value) in limit.At("min") as JsonObject ?? [])
        {
            if (Amount(value.Text()) is not { } least) continue;
            if (request(resource) is not { } asked) problems.Add($"minimum {resource} usage per {what} is {least}.  No request is specified");
            else if (asked < least) problems.Add($"minimum {resource} usage per {what} is {least}, but request is {asked}");
            else if (most(resource) is { } top && top < least) problems.Add($"minimum {resource} usage per {what} is {least}, but limit is {top}");
        }

        foreach (var (resource, value) in limit.At("max") as JsonObject ?? [])
        {
            if (Amount(value.Text()) is not { } highest) continue;
            if (most(resource) is not { } top) problems.Add($"maximum {resource} usage per {what} is {highest}.  No limit is specified");
            else if (top > highest) problems.Add($"maximum {resource} usage per {what} is {highest}, but limit is {top}");
            else if (request(resource) is { } asked && asked > highest) problems.Add($"maximum {resource} usage per {what} is {highest}, but request is {asked}");
        }

        foreach (var (resource, value) in limit.At("maxLimitRequestRatio") as JsonObject ?? [])
        {
            if (Amount(value.Text()) is not { } ratio) continue;
            if (request(resource) is not { } asked || asked.Billionths.IsZero) problems.Add($"{resource} max limit to request ratio per {what} is {ratio}, but no request is specified or request is 0");
            else if (most(resource) is not { } top || top.Billionths.IsZero) problems.Add($"{resource} max limit to request ratio per {what} is {ratio}, but no limit is specified or limit is 0");
            else if (top.Billionths * BigInteger.Pow(10, 9) > ratio.Billionths * asked.Billionths)
            {
                problems.Add($"{resource} max limit to request ratio per {what} is {ratio}, but provided ratio is {(double)top.Billionths / (double)asked.Billionths:F6}");
            }
        }
    }

    private static Quantity? Amount(string? text) => text is not null && Quantity.TryParse(text, out var quantity, out _) ? quantity : null;
}
