using System.Text.RegularExpressions;

namespace Fabrik.Metrics;

/// <summary>From the names and units of System.Diagnostics.Metrics to those of Prometheus.</summary>
internal static partial class MetricNames
{
    /// <summary>The word a unit is exposed as; "" for counts of something ({request}) and for 1.</summary>
    public static string Unit(string? unit) => unit switch
    {
        "s" => "seconds",
        "By" => "bytes",
        _ => "",
    };

    public static string Family(string instrument, string unit)
    {
        var name = Other().Replace(instrument, "_");
        if (name.EndsWith("_total", StringComparison.Ordinal)) name = name[..^6];
        return unit.Length == 0 || name.EndsWith("_" + unit, StringComparison.Ordinal) ? name : $"{name}_{unit}";
    }

    public static string Label(string tag) => Other().Replace(tag, "_");

    [GeneratedRegex("[^a-zA-Z0-9_]", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Other();
}
