using System.Text.Json;
using Fabrik.Quantities;

namespace Fabrik.Admission;

/// <summary>What all LimitRanges of a namespace say together about one resource of a container, or of a Pod.</summary>
internal sealed class LimitRangeBounds
{
    public Quantity? Minimum { get; private set; }
    public Quantity? Maximum { get; private set; }

    /// <summary>Put on containers without a limit, or without a request, when the Pod is created.</summary>
    public Quantity? Default { get; private set; }
    public Quantity? DefaultRequest { get; private set; }

    /// <summary>Largest limit:request.</summary>
    public Quantity? Ratio { get; private set; }

    public static void Read(JsonElement limitRange, LimitRangeBounds[] containers, LimitRangeBounds[] pods)
    {
        var items = limitRange.Member("spec"u8).Member("limits"u8);
        if (items.ValueKind != JsonValueKind.Array) return;
        foreach (var item in items.EnumerateArray())
        {
            var type = item.Member("type"u8);
            var bounds = type.Is("Container"u8) ? containers : type.Is("Pod"u8) ? pods : null;
            if (bounds is null) continue;
            for (var i = 0; i < ResourceNames.Count; i++) bounds[i].Add(item, ResourceNames.Utf8((ResourceName)i));
        }
    }

    private void Add(JsonElement item, ReadOnlySpan<byte> resource)
    {
        if (Json.Amount(item.Member("min"u8).Member(resource)) is { } minimum) Minimum = Minimum is { } other ? Quantity.Max(other, minimum) : minimum;
        if (Json.Amount(item.Member("max"u8).Member(resource)) is { } maximum) Maximum = Maximum is { } other ? Quantity.Min(other, maximum) : maximum;
        if (Json.Amount(item.Member("maxLimitRequestRatio"u8).Member(resource)) is { } ratio) Ratio = Ratio is { } other ? Quantity.Min(other, ratio) : ratio;
        Default ??= Json.Amount(item.Member("default"u8).Member(resource));
        DefaultRequest ??= Json.Amount(item.Member("defaultRequest"u8).Member(resource));
    }

    /// <summary>Limit over request is above the ratio.</summary>
    public bool RatioExceeded(Quantity request, Quantity limit) => Ratio is { } ratio && limit.CompareTo(request.Scale(ratio, Quantity.FromUnits(1), Quantity.Smallest)) > 0;
}
