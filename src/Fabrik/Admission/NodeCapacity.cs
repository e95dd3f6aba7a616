using System.Text.Json;
using Fabrik.Quantities;

namespace Fabrik.Admission;

/// <summary>Allocatable of the nodes that no other node surpasses in everything: what fits none of these fits nowhere.</summary>
internal sealed class NodeCapacity
{
    private readonly Quantity[][] largest;

    public NodeCapacity(IEnumerable<JsonElement> nodes)
    {
        var front = new List<Quantity[]>();
        foreach (var node in nodes)
        {
            var allocatable = node.Member("status"u8).Member("allocatable"u8);
            if (allocatable.ValueKind != JsonValueKind.Object) continue;
            var one = new Quantity[ResourceNames.Count];
            for (var i = 0; i < one.Length; i++)
                one[i] = Json.Amount(allocatable.Member(ResourceNames.Utf8((ResourceName)i))) ?? Quantity.FromUnits(long.MaxValue);
            if (front.Exists(other => Covers(other, one))) continue;
            front.RemoveAll(other => Covers(one, other));
            front.Add(one);
        }

        largest = [.. front];
    }

    public bool IsKnown => largest.Length > 0;

    /// <summary>The most of one resource that any node offers which has room for the other requests; null where none has.</summary>
    public Quantity? Most(int resource, ReadOnlySpan<Quantity> requests)
    {
        Quantity? most = null;
        foreach (var node in largest)
        {
            var fits = true;
            for (var i = 0; i < requests.Length; i++) fits &= i == resource || requests[i] <= node[i];
            if (fits && (most is null || node[resource] > most)) most = node[resource];
        }

        return most;
    }

    private static bool Covers(Quantity[] one, Quantity[] other)
    {
        for (var i = 0; i < one.Length; i++)
            if (one[i] < other[i]) return false;
        return true;
    }
}
