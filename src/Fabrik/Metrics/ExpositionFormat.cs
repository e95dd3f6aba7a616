namespace Fabrik.Metrics;

/// <summary>The two text forms a scraper may ask for.</summary>
public sealed record ExpositionFormat(string ContentType, bool OpenMetrics)
{
    public static readonly ExpositionFormat Prometheus = new("text/plain; version=0.0.4; charset=utf-8", false);
    public static readonly ExpositionFormat OpenMetricsText = new("application/openmetrics-text; version=1.0.0; charset=utf-8", true);

    /// <summary>By the header Accept: OpenMetrics where it is named with at least the weight of plain text; else the Prometheus form.</summary>
    public static ExpositionFormat For(string? accept)
    {
        double open = 0, plain = 0;
        foreach (var part in (accept ?? "").Split(',', 32, StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            var fields = part.Split(';', StringSplitOptions.TrimEntries);
            var weight = 1.0;
            foreach (var field in fields.Skip(1))
            {
                if (field.StartsWith("q=", StringComparison.OrdinalIgnoreCase) && double.TryParse(field.AsSpan(2), out var given)) weight = given;
            }

            var known = fields.Skip(1).Where(field => field.StartsWith("version=", StringComparison.OrdinalIgnoreCase)).All(field => field[8..].Trim('"') is "1.0.0" or "0.0.1");
            if (fields[0].Equals("application/openmetrics-text", StringComparison.OrdinalIgnoreCase)) open = known ? Math.Max(open, weight) : open;
            else if (fields[0].ToUpperInvariant() is "TEXT/PLAIN" or "TEXT/*" or "*/*") plain = Math.Max(plain, weight);
        }

        return open > 0 && open >= plain ? OpenMetricsText : Prometheus;
    }
}
