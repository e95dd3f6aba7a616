namespace Fabrik.Schedules;

/// <summary>What Kubernetes accepts as spec.schedule and spec.timeZone of a CronJob.</summary>
public static class CronJobSchedule
{
    /// <summary>Field path and message of everything wrong on creation; empty when all is well.</summary>
    public static IEnumerable<(string Field, string Message)> Problems(string schedule, string? timeZone)
    {
        if (schedule.Length == 0)
            yield return ("spec.schedule", "Required value");
        else if (!CronSchedule.TryParse(schedule, out _, out var error))
            yield return ("spec.schedule", $"Invalid value: \"{schedule}\": {error}");
        if (CronSchedule.HasZonePrefix(schedule))
            yield return ("spec.schedule", $"Invalid value: \"{schedule}\": cannot use TZ or CRON_TZ in schedule, use timeZone field instead");

        if (timeZone is null) yield break;
        if (timeZone.Length == 0)
            yield return ("spec.timeZone", "Invalid value: \"\": timeZone must be nil or non-empty string");
        else if (timeZone.Equals("Local", StringComparison.OrdinalIgnoreCase))
            yield return ("spec.timeZone", $"Invalid value: \"{timeZone}\": timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones");
        else if (!TimeZones.TryFind(timeZone, out _))
            yield return ("spec.timeZone", $"Invalid value: \"{timeZone}\": unknown time zone {timeZone}");
    }
}
