namespace Fabrik.Gateway.Budgets;

/// <summary>What a gateway says of one account when it asks for money.</summary>
/// <param name="Account">A budget, and whose.</param>
/// <param name="Held">Millionths that it has reserved, has spent without the ledger's word that it knows, or may use until it is answered.</param>
/// <param name="Wanted">Millionths beyond that a call waits for; 0: none does.</param>
public sealed record LeaseWish(string Account, long Held, long Wanted);

/// <param name="Replica">The same over a restart.</param>
public sealed record LeaseRequest(string Replica, IReadOnlyList<LeaseWish> Wishes);

/// <summary>What a gateway may have spent of an account, all that it holds included.</summary>
/// <param name="Spent">Millionths that the ledger knows of.</param>
/// <param name="Free">Millionths that nobody has spent or holds.</param>
/// <param name="Until">UTC; from then on it holds no more.</param>
/// <param name="ResetsAt">UTC, when the budget's period ends.</param>
public sealed record Lease(string Account, long Micros, long Spent, long Free, DateTimeOffset Until, DateTimeOffset ResetsAt);

/// <param name="Budgets">All there are.</param>
/// <param name="Leases">For what was asked for.</param>
public sealed record LeaseAnswer(IReadOnlyList<ModelBudget> Budgets, IReadOnlyList<Lease> Leases);

/// <summary>
/// Hands out what is left of each budget, in parts that hold for a minute. At any time what the ledger knows and all that is handed out is
/// no more than the limit. What a gateway had that is not heard of any more stays handed out until it is back, or for an hour: it may have spent it.
/// </summary>
public sealed class LeaseDesk(DateTimeOffset started)
{
    public static readonly TimeSpan Life = TimeSpan.FromSeconds(60);

    /// <summary>How long silence counts as spent.</summary>
    public static readonly TimeSpan Remembered = TimeSpan.FromHours(1);

    /// <summary>Of what is free, for one gateway at a time: the others may need some too.</summary>
    private const int Part = 4;

    private readonly Dictionary<string, Dictionary<string, (long Micros, DateTimeOffset At)>> accounts = new(StringComparer.Ordinal);
    private readonly Lock deciding = new();

    /// <param name="budgets">As the policy has them.</param>
    /// <param name="spent">Millionths that the ledger knows of: a budget, whose, and since when.</param>
    public LeaseAnswer Answer(LeaseRequest request, IReadOnlyList<ModelBudget> budgets, Func<ModelBudget, string, DateTimeOffset, long> spent, DateTimeOffset now)
    {
        lock (deciding)
        {
            var leases = new List<Lease>();
            foreach (var wish in request.Wishes)
            {
                if (Find(budgets, wish.Account) is not var (budget, subject)) continue;
                var (from, until) = BudgetPeriods.Now(budget.Period, now);
                leases.Add(Answer(request.Replica, wish, budget.LimitMicros, spent(budget, subject, from), until, now));
            }

            return new LeaseAnswer(budgets, leases);
        }
    }

    private Lease Answer(string replica, LeaseWish wish, long limit, long spent, DateTimeOffset resets, DateTimeOffset now)
    {
        if (!accounts.TryGetValue(wish.Account, out var handed)) accounts[wish.Account] = handed = new Dictionary<string, (long, DateTimeOffset)>(StringComparer.Ordinal);
        foreach (var (name, old) in handed)
            if (now - old.At > Remembered) handed.Remove(name);
        var others = handed.Where(one => one.Key != replica).Sum(one => one.Value.Micros);
        var free = Math.Max(0, limit - spent - others - wish.Held);

        // What was handed out before this process began is not known: until it has run out, nobody gets more than is held.
        var settled = now - started >= Life;
        var given = settled ? Math.Min(free, Math.Max(wish.Wanted, free / Part)) : 0;
        var lease = wish.Held + given;
        handed[replica] = (lease, now);
        return new Lease(wish.Account, lease, spent, free - given, now + Life, resets);
    }

    private static (ModelBudget, string)? Find(IReadOnlyList<ModelBudget> budgets, string account)
    {
        var slash = account.IndexOf('/');
        var name = slash < 0 ? account : account[..slash];
        foreach (var budget in budgets)
            if (budget.Name == name) return (budget, slash < 0 ? "" : account[(slash + 1)..]);
        return null;
    }
}
