namespace Fabrik.Gateway.Budgets;

/// <summary>What was used within the last minute. Kept by tenths of a second: an amount counts for a minute and at most a tenth more, never less.</summary>
internal sealed class MinuteWindow
{
    public static readonly TimeSpan Length = TimeSpan.FromMinutes(1);

    private static readonly TimeSpan Slot = TimeSpan.FromMilliseconds(100);

    private readonly Queue<Used> slots = new();
    private Used? last;
    private long sum;

    /// <param name="now">On a clock that never goes back, from any beginning.</param>
    public void Add(TimeSpan now, long amount)
    {
        Forget(now);
        sum += amount;
        var slot = now.Ticks / Slot.Ticks;
        if (last?.Slot != slot) slots.Enqueue(last = new Used(slot));
        last.Amount += amount;
    }

    public long Sum(TimeSpan now)
    {
        Forget(now);
        return sum;
    }

    /// <returns>How long until so much of what is in it has left; null where there is not so much in it.</returns>
    public TimeSpan? Until(TimeSpan now, long amount)
    {
        Forget(now);
        foreach (var used in slots)
            if ((amount -= used.Amount) <= 0) return used.Leaves - now;
        return null;
    }

    private void Forget(TimeSpan now)
    {
        while (slots.TryPeek(out var oldest) && oldest.Leaves <= now)
        {
            sum -= oldest.Amount;
            slots.Dequeue();
        }

        if (slots.Count == 0) last = null;
    }

    private sealed class Used(long slot)
    {
        public long Slot => slot;
        public long Amount { get; set; }
        public TimeSpan Leaves => ((slot + 1) * MinuteWindow.Slot) + Length;
    }
}
