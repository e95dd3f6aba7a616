namespace Fabrik.Gateway.Budgets;

/// <summary>What was used within the last minute. Kept by seconds: an amount counts for a minute and at most a second more, never less.</summary>
internal sealed class MinuteWindow
{
    public static readonly TimeSpan Length = TimeSpan.FromMinutes(1);

    /// <summary>The second that is now, and the sixty before it.</summary>
    private const int Slots = 61;

    private readonly long[] slots = new long[Slots];
    private long second;
    private long sum;

    /// <param name="now">On a clock that never goes back, from any beginning.</param>
    public void Add(TimeSpan now, long amount)
    {
        Advance(now);
        slots[second % Slots] += amount;
        sum += amount;
    }

    public long Sum(TimeSpan now)
    {
        Advance(now);
        return sum;
    }

    /// <returns>How long until so much of what is in it has left; null where there is not so much in it.</returns>
    public TimeSpan? Until(TimeSpan now, long amount)
    {
        if (amount > Sum(now)) return null;
        var at = Math.Max(0, second - Slots + 1);
        for (var left = slots[at % Slots]; left < amount; left += slots[at % Slots]) at++;
        return TimeSpan.FromSeconds(at + Slots) - now;
    }

    private void Advance(TimeSpan now)
    {
        var to = Math.Max(second, (long)now.TotalSeconds);
        for (second = Math.Max(second, to - Slots); second < to;)
        {
            second++;
            sum -= slots[second % Slots];
            slots[second % Slots] = 0;
        }
    }
}
