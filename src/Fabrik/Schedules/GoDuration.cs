using System.Buffers;
using System.Globalization;

namespace Fabrik.Schedules;

/// <summary>Durations as Go writes them: 90s, 1h30m, 1.5h, 250ms, -5m; a number needs its unit, except 0.</summary>
public static class GoDuration
{
    private static readonly SearchValues<char> Digits = SearchValues.Create(".0123456789");

    public static TimeSpan Parse(string text) => TryParse(text, out var duration, out var error) ? duration : throw new FormatException(error);

    /// <summary>Finer than 100 ns is cut off.</summary>
    public static bool TryParse(string text, out TimeSpan duration, out string error)
    {
        (duration, error) = (TimeSpan.Zero, "");
        var rest = text.AsSpan();
        var negative = rest is ['-', ..];
        if (rest is ['+' or '-', ..]) rest = rest[1..];
        if (rest is "0") return true;
        if (rest.IsEmpty) return Fail(out error, $"time: invalid duration \"{text}\"");

        var ticks = 0m;
        while (!rest.IsEmpty)
        {
            var length = rest.IndexOfAnyExcept(Digits);
            var number = length < 0 ? rest : rest[..length];
            if (number.IsEmpty || number is "." || number.Count('.') > 1 || number.Length > 28)
                return Fail(out error, $"time: invalid duration \"{text}\"");
            if (length < 0) return Fail(out error, $"time: missing unit in duration \"{text}\"");

            rest = rest[length..];
            var end = rest.IndexOfAny(Digits);
            var unit = end < 0 ? rest : rest[..end];
            rest = rest[unit.Length..];
            if (Ticks(unit) is not { } each) return Fail(out error, $"time: unknown unit \"{unit}\" in duration \"{text}\"");
            if (!decimal.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var value) || value > 1e19m
                || (ticks += value * each) > long.MaxValue / 100m)
                return Fail(out error, $"time: invalid duration \"{text}\"");
        }

        duration = TimeSpan.FromTicks((long)(negative ? -ticks : ticks));
        return true;
    }

    private static decimal? Ticks(ReadOnlySpan<char> unit) => unit switch
    {
        "ns" => 0.01m,
        "us" or "µs" or "μs" => 10,
        "ms" => TimeSpan.TicksPerMillisecond,
        "s" => TimeSpan.TicksPerSecond,
        "m" => TimeSpan.TicksPerMinute,
        "h" => TimeSpan.TicksPerHour,
        _ => null,
    };

    private static bool Fail(out string error, string why)
    {
        error = why;
        return false;
    }
}
