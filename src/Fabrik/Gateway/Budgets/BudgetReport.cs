namespace Fabrik.Gateway.Budgets;

/// <summary>How a budget stands, for people. Amounts are millionths of the currency, or requests or tokens.</summary>
/// <param name="Scope">Whom it is for: cluster, namespace, project, key, change or run.</param>
/// <param name="Subject">Which of them; null for the cluster, and where each has the budget for itself and nobody has used it.</param>
/// <param name="Unit">money, requests or tokens.</param>
/// <param name="Period">minute, day, week, month or total.</param>
/// <param name="Currency">Of money.</param>
/// <param name="Hard">Calls are refused when it is spent; else it only tells.</param>
/// <param name="Used">In the period that is now, as far as it was delivered; per minute what gateways say they have used within one. Null where nobody counts it: a soft limit per minute.</param>
/// <param name="Held">What is leased to gateways beyond what the ledger knows, or per minute in all.</param>
/// <param name="Left">Of the limit, without what is used.</param>
/// <param name="Percent">That is used, 0 to 100; 100 too where a hard budget has 10 % or less left and refuses calls.</param>
/// <param name="Refused">In this period it refused calls that may have taken more than was left.</param>
/// <param name="ResetsAt">UTC, when it begins anew; null for a minute, which is any, and for what never does.</param>
public sealed record BudgetReport(
    string Name, string Scope, string? Subject, string Unit, string Period, string? Currency, bool Hard, long Limit, long? Used, long Held, long? Left, int? Percent, bool Refused, DateTimeOffset? ResetsAt)
{
    public static BudgetReport Of(BudgetState state, AccountHolding holding)
    {
        var resets = BudgetPeriods.Now(state.Budget.Period, state.PeriodStart).Until;
        return Of(state.Budget, state.Subject, state.Spent, holding.Leased, state.Percent, state.WasRefused, resets == DateTimeOffset.MaxValue ? null : resets);
    }

    /// <summary>Of a limit per minute.</summary>
    public static BudgetReport Of(ModelBudget budget, string? subject, AccountHolding holding) => budget.Hard
        ? Of(budget, subject, holding.Used, holding.Leased, budget.PercentOf(holding.Used), false, null)
        : Of(budget, subject, null, 0, null, false, null);

    private static BudgetReport Of(ModelBudget budget, string? subject, long? used, long held, int? percent, bool refused, DateTimeOffset? resets) => new(
        budget.Name, WireNames.Of(budget.Scope.Subject), string.IsNullOrEmpty(subject) ? null : subject, WireNames.Of(budget.Unit), WireNames.Of(budget.Period),
        budget.Unit == Experiments.BudgetUnit.Money ? budget.Currency : null, budget.Hard, budget.Limit, used, held, used is { } known ? Math.Max(0, budget.Limit - known) : null, percent, refused, resets);
}

/// <param name="Items">In the policy's order; of a budget that each has for itself those who used most, first.</param>
/// <param name="More">Whether there are more of those.</param>
/// <param name="Unusable">Names of entries of the policy that bound nothing: without a limit, in another currency than the ledger's, or with a scope, unit or period that is not known.</param>
public sealed record BudgetList(IReadOnlyList<BudgetReport> Items, bool More, IReadOnlyList<string> Unusable);
