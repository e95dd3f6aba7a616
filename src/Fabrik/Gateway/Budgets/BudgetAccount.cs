using Fabrik.Experiments;

namespace Fabrik.Gateway.Budgets;

/// <summary>A budget of one subject, as a gateway keeps it. Amounts are in the budget's unit, times those of the book's clock.</summary>
internal sealed class BudgetAccount(string name, ModelBudget budget)
{
    /// <summary>Without a call for so long nothing is held in advance.</summary>
    private static readonly TimeSpan Quiet = TimeSpan.FromSeconds(20);

    private readonly MinuteWindow? minute = budget.IsOfMinute ? new MinuteWindow() : null;
    private long settled;

    /// <summary>What the ledger had acknowledged when the lease was asked for: all that was settled after is used of it.</summary>
    private long known;
    private long knownWhenAsked;
    private long acknowledged;

    public string Name => name;

    /// <summary>As the policy has it now.</summary>
    public ModelBudget Budget { get; set; } = budget;

    /// <summary>All that may be in use; until <see cref="Until"/>.</summary>
    public long Leased { get; private set; }
    public TimeSpan Until { get; private set; } = TimeSpan.MinValue;
    public DateTimeOffset ResetsAt { get; private set; }

    /// <summary>What nobody had when the API answered, and what the ledger knew.</summary>
    public long Free { get; private set; }
    public long Spent { get; private set; }

    public long Reserved { get; private set; }

    /// <summary>Beyond the lease, by the call that lacks most, and by those that came to lack since it was asked for last.</summary>
    private long wanted;
    private long wantedSince;

    /// <summary>When a call was last charged to it.</summary>
    public TimeSpan CalledAt { get; set; }

    /// <summary>When what is not used was given back, or was just given: whoever waited for it must be let go on first.</summary>
    private TimeSpan keptSince = TimeSpan.MinValue;

    public bool IsOf(ModelBudget other) => Budget.Unit == other.Unit && Budget.IsOfMinute == other.IsOfMinute;

    public bool IsLeased(TimeSpan now) => Until > now;

    /// <summary>Of the lease: what is set aside, and what the lease does not know to be spent or, in a minute, all that was used within it.</summary>
    public long Used(TimeSpan now) => Reserved + (minute?.Sum(now) ?? settled - known);

    /// <summary>Nobody asked for it of late, and nothing of it is held or still to be told.</summary>
    public bool IsIdle(TimeSpan now, TimeSpan since) =>
        now - CalledAt > since && Reserved == 0 && (minute is null ? settled == acknowledged : minute.Sum(now) == 0) && (Leased == 0 || !IsLeased(now));

    /// <summary>A call needs so much, and there is not so much left of the lease.</summary>
    public void Want(TimeSpan now, long needed)
    {
        var lacking = needed - (IsLeased(now) ? Math.Max(0, Leased - Used(now)) : 0);
        wanted = Math.Max(wanted, lacking);
        wantedSince = Math.Max(wantedSince, lacking);
    }

    public void Reserve(TimeSpan now, long amount)
    {
        // A request counts from when it is made, however long its answer takes; tokens and money until they are known and a minute after.
        if (Budget.Unit == BudgetUnit.Requests) minute?.Add(now, amount);
        else Reserved += amount;
    }

    /// <param name="reserved">Of what was set aside.</param>
    /// <param name="spent">What it was.</param>
    public void Settle(TimeSpan now, long reserved, long spent)
    {
        if (Budget.Unit == BudgetUnit.Requests) return;
        Reserved -= reserved;
        if (minute is not null) minute.Add(now, spent);
        else settled += spent;
    }

    public void Acknowledge(long amount)
    {
        if (minute is null) acknowledged = Math.Min(acknowledged + amount, settled);
    }

    /// <summary>
    /// How long until there is room for what the call lacks; at the latest all that anybody has used by now has left after a minute. Never more: the
    /// official clients go by their own short pauses where they are told to wait longer.
    /// </summary>
    public TimeSpan? RoomIn(TimeSpan now, long lacking) => minute is null ? null : minute.Until(now, lacking) is { } wait && wait < MinuteWindow.Length ? wait : MinuteWindow.Length;

    /// <summary>What is to be asked for. Of what is not used half is given back now and then, unless a call waits for more: others may need it.</summary>
    /// <param name="last">No call comes any more.</param>
    public LeaseWish Ask(TimeSpan now, TimeSpan giveBackEvery, bool last)
    {
        var used = Used(now);
        var unused = IsLeased(now) ? Math.Max(0, Leased - used) : 0;
        var quiet = last || (wanted == 0 && now - CalledAt > Quiet);
        var back = 0L;
        if (quiet) back = unused;
        else if (wanted == 0 && (keptSince == TimeSpan.MinValue || now - keptSince >= giveBackEvery)) (back, keptSince) = (unused - (unused / 2), now);

        // What it may use until the answer comes counts as held.
        Leased -= back;
        Free += back;
        knownWhenAsked = acknowledged;
        wantedSince = 0;
        return new LeaseWish(name, minute is null ? Reserved + settled - acknowledged : used, unused - back, wanted, back, quiet);
    }

    /// <param name="askedAt">By this gateway's own clock, so that no other clock's being wrong makes a lease longer.</param>
    public void Take(Lease lease, TimeSpan askedAt)
    {
        // What the ledger came to know since it was asked may be in the lease's account of it or not: it is counted as if it were not.
        (Leased, Until, ResetsAt, Free, Spent) = (Math.Min(lease.Amount, lease.Share ?? long.MaxValue), askedAt + LeaseDesk.Life, lease.ResetsAt, lease.Free, lease.Spent);
        known = knownWhenAsked;
        if (wanted > 0) keptSince = askedAt;
        wanted = wantedSince;
    }
}
