using System.Diagnostics.CodeAnalysis;

namespace Fabrik.Schedules;

/// <summary>Time zones by their IANA name, as spec.timeZone of a CronJob takes them.</summary>
public static class TimeZones
{
    /// <summary>False for anything the host's zone data does not know under exactly this name.</summary>
    public static bool TryFind(string name, [NotNullWhen(true)] out TimeZoneInfo? zone)
    {
        zone = null;
        if (name is "UTC" or "")
        {
            zone = TimeZoneInfo.Utc;
            return true;
        }

        if (!name.Split('/').All(part => part.Length is > 0 and <= 14 && part.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_' or '+'))
            || name.Contains("..", StringComparison.Ordinal))
            return false;
        return TimeZoneInfo.TryFindSystemTimeZoneById(name, out zone) && zone.HasIanaId && zone.Id == name;
    }
}
