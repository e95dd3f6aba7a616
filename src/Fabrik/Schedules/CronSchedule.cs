using System.Diagnostics.CodeAnalysis;

namespace Fabrik.Schedules;

/// <summary>
/// The cron grammar of Kubernetes: five fields or a descriptor such as @hourly or @every 90m, and the times it names.
/// A time that daylight saving skips does not fire; one that occurs twice fires twice.
/// </summary>
public sealed class CronSchedule
{
    private readonly ulong minutes, hours, daysOfMonth, months, daysOfWeek;
    private readonly TimeSpan? every;

    private CronSchedule(ulong minutes, ulong hours, ulong daysOfMonth, ulong months, ulong daysOfWeek, TimeZoneInfo? zone) =>
        (this.minutes, this.hours, this.daysOfMonth, this.months, this.daysOfWeek, Zone) = (minutes, hours, daysOfMonth, months, daysOfWeek, zone);

    private CronSchedule(TimeSpan every) => this.every = every;

    /// <summary>The zone of a TZ= or CRON_TZ= prefix, which a CronJob may not have; it wins over the one given to <see cref="Next"/>.</summary>
    public TimeZoneInfo? Zone { get; }

    /// <exception cref="FormatException">The message is that of the parser in Kubernetes.</exception>
    public static CronSchedule Parse(string spec)
    {
        if (spec.Length == 0) throw new FormatException("empty spec string");
        TimeZoneInfo? zone = null;
        if (HasZonePrefix(spec))
        {
            var start = spec.IndexOf('=') + 1;
            var end = spec.IndexOf(' ');
            var name = end < 0 ? spec[start..] : spec[start..end];
            if (end < 0) throw new FormatException($"expected exactly 5 fields, found 0 after the time zone {name}");
            if (!TimeZones.TryFind(name, out zone)) throw new FormatException($"provided bad location {name}: unknown time zone {name}");
            spec = spec[end..].Trim();
        }

        if (spec.StartsWith('@')) return Descriptor(spec, zone);
        var fields = spec.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        if (fields.Length != 5) throw new FormatException($"expected exactly 5 fields, found {fields.Length}: [{string.Join(' ', fields)}]");
        return new CronSchedule(
            CronField.Minutes.Parse(fields[0]), CronField.Hours.Parse(fields[1]), CronField.DaysOfMonth.Parse(fields[2]),
            CronField.Months.Parse(fields[3]), CronField.DaysOfWeek.Parse(fields[4]), zone);
    }

    public static bool TryParse(string spec, [NotNullWhen(true)] out CronSchedule? schedule, out string error)
    {
        try
        {
            (schedule, error) = (Parse(spec), "");
            return true;
        }
        catch (FormatException wrong)
        {
            (schedule, error) = (null, wrong.Message);
            return false;
        }
    }

    public static bool HasZonePrefix(string spec) =>
        spec.StartsWith("TZ=", StringComparison.Ordinal) || spec.StartsWith("CRON_TZ=", StringComparison.Ordinal);

    /// <summary>The first time strictly after the given one, in UTC; null when none falls within the five years searched.</summary>
    public DateTimeOffset? Next(DateTimeOffset after, TimeZoneInfo zone)
    {
        var second = new DateTimeOffset(after.UtcTicks - (after.UtcTicks % TimeSpan.TicksPerSecond), TimeSpan.Zero);
        if (every is { } period) return second + period;

        var time = new WallClock(second.AddSeconds(1), Zone ?? zone);
        var lastYear = time.Wall.Year + 5;
        var cut = false;

        // Each loop looks at its own unit alone and starts over only when that unit wraps. Where a clock jumps over the wrap,
        // as in a zone that shifts by half an hour, this lets a time pass that no rule names: Kubernetes does the same.
        while (time.Wall.Year <= lastYear)
        {
            var over = false;
            while (!over && !Has(months, time.Wall.Month))
            {
                time = Cut(time, new DateTime(time.Wall.Year, time.Wall.Month, 1)).AddMonth();
                over = time.Wall.Month == 1;
            }

            while (!over && !DayMatches(time.Wall))
            {
                time = Cut(time, time.Wall.Date).AddDay();
                over = time.Wall.Day == 1;
            }

            while (!over && !Has(hours, time.Wall.Hour))
            {
                time = Cut(time, time.Wall.Date.AddHours(time.Wall.Hour)).Add(TimeSpan.FromHours(1));
                over = time.Wall.Hour == 0;
            }

            while (!over && !Has(minutes, time.Wall.Minute))
            {
                time = (cut ? time : time.AtMinute()).Add(TimeSpan.FromMinutes(1));
                cut = true;
                over = time.Wall.Minute == 0;
            }

            if (over) continue;
            if (time.Wall.Second == 0) return time.Utc;
            time = time.AtMinute().Add(TimeSpan.FromMinutes(1));
            cut = true;
        }

        return null;

        // The first loop that moves sets every smaller unit to its beginning, once.
        WallClock Cut(WallClock moving, DateTime wall)
        {
            if (cut) return moving;
            cut = true;
            return moving.At(wall);
        }
    }

    private static CronSchedule Descriptor(string spec, TimeZoneInfo? zone)
    {
        const string Every = "@every ";
        CronField minute = CronField.Minutes, hour = CronField.Hours, day = CronField.DaysOfMonth, month = CronField.Months, week = CronField.DaysOfWeek;
        if (spec.StartsWith(Every, StringComparison.Ordinal))
        {
            if (!GoDuration.TryParse(spec[Every.Length..], out var duration, out var error))
                throw new FormatException($"failed to parse duration {spec}: {error}");
            var seconds = Math.Max(1, Math.Floor(duration.TotalSeconds));
            return new CronSchedule(TimeSpan.FromSeconds(seconds));
        }

        return spec switch
        {
            "@yearly" or "@annually" => new(1, 1, 1 << 1, 1 << 1, week.All, zone),
            "@monthly" => new(1, 1, 1 << 1, month.All, week.All, zone),
            "@weekly" => new(1, 1, day.All, month.All, 1, zone),
            "@daily" or "@midnight" => new(1, 1, day.All, month.All, week.All, zone),
            "@hourly" => new(1, hour.All, day.All, month.All, week.All, zone),
            _ => throw new FormatException($"unrecognized descriptor: {spec}"),
        };
    }

    private bool DayMatches(DateTime wall)
    {
        var monthDay = Has(daysOfMonth, wall.Day);
        var weekDay = Has(daysOfWeek, (int)wall.DayOfWeek);
        return ((daysOfMonth | daysOfWeek) & CronField.Star) != 0 ? monthDay && weekDay : monthDay || weekDay;
    }

    private static bool Has(ulong bits, int value) => (bits & (1UL << value)) != 0;
}
