using System.Text.Json;
using Fabrik.Quantities;

namespace Fabrik.Runs;

public sealed partial record RunResources
{
    /// <summary>Sums over the ordinary containers of a Pod spec; a request that is left out is what the limit says, as Kubernetes has it.</summary>
    public static RunResources OfPod(JsonElement? podSpec)
    {
        var containers = podSpec.Items("containers").Select(container => container.Get("resources")).ToArray();
        return new RunResources
        {
            MemoryRequestBytes = Sum("requests", "memory")?.RoundUp(),
            MemoryLimitBytes = Sum("limits", "memory")?.RoundUp(),
            CpuRequestMillis = Sum("requests", "cpu")?.RoundUpToMillis(),
            CpuLimitMillis = Sum("limits", "cpu")?.RoundUpToMillis(),
            EphemeralStorageLimitBytes = Sum("limits", "ephemeral-storage")?.RoundUp(),
        };

        Quantity? Sum(string kind, string resource)
        {
            Quantity? sum = null;
            foreach (var container in containers)
            {
                if ((Amount(container.Get(kind).Get(resource)) ?? Amount(container.Get("limits").Get(resource))) is not { } quantity) return null;
                sum = sum is { } before ? before + quantity : quantity;
            }

            return sum;
        }
    }

    /// <summary>Each as it is here, or where it is not, as others have it.</summary>
    internal RunResources Else(RunResources? others) => others is null ? this : Each(this, others, (own, other) => own ?? other);

    /// <summary>Without what the other has.</summary>
    internal RunResources Except(RunResources other) => Each(this, other, (own, theirs) => theirs is null ? own : null);

    /// <summary>The greater of each, whichever comes first.</summary>
    internal static RunResources? Greater(RunResources? a, RunResources? b) =>
        a is null || b is null ? a ?? b : Each(a, b, (one, another) => one is null || another > one ? another ?? one : one);

    private static RunResources Each(RunResources a, RunResources b, Func<long?, long?, long?> of) => new()
    {
        MemoryRequestBytes = of(a.MemoryRequestBytes, b.MemoryRequestBytes),
        MemoryLimitBytes = of(a.MemoryLimitBytes, b.MemoryLimitBytes),
        CpuRequestMillis = of(a.CpuRequestMillis, b.CpuRequestMillis),
        CpuLimitMillis = of(a.CpuLimitMillis, b.CpuLimitMillis),
        EphemeralStorageLimitBytes = of(a.EphemeralStorageLimitBytes, b.EphemeralStorageLimitBytes),
    };

    /// <summary>A Kubernetes quantity, which the server writes as text and some authors as a number; null where it is neither, or negative.</summary>
    private static Quantity? Amount(JsonElement? json)
    {
        var text = json switch
        {
            { ValueKind: JsonValueKind.String } value => value.GetString(),
            { ValueKind: JsonValueKind.Number } value => value.GetRawText(),
            _ => null,
        };
        return Quantity.TryParse(text, out var quantity) && (quantity.IsZero || quantity.IsPositive) ? quantity : null;
    }
}
