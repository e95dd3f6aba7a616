namespace Fabrik.Gateway.Budgets;

/// <summary>That so much of a limit is used up in a period.</summary>
/// <param name="Limit">In the budget's unit: a limit that is changed is reached anew.</param>
public sealed record ThresholdReached(string Account, long Limit, DateTimeOffset PeriodStart, int Percent);

/// <summary>How a budget of one subject stands by what the ledger knows.</summary>
/// <param name="Subject">Whose; empty where there is one for all.</param>
/// <param name="WasRefused">In this period a gateway lacked what a call would have taken of it.</param>
public sealed record BudgetState(ModelBudget Budget, string Subject, long Spent, DateTimeOffset PeriodStart, bool WasRefused)
{
    /// <summary>What people are told of, in percent.</summary>
    public static readonly IReadOnlyList<int> Thresholds = [50, 80, 90, 100];

    /// <summary>
    /// A call is refused when what it may take at most is more than what is left, so a hard budget seldom comes to its very end. From here on a refusal
    /// is one of ordinary calls and not of one that asked for too much.
    /// </summary>
    private const int NearlySpent = 90;

    /// <summary>As many as the policy's schema takes.</summary>
    private const int MostExhausted = 128;

    public string Account => Budget.Account(Subject);

    /// <summary>0 to 100, rounded down; 100 where it is spent.</summary>
    public int Percent
    {
        get
        {
            var percent = Budget.PercentOf(Spent);
            return Budget.Hard && WasRefused && percent >= NearlySpent ? 100 : percent;
        }
    }

    public bool IsSpent => Percent == 100;

    /// <summary>The thresholds that it has come to.</summary>
    public IEnumerable<ThresholdReached> Reached => Thresholds.Where(one => one <= Percent).Select(one => new ThresholdReached(Account, Budget.Limit, PeriodStart, one));

    /// <summary>
    /// As the policy's status lists what is spent: names of budgets, with whose where each has one for itself. Those of single runs are left out:
    /// the list is for what may still be started.
    /// </summary>
    public static IReadOnlyList<string> Exhausted(IEnumerable<BudgetState> states) =>
        [.. states.Where(state => state.IsSpent && !(state.Budget.Scope is { Subject: BudgetSubject.Run, IsOfEach: true }))
            .OrderBy(state => state.Budget.Scope.IsOfEach).Select(state => state.Budget.Scope.IsOfEach ? state.Account : state.Budget.Name).Take(MostExhausted).Order(StringComparer.Ordinal)];
}
