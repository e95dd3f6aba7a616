namespace Fabrik.Cli.Output;

/// <summary>Spans of time as kubectl shortens them: 45s, 5m30s, 3h12m, 2d4h, 30d.</summary>
public static class Age
{
    public static string Of(TimeSpan span)
    {
        if (span < TimeSpan.Zero) return "0s";
        if (span < TimeSpan.FromMinutes(2)) return $"{(int)span.TotalSeconds}s";
        if (span < TimeSpan.FromMinutes(10)) return Two((int)span.TotalMinutes, "m", span.Seconds, "s");
        if (span < TimeSpan.FromHours(3)) return $"{(int)span.TotalMinutes}m";
        if (span < TimeSpan.FromHours(8)) return Two((int)span.TotalHours, "h", span.Minutes, "m");
        if (span < TimeSpan.FromDays(2)) return $"{(int)span.TotalHours}h";
        return span < TimeSpan.FromDays(8) ? Two((int)span.TotalDays, "d", span.Hours, "h") : $"{(int)span.TotalDays}d";
    }

    private static string Two(int large, string largeUnit, int small, string smallUnit) => small == 0 ? $"{large}{largeUnit}" : $"{large}{largeUnit}{small}{smallUnit}";
}
