using System.Runtime.InteropServices;
using System.Text.Json.Serialization;
using Fabrik.Experiments;

namespace Fabrik.Gateway.Budgets;

/// <summary>What a gateway says of one account when it asks for more. Amounts are in the budget's unit.</summary>
/// <param name="Account">A budget, and whose.</param>
/// <param name="Used">What it has reserved, and has spent without the ledger's word that it knows; of a minute all that it used within one.</param>
/// <param name="Kept">What it may use beyond until it is answered.</param>
/// <param name="Wanted">Beyond both, what a call waits for; 0: none does.</param>
/// <param name="Back">What it had until now, and does not keep.</param>
/// <param name="Quiet">No call has come for a while: nothing is to be given in advance.</param>
public sealed record LeaseWish(string Account, long Used, long Kept, long Wanted, long Back, bool Quiet)
{
    [JsonIgnore]
    public long Held => Used + Kept;
}

/// <param name="Replica">The same over a restart.</param>
/// <param name="Process">Another after each.</param>
/// <param name="Number">Of one process, growing: what comes late is not heard.</param>
public sealed record LeaseRequest(string Replica, string Process, long Number, IReadOnlyList<LeaseWish> Wishes);

/// <summary>What a gateway may have in use of an account, all that it holds included, for <see cref="LeaseDesk.Life"/> from when it asked.</summary>
/// <param name="Spent">What the ledger knows of.</param>
/// <param name="Free">What nobody has spent or holds.</param>
/// <param name="ResetsAt">UTC, when the budget's period ends.</param>
/// <param name="Share">While other gateways lack: what this one should come down to as its use leaves the minute; else null.</param>
public sealed record Lease(string Account, long Amount, long Spent, long Free, DateTimeOffset ResetsAt, long? Share);

/// <param name="Budgets">All there are.</param>
/// <param name="Leases">For what was asked for.</param>
public sealed record LeaseAnswer(IReadOnlyList<ModelBudget> Budgets, IReadOnlyList<Lease> Leases);

/// <summary>What gateways have of an account: in use, and all that is leased to them.</summary>
[StructLayout(LayoutKind.Auto)]
public readonly record struct AccountHolding(long Used, long Leased);

/// <summary>
/// Hands out what is left of each budget, in parts that hold for a minute. At any time what the ledger knows and all that is handed out is
/// no more than the limit. What a gateway had that is not heard of any more stays handed out until it is back, or for an hour: it may have spent it.
/// Of a limit per minute, what is handed out bounds what its holder has used within any minute, so all of them together use no more than the limit;
/// whatever a silent one used has left the minute two minutes after it asked last.
/// </summary>
public sealed class LeaseDesk(DateTimeOffset started)
{
    public static readonly TimeSpan Life = TimeSpan.FromSeconds(60);

    /// <summary>How long silence counts as spent.</summary>
    public static readonly TimeSpan Remembered = TimeSpan.FromHours(1);

    private static readonly TimeSpan RememberedOfMinute = Life + MinuteWindow.Length;

    /// <summary>Of what is free, for one gateway at a time: the others may need some too.</summary>
    private const int Part = 4;

    /// <summary>For how long a gateway that got less than it wanted counts as lacking; it asks each second.</summary>
    private static readonly TimeSpan Lacks = TimeSpan.FromSeconds(3);

    private static readonly TimeSpan TidyEvery = TimeSpan.FromMinutes(1);

    private readonly Dictionary<Key, Dictionary<string, Handed>> accounts = [];
    private readonly Dictionary<string, (string Process, long Number, DateTimeOffset At)> replicas = new(StringComparer.Ordinal);
    private readonly Lock deciding = new();
    private DateTimeOffset tidiedAt;

    /// <param name="budgets">As the policy has them.</param>
    /// <param name="spent">What the ledger knows of, in the budget's unit: a budget, whose, and since when.</param>
    public LeaseAnswer Answer(LeaseRequest request, IReadOnlyList<ModelBudget> budgets, Func<ModelBudget, string, DateTimeOffset, long> spent, DateTimeOffset now)
    {
        lock (deciding)
        {
            Tidy(now);
            var leases = new List<Lease>();
            if (!Hear(request, now)) return new LeaseAnswer(budgets, leases);
            foreach (var wish in request.Wishes)
            {
                if (Find(budgets, wish.Account) is not var (budget, subject)) continue;
                var (from, until) = BudgetPeriods.Now(budget.Period, now);
                leases.Add(Answer(request, wish, budget, budget.IsOfMinute ? 0 : spent(budget, subject, from), until, now));
            }

            return new LeaseAnswer(budgets, leases);
        }
    }

