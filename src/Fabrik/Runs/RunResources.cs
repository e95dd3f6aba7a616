using System.Globalization;
using System.Text.Json;

namespace Fabrik.Runs;

public sealed partial record RunResources
{
    /// <summary>Sums over the ordinary containers of a Pod spec; a request that is left out is what the limit says, as Kubernetes has it.</summary>
    public static RunResources OfPod(JsonElement? podSpec)
    {
        var containers = podSpec.Items("containers").Select(container => container.Get("resources")).ToArray();
        return new RunResources
        {
            MemoryRequestBytes = Sum("requests", "memory", 1),
            MemoryLimitBytes = Sum("limits", "memory", 1),
            CpuRequestMillis = Sum("requests", "cpu", 1000),
            CpuLimitMillis = Sum("limits", "cpu", 1000),
            EphemeralStorageLimitBytes = Sum("limits", "ephemeral-storage", 1),
        };

        long? Sum(string kind, string resource, int scale)
        {
            decimal sum = 0;
            foreach (var container in containers)
            {
                if ((Quantity(container.Get(kind).Get(resource)) ?? Quantity(container.Get("limits").Get(resource))) is not { } quantity) return null;
                sum += quantity * scale;
            }

            return containers.Length == 0 || sum > long.MaxValue ? null : (long)decimal.Ceiling(sum);
        }
    }

    /// <summary>A Kubernetes quantity, which the server writes as text and some authors as a number; null where it is neither.</summary>
    private static decimal? Quantity(JsonElement? json)
    {
        var text = json switch
        {
            { ValueKind: JsonValueKind.String } value => value.GetString()!,
            { ValueKind: JsonValueKind.Number } value => value.GetRawText(),
            _ => "",
        };
        if (text.Length is 0 or > 40) return null;
        var (suffix, factor) = Suffix(text);
        return decimal.TryParse(text.AsSpan(0, text.Length - suffix), NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && number is >= 0 and < 1e18m
            ? number * factor
            : null;
    }

    private static (int Length, decimal Factor) Suffix(string text) => text switch
    {
        [.., 'K', 'i'] => (2, 1024m),
        [.., 'M', 'i'] => (2, 1048576m),
        [.., 'G', 'i'] => (2, 1073741824m),
        [.., 'T', 'i'] => (2, 1099511627776m),
        [.., 'P', 'i'] => (2, 1125899906842624m),
        [.., 'n'] => (1, 1e-9m),
        [.., 'u'] => (1, 1e-6m),
        [.., 'm'] => (1, 1e-3m),
        [.., 'k'] => (1, 1e3m),
        [.., 'M'] => (1, 1e6m),
        [.., 'G'] => (1, 1e9m),
        [.., 'T'] => (1, 1e12m),
        [.., 'P'] => (1, 1e15m),
        _ => (0, 1m),
    };
}
