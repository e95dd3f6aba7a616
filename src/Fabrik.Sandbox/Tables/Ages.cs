using System.Globalization;
using System.Text.Json.Nodes;
using Fabrik.Sandbox.Schema;

namespace Fabrik.Sandbox.Tables;

/// <summary>Durations as Kubernetes prints them: two figures at most, coarser the longer.</summary>
public static class Ages
{
    public const string Unknown = "<unknown>";

    private const int DaysPerYear = 365;

    public static string Print(TimeSpan span)
    {
        var seconds = (long)span.TotalSeconds;
        if (seconds < -1) return "<invalid>";
        if (seconds < 0) return "0s";
        if (seconds < 120) return $"{seconds}s";
        var minutes = seconds / 60;
        if (minutes < 10) return Pair(minutes, "m", seconds % 60, "s");
        if (minutes < 180) return $"{minutes}m";
        var hours = minutes / 60;
        if (hours < 8) return Pair(hours, "h", minutes % 60, "m");
        if (hours < 48) return $"{hours}h";
        if (hours < 192) return Pair(hours / 24, "d", hours % 24, "h");
        var days = hours / 24;
        if (days < 2 * DaysPerYear) return $"{days}d";
        return days < 8 * DaysPerYear ? Pair(days / DaysPerYear, "y", days % DaysPerYear, "d") : $"{days / DaysPerYear}y";
    }

    /// <summary>Time since a timestamp; &lt;unknown&gt; when there is none.</summary>
    public static string Since(JsonNode? time, DateTimeOffset now) => Read(time) is { } then ? Print(now - then) : Unknown;

    public static DateTimeOffset? Read(JsonNode? time) =>
        DateTimeOffset.TryParse(time.String(), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var parsed) ? parsed : null;

    private static string Pair(long large, string largeUnit, long small, string smallUnit) => small == 0 ? $"{large}{largeUnit}" : $"{large}{largeUnit}{small}{smallUnit}";
}
