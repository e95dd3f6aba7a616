using Fabrik.Gateway.Budgets;
using Fabrik.Storage;

namespace Fabrik.Api.Usage;

/// <summary>The desk that hands out leases, with what must outlive this process.</summary>
internal sealed class LeaseOffice(BudgetStore store, TimeProvider clock)
{
    /// <summary>That leases are out is written down so often.</summary>
    private static readonly TimeSpan NoteEvery = TimeSpan.FromMinutes(10);

    /// <summary>Of what was refused is remembered at most so much, so as not to write it down again.</summary>
    private const int MostRefusals = 10_000;

    private readonly Lock noting = new();
    private readonly HashSet<(string, DateTimeOffset)> refused = [];

    // Where none can be out, nothing has to run out first: not after an installation, nor after a long rest.
    private readonly LeaseDesk desk = new(store.HandedOutAt() is { } last && clock.GetUtcNow() - last < LeaseDesk.Remembered ? clock.GetUtcNow() : DateTimeOffset.MinValue);
    private DateTimeOffset notedAt = DateTimeOffset.MinValue;

    public LeaseAnswer Answer(LeaseRequest request, IReadOnlyList<ModelBudget> budgets, DateTimeOffset now)
    {
        if (request.Wishes.Count > 0) Note(now);
        var answer = desk.Answer(request, budgets, store.Spent, now);
        var leases = answer.Leases.ToLookup(lease => lease.Account, StringComparer.Ordinal);
        foreach (var wish in request.Wishes)
            if (wish.Wanted > 0 && leases[wish.Account].LastOrDefault() is { } lease && lease.Amount + lease.Free < wish.Held + wish.Wanted) Refused(budgets, wish.Account, now);
        return answer;
    }

    public IReadOnlyDictionary<string, AccountHolding> Holdings(ModelBudget budget) => desk.Holdings(budget, clock.GetUtcNow());

    private void Note(DateTimeOffset now)
    {
        lock (noting)
        {
            if (now - notedAt < NoteEvery) return;
            store.HandedOut(now);
            notedAt = now;
        }
    }

    private void Refused(IReadOnlyList<ModelBudget> budgets, string account, DateTimeOffset now)
    {
        if (budgets.FirstOrDefault(one => one.IsOf(account)) is not { IsOfMinute: false } budget) return;
        var from = BudgetPeriods.Now(budget.Period, now).From;
        lock (noting)
        {
            if (refused.Count > MostRefusals) refused.Clear();
            if (!refused.Add((account, from))) return;
        }

        store.Refused(account, from, now);
    }
}
