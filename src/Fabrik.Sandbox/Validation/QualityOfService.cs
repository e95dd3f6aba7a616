using System.Text.Json.Nodes;
using Fabrik.Sandbox.Schema;

namespace Fabrik.Sandbox.Validation;

/// <summary>Guaranteed, Burstable or BestEffort, from the requests and limits of a Pod's containers.</summary>
public static class QualityOfService
{
    private static readonly string[] Counted = ["cpu", "memory"];

    public static string Of(JsonObject podSpec)
    {
        var containers = podSpec["containers"].Objects().Concat(podSpec["initContainers"].Objects()).ToArray();
        var any = false;
        var guaranteed = containers.Length > 0;
        foreach (var container in containers)
        {
            foreach (var name in Counted)
            {
                var request = Amount(container.At("resources", "requests", name));
                var limit = Amount(container.At("resources", "limits", name));
                any |= request > 0 || limit > 0;
                guaranteed &= limit > 0 && (request ?? limit) == limit;
            }
        }

        return !any ? "BestEffort" : guaranteed ? "Guaranteed" : "Burstable";
    }

    private static System.Numerics.BigInteger? Amount(JsonNode? node) =>
        node.String() is { } text && Quantity.TryParse(text, out var quantity, out _) ? quantity.Billionths : null;
}
