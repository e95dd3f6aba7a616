using System.Globalization;
using System.Text.RegularExpressions;

namespace Fabrik.Tests.Metrics;

/// <summary>A strict reader of both text formats: throws at the first thing a scraper could stumble over.</summary>
internal static partial class ExpositionParser
{
    /// <summary>Samples by name and labels as written.</summary>
    public static IReadOnlyDictionary<string, double> Parse(string text, bool openMetrics)
    {
        text.ShouldEndWith("\n");
        var lines = text[..^1].Split('\n').ToList();
        if (openMetrics)
        {
            lines[^1].ShouldBe("# EOF");
            lines.RemoveAt(lines.Count - 1);
        }

        var samples = new Dictionary<string, double>(StringComparer.Ordinal);
        var families = new HashSet<string>(StringComparer.Ordinal);
        var (family, type) = ("", "");
        foreach (var line in lines)
        {
            if (Meta().Match(line) is { Success: true } meta)
            {
                var (word, name) = (meta.Groups["word"].Value, meta.Groups["name"].Value);
                if (name != family) families.Add(name).ShouldBeTrue($"{name} stands there twice");
                if (name != family) type = "";
                family = name;
                if (word == "TYPE") type = meta.Groups["rest"].Value;
                if (word == "UNIT") (openMetrics && name.EndsWith("_" + meta.Groups["rest"].Value, StringComparison.Ordinal)).ShouldBeTrue(line);
                continue;
            }

            var sample = Sample().Match(line);
            sample.Success.ShouldBeTrue($"no sample: {line}");
            var suffix = sample.Groups["name"].Value;
            suffix.ShouldStartWith(openMetrics || type != "counter" ? family : family[..^6]);
            (type, suffix[Math.Min(suffix.Length, openMetrics || type != "counter" ? family.Length : family.Length - 6)..]).ShouldBeOneOf(
                ("counter", "_total"), ("gauge", ""), ("histogram", "_bucket"), ("histogram", "_count"), ("histogram", "_sum"));
            var key = suffix + sample.Groups["labels"].Value;
            samples.TryAdd(key, Number(sample.Groups["value"].Value)).ShouldBeTrue($"{key} stands there twice");
        }

        Histograms(samples);
        return samples;
    }

    private static void Histograms(Dictionary<string, double> samples)
    {
        foreach (var series in samples.Where(sample => sample.Key.Contains("_bucket{", StringComparison.Ordinal)).GroupBy(sample => Bound().Replace(sample.Key, "")))
        {
            var buckets = series.Select(sample => (Bound: Number(Bound().Match(sample.Key).Groups["bound"].Value), sample.Value)).ToList();
            buckets.Select(bucket => bucket.Bound).ShouldBeInOrder();
            buckets.Select(bucket => bucket.Value).ShouldBeInOrder();
            buckets[^1].Bound.ShouldBe(double.PositiveInfinity);
            var count = series.Key.Replace("_bucket", "_count", StringComparison.Ordinal).Replace("{}", "", StringComparison.Ordinal).Replace(",}", "}", StringComparison.Ordinal);
            buckets[^1].Value.ShouldBe(samples[count]);
        }
    }

    private static double Number(string text) => text switch
    {
        "+Inf" => double.PositiveInfinity,
        "-Inf" => double.NegativeInfinity,
        "NaN" => double.NaN,
        _ => double.Parse(text, NumberStyles.Float, CultureInfo.InvariantCulture),
    };

    [GeneratedRegex("^# (?<word>HELP|TYPE|UNIT) (?<name>[a-zA-Z_:][a-zA-Z0-9_:]*) (?<rest>.+)$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Meta();

    [GeneratedRegex("""^(?<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(?<labels>\{[a-zA-Z_][a-zA-Z0-9_]*="([^"\\]|\\\\|\\n|\\")*"(,[a-zA-Z_][a-zA-Z0-9_]*="([^"\\]|\\\\|\\n|\\")*")*\})? (?<value>\+Inf|-Inf|NaN|-?[0-9.]+(e[+-]?[0-9]+)?)$""", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Sample();

    [GeneratedRegex("le=\"(?<bound>[^\"]*)\"", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Bound();
}
