using System.Globalization;
using System.Text;

namespace Fabrik.Metrics;

/// <summary>Writes metric families in the Prometheus text format or in OpenMetrics.</summary>
public static class Exposition
{
    public static string Write(IEnumerable<MetricFamily> families, ExpositionFormat format)
    {
        var text = new StringBuilder(4096);
        foreach (var family in families) Write(text, family, format.OpenMetrics);
        if (format.OpenMetrics) text.Append("# EOF\n");
        return text.ToString();
    }

    private static void Write(StringBuilder text, MetricFamily family, bool open)
    {
        var counter = family.Type == MetricType.Counter;
        // The older format knows a counter by the name of its sample, the newer one by the name of its family.
        var name = counter && !open ? family.Name + "_total" : family.Name;
        if (family.Help.Length > 0)
        {
            text.Append("# HELP ").Append(name).Append(' ');
            Escape(text, family.Help, open);
            text.Append('\n');
        }

        text.Append("# TYPE ").Append(name).Append(' ').Append(family.Type switch
        {
            MetricType.Counter => "counter",
            MetricType.Gauge => "gauge",
            _ => "histogram",
        }).Append('\n');
        if (open && family.Unit.Length > 0) text.Append("# UNIT ").Append(name).Append(' ').Append(family.Unit).Append('\n');
        foreach (var point in family.Points)
        {
            if (point.Buckets is { } buckets)
            {
                foreach (var (bound, count) in buckets) Sample(text, family.Name + "_bucket", point.Labels, Number(bound, open), count, false);
                Sample(text, family.Name + "_count", point.Labels, null, buckets[^1].Count, false);
                Sample(text, family.Name + "_sum", point.Labels, null, point.Value, open);
            }
            else
            {
                Sample(text, counter ? family.Name + "_total" : family.Name, point.Labels, null, point.Value, open);
            }
        }
    }

    private static void Sample(StringBuilder text, string name, IReadOnlyList<KeyValuePair<string, string>> labels, string? bound, double value, bool open)
    {
        text.Append(name);
        if (labels.Count > 0 || bound is not null)
        {
            text.Append('{');
            foreach (var (key, label) in labels) Label(text, key, label);
            if (bound is not null) Label(text, "le", bound);
            text.Length--; // the comma after the last one
            text.Append('}');
        }

        text.Append(' ').Append(Number(value, open)).Append('\n');
    }

    private static void Label(StringBuilder text, string key, string value)
    {
        text.Append(key).Append("=\"");
        Escape(text, value, true);
        text.Append("\",");
    }

    private static void Escape(StringBuilder text, string value, bool quotes)
    {
        foreach (var character in value)
        {
            _ = character switch
            {
                '\\' => text.Append("\\\\"),
                '\n' => text.Append("\\n"),
                '"' when quotes => text.Append("\\\""),
                _ => text.Append(character),
            };
        }
    }

    /// <summary>OpenMetrics wants whole numbers as 1.0 where the older format writes 1.</summary>
    private static string Number(double value, bool open)
    {
        if (double.IsNaN(value)) return "NaN";
        if (double.IsInfinity(value)) return value > 0 ? "+Inf" : "-Inf";
        var digits = value.ToString("R", CultureInfo.InvariantCulture).Replace("E", "e", StringComparison.Ordinal);
        return open && digits.AsSpan().IndexOfAny('.', 'e') < 0 ? digits + ".0" : digits;
    }
}
