namespace Fabrik.Gateway.Budgets;

/// <summary>Why a call may not be made now.</summary>
/// <param name="Budget">That stands in the way.</param>
/// <param name="LeftMicros">That nobody has spent or holds; null where it is not known, as the API has not answered.</param>
public sealed record BudgetRefusal(ModelBudget Budget, long? LeftMicros, DateTimeOffset? ResetsAt);

/// <summary>Money set aside for one call, in every account that it is charged to.</summary>
public sealed class Reservation
{
    internal Reservation(IReadOnlyList<BudgetBook.Account> accounts, long micros) => (Accounts, Micros) = (accounts, micros);

    internal IReadOnlyList<BudgetBook.Account> Accounts { get; }
    internal long Micros { get; set; }

    /// <summary>The hard budget that is nearest to its end, and millionths that are left of it; null where there is none.</summary>
    public (ModelBudget Budget, long LeftMicros)? Tightest { get; internal set; }
}

/// <summary>
/// A gateway's own book: money is reserved before a call, from what is leased, and settled after it. Nothing here waits: where a lease is too
/// small, the book notes what is wanted, and its keeper asks for it.
/// </summary>
public sealed class BudgetBook
{
    /// <summary>Accounts that nothing is reserved in and nobody has asked for are forgotten after so long.</summary>
    private static readonly TimeSpan Idle = TimeSpan.FromMinutes(10);

    private readonly Lock writing = new();
    private readonly Dictionary<string, Account> accounts = new(StringComparer.Ordinal);
    private volatile IReadOnlyList<ModelBudget>? budgets;

    /// <summary>Null until the API has told.</summary>
    public IReadOnlyList<ModelBudget>? Budgets => budgets;

    /// <summary>Sets aside what a call can cost at most.</summary>
    /// <param name="canAsk">Whether more may be had by asking.</param>
    /// <returns>What stands in the way; null where it is reserved.</returns>
    public BudgetRefusal? Reserve(BudgetCaller caller, long micros, DateTimeOffset now, out Reservation? reservation, out bool canAsk)
    {
        (reservation, canAsk) = (null, false);
        var known = budgets ?? [];
        var charged = new List<Account>(known.Count);
        lock (writing)
        {
            BudgetRefusal? refusal = null;
            (ModelBudget, long Left)? tightest = null;
            foreach (var budget in known)
            {
                if (budget.Scope.Of(caller) is not { } subject) continue;
                var account = Open(budget, subject, now);
                charged.Add(account);
                if (!budget.Hard || refusal is not null) continue;
                var used = account.Used;
                var left = account.Micros - used - micros + account.Free;
                if (account.Until > now && used + micros <= account.Micros)
                {
                    if (tightest is null || left < tightest.Value.Left) tightest = (budget, left);
                    continue;
                }

                account.Wanted = Math.Max(account.Wanted, used + micros - Math.Max(used, account.Until > now ? account.Micros : 0));
                var isTold = account.Until > now;
                canAsk = !isTold || account.Free > 0;
                refusal = new BudgetRefusal(budget, isTold ? Math.Max(0, account.Micros - used) + account.Free : null, isTold ? account.ResetsAt : null);
            }

            if (refusal is not null) return refusal;
            foreach (var account in charged) account.Reserved += micros;
            reservation = new Reservation(charged, micros) { Tightest = tightest };
            return null;
        }
    }

    /// <summary>What one attempt of the call did cost.</summary>
    public void Spend(Reservation reservation, long micros)
    {
        lock (writing)
        {
            var reserved = Math.Min(micros, reservation.Micros);
            reservation.Micros -= reserved;
            foreach (var account in reservation.Accounts)
            {
                account.Reserved -= reserved;
                account.Settled += micros;
            }
        }
    }

    /// <summary>The call is over: what it did not cost is free again.</summary>
    public void Release(Reservation reservation)
    {
        lock (writing)
        {
            foreach (var account in reservation.Accounts) account.Reserved -= reservation.Micros;
            reservation.Micros = 0;
        }
    }

