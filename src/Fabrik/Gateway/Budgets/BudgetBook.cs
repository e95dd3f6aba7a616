namespace Fabrik.Gateway.Budgets;

/// <summary>
/// A gateway's own book: what a call may take is reserved before it, from what is leased, and settled after it. Nothing here waits: where a lease
/// is too small, the book notes what is wanted, and its keeper asks for it.
/// </summary>
public sealed class BudgetBook(TimeProvider clock)
{
    /// <summary>Accounts that nothing is reserved in and nobody has asked for are forgotten after so long.</summary>
    private static readonly TimeSpan Idle = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan IdleOfMinute = TimeSpan.FromMinutes(1);

    /// <summary>How often what is not used is given back.</summary>
    private static readonly TimeSpan GiveBack = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan GiveBackOfMinute = TimeSpan.FromSeconds(1);

    /// <summary>There is enough, but others were quicker, or the API has just begun and gives nobody more than they had.</summary>
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(1);

    private readonly Lock writing = new();
    private readonly Dictionary<string, BudgetAccount> accounts = new(StringComparer.Ordinal);
    private readonly long began = clock.GetTimestamp();
    private readonly string process = Guid.NewGuid().ToString("N");
    private volatile IReadOnlyList<ModelBudget>? budgets;
    private long asked;
    private TimeSpan askedAt;

    /// <summary>Null until the API has told.</summary>
    public IReadOnlyList<ModelBudget>? Budgets => budgets;

    /// <summary>Since the book was opened. It never goes back, and nobody sets it.</summary>
    private TimeSpan Now => clock.GetElapsedTime(began);

    /// <summary>Sets aside what a call can take at most, of each budget that is for the caller or of none.</summary>
    /// <param name="canAsk">Whether asking may help: what is left, as far as it is known, would do.</param>
    /// <returns>What stands in the way; null where it is reserved.</returns>
    public BudgetRefusal? Reserve(BudgetCaller caller, Charge most, out Reservation? reservation, out bool canAsk)
    {
        (reservation, canAsk) = (null, true);
        var known = budgets ?? [];
        var charged = new List<BudgetAccount>(known.Count);
        lock (writing)
        {
            var now = Now;
            BudgetRefusal? refusal = null;
            (ModelBudget Budget, long Left)? tightest = null;
            foreach (var budget in known)
            {
                if (budget.Scope.Of(caller) is not { } subject) continue;
                var account = Open(budget, subject, now);
                charged.Add(account);
                if (!budget.Hard) continue;
                var (needed, used, isLeased) = (most.In(budget.Unit), account.Used(now), account.IsLeased(now));
                long? left = isLeased ? Math.Max(0, account.Leased - used) + account.Free : null;
                if (isLeased && used + needed <= account.Leased)
                {
                    if (tightest is not var (other, least) || (double)(left!.Value - needed) / budget.Limit < (double)least / other.Limit) tightest = (budget, left!.Value - needed);
                    continue;
                }

                account.Want(now, needed);
                if (!canAsk) continue; // another has no room for it, whatever the API says
                canAsk = left is null || left >= needed;
                if (refusal is null || !canAsk) refusal = Refuse(account, needed, left, now);
            }

            if (refusal is not null) return refusal;
            foreach (var account in charged) account.Reserve(now, most.In(account.Budget.Unit));
            reservation = new Reservation(charged, most) { Tightest = tightest };
            return null;
        }
    }

    /// <summary>What one attempt of the call did take.</summary>
    public void Spend(Reservation reservation, Charge spent)
    {
        lock (writing)
        {
            var now = Now;
            var reserved = new Charge(Math.Min(spent.Micros, reservation.Left.Micros), Math.Min(spent.Tokens, reservation.Left.Tokens));
            reservation.Left -= reserved;
            foreach (var account in reservation.Accounts) account.Settle(now, reserved.In(account.Budget.Unit), spent.In(account.Budget.Unit));
        }
    }

    /// <summary>The call is over: what it did not take is free again.</summary>
    public void Release(Reservation reservation)
    {
        lock (writing)
        {
            var now = Now;
            foreach (var account in reservation.Accounts) account.Settle(now, reservation.Left.In(account.Budget.Unit), 0);
            reservation.Left = default;
        }
    }

