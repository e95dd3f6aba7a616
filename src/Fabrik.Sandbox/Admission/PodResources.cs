using System.Numerics;
using System.Text.Json.Nodes;
using Fabrik.Sandbox.Schema;
using Fabrik.Sandbox.Store;

namespace Fabrik.Sandbox.Admission;

/// <summary>What a Pod asks for as a whole.</summary>
public static class PodResources
{
    /// <param name="part">requests or limits.</param>
    /// <returns>The sum of the containers, at least the largest init container; sidecars count with the containers. Null when a container says nothing.</returns>
    public static Quantity? Sum(JsonObject pod, string part, string resource)
    {
        Quantity? sum = null;
        var largestInit = BigInteger.Zero;
        foreach (var container in pod.Items("spec", "containers").Concat(pod.Items("spec", "initContainers").Where(IsSidecar)))
        {
            if (Amount(container, part, resource) is not { } amount) continue;
            sum = sum is { } before ? new Quantity(before.Billionths + amount.Billionths, before.Suffixes) : amount;
        }

        foreach (var container in pod.Items("spec", "initContainers").Where(each => !IsSidecar(each)))
        {
            if (Amount(container, part, resource) is not { } amount || amount.Billionths <= largestInit) continue;
            largestInit = amount.Billionths;
            if (sum is null || sum.Value.Billionths < largestInit) sum = amount;
        }

        return sum;
    }

    /// <summary>Containers that do not say.</summary>
    public static IEnumerable<string> Silent(JsonObject pod, string part, string resource) =>
        pod.Items("spec", "containers").Where(container => Amount(container, part, resource) is null).Select(container => container.Text("name") ?? "");

    private static bool IsSidecar(JsonNode? container) => container.Text("restartPolicy") == "Always";

    private static Quantity? Amount(JsonNode? container, string part, string resource) =>
        container.Text("resources", part, resource) is { } text && Quantity.TryParse(text, out var quantity, out _) ? quantity : null;
}
