namespace Fabrik.Gateway.Budgets;

/// <summary>Why a call may not be made now.</summary>
/// <param name="Budget">That stands in the way.</param>
/// <param name="Needed">What the call may take of it at most, in its unit.</param>
/// <param name="Left">That nobody has used or holds; null where it is not known, as the API has not answered.</param>
/// <param name="ResetsAt">UTC, when the budget begins anew; null for one of a minute.</param>
/// <param name="RetryAfter">How long until there is room for it, if nobody else takes it; null where waiting does not help or the end of the period is meant.</param>
public sealed record BudgetRefusal(ModelBudget Budget, long Needed, long? Left, DateTimeOffset? ResetsAt, TimeSpan? RetryAfter)
{
    /// <summary>There is enough, only not at hand.</summary>
    public bool IsAtOthers => Left >= Needed;

    /// <summary>The limit itself is less than the call may take.</summary>
    public bool IsNever => Needed > Budget.Limit;
}

/// <summary>What is set aside for one call, in every account that it is charged to.</summary>
public sealed class Reservation
{
    internal Reservation(IReadOnlyList<BudgetAccount> accounts, Charge left) => (Accounts, Left) = (accounts, left);

    internal IReadOnlyList<BudgetAccount> Accounts { get; }

    /// <summary>Of what was set aside, what no attempt has taken yet.</summary>
    internal Charge Left { get; set; }

    /// <summary>The hard budget that is nearest to its end, and what is left of it; null where there is none.</summary>
    public (ModelBudget Budget, long Left)? Tightest { get; internal set; }
}