    /// <summary>Spent by an earlier process, and not with the ledger yet.</summary>
    public void Recover(BudgetCaller caller, Charge spent)
    {
        lock (writing)
        {
            var now = Now;

            // What that process used within the minute is still leased to it.
            foreach (var budget in budgets ?? [])
                if (!budget.IsOfMinute && budget.Scope.Of(caller) is { } subject) Open(budget, subject, now).Settle(now, 0, spent.In(budget.Unit));
        }
    }

    /// <summary>The ledger has it. Calls that were made before a budget was there are not in its account.</summary>
    public void Acknowledge(BudgetCaller caller, Charge spent)
    {
        lock (writing)
        {
            foreach (var budget in budgets ?? [])
                if (budget.Scope.Of(caller) is { } subject && accounts.TryGetValue(budget.Account(subject), out var account)) account.Acknowledge(spent.In(budget.Unit));
        }
    }

    /// <summary>Whether there is what changes from second to second, and so is to be asked for as often.</summary>
    public bool IsQuick
    {
        get { lock (writing) return accounts.Values.Any(account => account.Budget is { Hard: true, IsOfMinute: true }); }
    }

    /// <summary>What is to be asked for, as things stand now.</summary>
    /// <param name="last">No call comes any more: all that is not used is given back.</param>
    public LeaseRequest Ask(string replica, bool last = false)
    {
        lock (writing)
        {
            var now = askedAt = Now;
            foreach (var (name, account) in accounts)
                if (account.IsIdle(now, account.Budget.IsOfMinute ? IdleOfMinute : Idle)) accounts.Remove(name);
            return new LeaseRequest(replica, process, ++asked, [.. accounts.Values.Where(account => account.Budget.Hard).Select(account => account.Ask(now, account.Budget.IsOfMinute ? GiveBackOfMinute : GiveBack, last))]);
        }
    }

    /// <summary>The answer to what <see cref="Ask"/> asked last.</summary>
    public void Take(LeaseAnswer answer)
    {
        lock (writing)
        {
            budgets = answer.Budgets;
            foreach (var lease in answer.Leases)
                if (accounts.TryGetValue(lease.Account, out var account)) account.Take(lease, askedAt);
        }
    }

    /// <summary>How much of each budget is used, as far as it is known here: spent, reserved and settled.</summary>
    public IReadOnlyList<(ModelBudget Budget, string Account, long Used)> Uses()
    {
        lock (writing)
        {
            var now = Now;
            return [.. accounts.Values.Select(account => (account.Budget, account.Name, account.Spent + account.Used(now)))];
        }
    }

    /// <summary>By budget, the part of it that is used, 0 to 1; of one that each has for itself the one that is nearest to its end.</summary>
    public IReadOnlyDictionary<string, double> Parts() => Uses().GroupBy(use => use.Budget.Name, StringComparer.Ordinal)
        .ToDictionary(same => same.Key, same => same.Max(use => use.Budget.Limit == 0 ? 1 : Math.Clamp((double)use.Used / use.Budget.Limit, 0, 1)), StringComparer.Ordinal);

    private static BudgetRefusal Refuse(BudgetAccount account, long needed, long? left, TimeSpan now)
    {
        var budget = account.Budget;
        if (left is null) return new BudgetRefusal(budget, needed, null, null, null);
        TimeSpan? room = needed > budget.Limit ? null : left >= needed ? Soon : account.RoomIn(now, needed - left.Value);
        return new BudgetRefusal(budget, needed, left, budget.IsOfMinute ? null : account.ResetsAt, room);
    }

    private BudgetAccount Open(ModelBudget budget, string subject, TimeSpan now)
    {
        var name = budget.Account(subject);
        if (!accounts.TryGetValue(name, out var account) || !account.IsOf(budget)) accounts[name] = account = new BudgetAccount(name, budget);
        account.Budget = budget; // as it is now: a policy may have changed
        account.CalledAt = now;
        return account;
    }
}