    /// <summary>What gateways have now, by budget and account; those that nobody has anything of are left out.</summary>
    public IReadOnlyDictionary<string, AccountHolding> Holdings(ModelBudget budget, DateTimeOffset now)
    {
        lock (deciding)
        {
            return accounts.Where(one => one.Key.IsOf(budget) && budget.IsOf(one.Key.Account))
                .Select(one => (one.Key.Account, Live: one.Value.Values.Where(handed => handed.Ends > now).ToArray()))
                .Where(one => one.Live.Length > 0)
                .ToDictionary(one => one.Account, one => new AccountHolding(one.Live.Sum(handed => handed.Used), one.Live.Sum(handed => handed.Amount)), StringComparer.Ordinal);
        }
    }

    /// <returns>False for what a later request has overtaken: the gateway holds what that one was answered.</returns>
    private bool Hear(LeaseRequest request, DateTimeOffset now)
    {
        if (replicas.TryGetValue(request.Replica, out var last))
        {
            if (last.Process == request.Process && request.Number <= last.Number) return false;

            // The process before has ended, so all it used leaves within a minute.
            if (last.Process != request.Process)
            {
                var holder = Holder(request.Replica, last.Process);
                foreach (var (key, handed) in accounts)
                    if (key.IsOfMinute && handed.TryGetValue(holder, out var old) && old.Ends > now + MinuteWindow.Length) handed[holder] = old with { Ends = now + MinuteWindow.Length };
            }
        }

        replicas[request.Replica] = (request.Process, request.Number, now);
        return true;
    }

    private Lease Answer(LeaseRequest request, LeaseWish wish, ModelBudget budget, long spent, DateTimeOffset resets, DateTimeOffset now)
    {
        var key = Key.Of(budget, wish.Account);
        if (!accounts.TryGetValue(key, out var handed)) accounts[key] = handed = new Dictionary<string, Handed>(StringComparer.Ordinal);

        // Of money a restarted gateway finds in its spool what it spent. Of a minute it does not, so what the process before had stays counted.
        var holder = budget.IsOfMinute ? Holder(request.Replica, request.Process) : request.Replica;
        var others = handed.Where(one => one.Key != holder && one.Value.Ends > now).Sum(one => one.Value.Amount);
        var free = Math.Max(0, budget.Limit - spent - others - wish.Held);

        // What was handed out before this process began is not known: until it has run out, nobody gets more than was handed to them.
        var isKnown = now - started >= (budget.IsOfMinute ? RememberedOfMinute : Life);
        var given = Math.Min(free, isKnown ? Math.Max(wish.Wanted, wish.Quiet ? 0 : free / Part) : wish.Quiet ? 0 : wish.Back);
        var amount = wish.Held + given;
        handed[holder] = new Handed(amount, wish.Used, now + (budget.IsOfMinute ? RememberedOfMinute : Remembered), given < wish.Wanted ? now : null);
        return new Lease(wish.Account, amount, spent, free - given, resets, budget.IsOfMinute ? Share(budget.Limit, handed, holder, now) : null);
    }

    /// <summary>Whoever came first would go on to have all of it for as long as its callers want it.</summary>
    private static long? Share(long limit, Dictionary<string, Handed> handed, string holder, DateTimeOffset now)
    {
        bool IsLacking(Handed one) => now - one.LackedAt < Lacks;
        return handed.Any(one => one.Key != holder && IsLacking(one.Value)) ? limit / handed.Values.Count(one => one.Ends > now && (one.Used > 0 || IsLacking(one))) : null;
    }

    private void Tidy(DateTimeOffset now)
    {
        if (now - tidiedAt < TidyEvery) return;
        tidiedAt = now;
        foreach (var (key, handed) in accounts)
        {
            foreach (var (holder, one) in handed)
                if (one.Ends <= now) handed.Remove(holder);
            if (handed.Count == 0) accounts.Remove(key);
        }

        foreach (var (replica, last) in replicas)
            if (now - last.At > Remembered) replicas.Remove(replica);
    }

    private static string Holder(string replica, string process) => $"{replica}\n{process}";

    private static (ModelBudget, string)? Find(IReadOnlyList<ModelBudget> budgets, string account)
    {
        var slash = account.IndexOf('/');
        var name = slash < 0 ? account : account[..slash];
        foreach (var budget in budgets)
            if (budget.Name == name) return (budget, slash < 0 ? "" : account[(slash + 1)..]);
        return null;
    }

    /// <param name="Ends">From then on nothing of it is in use, and nothing of it counts.</param>
    /// <param name="LackedAt">When it got less than it wanted; null where it did not.</param>
    [StructLayout(LayoutKind.Auto)]
    private readonly record struct Handed(long Amount, long Used, DateTimeOffset Ends, DateTimeOffset? LackedAt);

    /// <summary>A budget that counts something else now is another account.</summary>
    private readonly record struct Key(string Account, BudgetUnit Unit, bool IsOfMinute)
    {
        public static Key Of(ModelBudget budget, string account) => new(account, budget.Unit, budget.IsOfMinute);

        public bool IsOf(ModelBudget budget) => Unit == budget.Unit && IsOfMinute == budget.IsOfMinute;
    }
}
