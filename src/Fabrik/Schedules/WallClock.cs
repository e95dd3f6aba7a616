namespace Fabrik.Schedules;

/// <summary>An instant and what a clock on the wall shows then. Wall times that do not exist resolve as Go's time.Date does.</summary>
internal readonly struct WallClock(DateTimeOffset utc, TimeZoneInfo zone)
{
    public DateTimeOffset Utc { get; } = utc;

    public DateTime Wall { get; } = utc.UtcDateTime + zone.GetUtcOffset(utc);

    public WallClock Add(TimeSpan elapsed) => new(Utc + elapsed, zone);

    public WallClock AtMinute() => new(new DateTimeOffset(Utc.UtcTicks - (Utc.UtcTicks % TimeSpan.TicksPerMinute), TimeSpan.Zero), zone);

    public WallClock AddMonth() => At(Wall.AddMonths(1));

    public WallClock AddDay()
    {
        var next = At(Wall.AddDays(1));

        // Where midnight does not exist the day begins later, or the jump landed on the evening before.
        return next.Wall.Hour switch
        {
            0 => next,
            > 12 => next.Add(TimeSpan.FromHours(24 - next.Wall.Hour)),
            _ => next.Add(TimeSpan.FromHours(-next.Wall.Hour)),
        };
    }

    public WallClock At(DateTime wall)
    {
        // The offset at the wall time read as UTC is a first guess; the offset at the instant so found decides.
        var asUtc = new DateTimeOffset(DateTime.SpecifyKind(wall, DateTimeKind.Utc));
        var guess = zone.GetUtcOffset(asUtc);
        return guess == TimeSpan.Zero ? new(asUtc, zone) : new(asUtc - zone.GetUtcOffset(asUtc - guess), zone);
    }
}
