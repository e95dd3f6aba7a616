namespace Fabrik.Sandbox.Worlds;

/// <summary>A clock that starts at a given moment and runs a given number of times as fast as the real one; its timers too.</summary>
public sealed class SimulatedClock : TimeProvider
{
    private readonly TimeProvider real;
    private readonly long began;
    private readonly DateTimeOffset start;

    /// <param name="speed">Simulated seconds for each real one; above 0.</param>
    /// <param name="start">Null: now.</param>
    public SimulatedClock(double speed, DateTimeOffset? start = null, TimeProvider? real = null)
    {
        if (!(speed > 0) || double.IsInfinity(speed)) throw new ArgumentOutOfRangeException(nameof(speed), speed, "The speed must be above 0.");
        Speed = speed;
        this.real = real ?? System;
        this.start = start ?? this.real.GetUtcNow();
        began = this.real.GetTimestamp();
    }

    public double Speed { get; }

    public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override DateTimeOffset GetUtcNow() => start + (real.GetElapsedTime(began) * Speed);

    public override long GetTimestamp() => GetUtcNow().UtcTicks;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        new Timer(this, real.CreateTimer(callback, state, Real(dueTime), Real(period)));

    /// <summary>Rounded up to a millisecond, so that a timer is never early and a period never becomes none.</summary>
    private TimeSpan Real(TimeSpan simulated) =>
        simulated <= TimeSpan.Zero ? simulated : TimeSpan.FromMilliseconds(Math.Min(Math.Ceiling(simulated.TotalMilliseconds / Speed), uint.MaxValue - 1));

    private sealed class Timer(SimulatedClock clock, ITimer timer) : ITimer
    {
        public bool Change(TimeSpan dueTime, TimeSpan period) => timer.Change(clock.Real(dueTime), clock.Real(period));

        public void Dispose() => timer.Dispose();

        public ValueTask DisposeAsync() => timer.DisposeAsync();
    }
}