    /// <summary>Spent by an earlier process, and not with the ledger yet.</summary>
    public void Recover(BudgetCaller caller, long micros, DateTimeOffset now)
    {
        lock (writing)
        {
            foreach (var budget in budgets ?? [])
                if (budget.Scope.Of(caller) is { } subject) Open(budget, subject, now).Settled += micros;
        }
    }

    /// <summary>The ledger has it. Calls that were made before a budget was there are not in its account.</summary>
    public void Acknowledge(BudgetCaller caller, long micros)
    {
        lock (writing)
        {
            foreach (var budget in budgets ?? [])
                if (budget.Scope.Of(caller) is { } subject && accounts.TryGetValue(budget.Account(subject), out var account)) account.Acknowledged = Math.Min(account.Acknowledged + micros, account.Settled);
        }
    }

    /// <summary>What is to be asked for, as things stand now.</summary>
    public LeaseRequest Ask(string replica, DateTimeOffset now)
    {
        lock (writing)
        {
            foreach (var (name, idle) in accounts)
                if (idle.Reserved == 0 && idle.Settled == idle.Acknowledged && now - idle.AskedAt > Idle) accounts.Remove(name);
            return new LeaseRequest(replica, [.. accounts.Values.Where(account => account.Budget.Hard).Select(account =>
            {
                // What it may use until the answer comes counts as held. Of what it has not used, half is given back each time, unless a call waits for more.
                var unused = account.Until > now ? Math.Max(0, account.Micros - account.Used) : 0;
                var kept = account.Wanted > 0 ? unused : unused / 2;
                account.Micros -= unused - kept;
                account.Free += unused - kept;
                account.AskedAcknowledged = account.Acknowledged;
                return new LeaseWish(account.Name, account.Reserved + account.Settled - account.Acknowledged + kept, account.Wanted);
            })]);
        }
    }

    /// <summary>The answer to what <see cref="Ask"/> asked last.</summary>
    public void Take(LeaseAnswer answer)
    {
        lock (writing)
        {
            budgets = answer.Budgets;
            foreach (var lease in answer.Leases)
            {
                if (!accounts.TryGetValue(lease.Account, out var account)) continue;

                // What the ledger came to know since it was asked may be in the lease's account of it or not: it is counted as if it were not.
                (account.Micros, account.Until, account.ResetsAt, account.Free, account.Spent) = (lease.Micros, lease.Until, lease.ResetsAt, lease.Free, lease.Spent);
                account.Base = account.AskedAcknowledged;
                account.Wanted = 0;
            }
        }
    }

    /// <summary>How much of each budget is used, as far as it is known here: spent, reserved and settled.</summary>
    public IReadOnlyList<(ModelBudget Budget, string Account, long Used)> Uses()
    {
        lock (writing) return [.. accounts.Values.Select(account => (account.Budget, account.Name, account.Spent + account.Used))];
    }

    private Account Open(ModelBudget budget, string subject, DateTimeOffset now)
    {
        var name = budget.Account(subject);
        if (!accounts.TryGetValue(name, out var account)) accounts[name] = account = new Account(name);
        account.Budget = budget; // as it is now: a policy may have changed
        account.AskedAt = now;
        return account;
    }

    internal sealed class Account(string name)
    {
        public ModelBudget Budget { get; set; } = null!;
        public string Name => name;

        /// <summary>Of the lease.</summary>
        public long Micros { get; set; }
        public DateTimeOffset Until { get; set; }
        public DateTimeOffset ResetsAt { get; set; }
        public long Free { get; set; }
        public long Spent { get; set; }

        /// <summary>What the ledger had acknowledged when the lease was asked for: all that was settled after is used of it.</summary>
        public long Base { get; set; }
        public long AskedAcknowledged { get; set; }
        public long Reserved { get; set; }
        public long Settled { get; set; }
        public long Acknowledged { get; set; }
        public long Wanted { get; set; }
        public DateTimeOffset AskedAt { get; set; }
        public long Used => Reserved + Settled - Base;
    }
}
