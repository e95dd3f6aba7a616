using System.Globalization;

namespace Fabrik.Proposals;

/// <summary>Sizes as a person would choose them.</summary>
internal static class Amounts
{
    private const long Mebi = 1L << 20;
    private const long Gibi = 1L << 30;

    /// <summary>Up to steps that are between a sixteenth and a quarter of the amount.</summary>
    public static long TidyMemory(double bytes)
    {
        var step = bytes switch
        {
            < 256 * Mebi => 16 * Mebi,
            < Gibi => 64 * Mebi,
            < 4 * Gibi => 256 * Mebi,
            < 16 * Gibi => 512 * Mebi,
            _ => 1 * Gibi,
        };
        return Math.Max(step, (long)Math.Ceiling(bytes / step) * step);
    }

    /// <summary>Thousandths of a core, up to 10, 50 or 250 of them.</summary>
    public static long TidyCpu(double millis)
    {
        var step = millis switch { < 100 => 10, < 1000 => 50, _ => 250 };
        return Math.Max(step, (long)Math.Ceiling(millis / step) * step);
    }

    /// <summary>As a Kubernetes quantity.</summary>
    public static string Memory(long bytes) => bytes % Gibi == 0 ? string.Create(CultureInfo.InvariantCulture, $"{bytes / Gibi}Gi") : string.Create(CultureInfo.InvariantCulture, $"{(bytes + Mebi - 1) / Mebi}Mi");

    /// <summary>For people: 4.5Gi rather than 4608Mi.</summary>
    public static string Shown(long bytes) => bytes >= Gibi ? string.Create(CultureInfo.InvariantCulture, $"{(double)bytes / Gibi:0.##}Gi") : Memory(bytes);

    public static string Cpu(long millis) => millis % 1000 == 0 ? string.Create(CultureInfo.InvariantCulture, $"{millis / 1000}") : string.Create(CultureInfo.InvariantCulture, $"{millis}m");
}
