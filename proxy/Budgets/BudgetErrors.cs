using System.Globalization;
using Fabrik.Experiments;
using Fabrik.Gateway;
using Fabrik.Gateway.Budgets;
using Fabrik.Gateway.Wire;

namespace Fabrik.Proxy.Budgets;

/// <summary>Refusals for a budget, in the words of the API that was called: its name, what is left of it, and when that changes.</summary>
internal static class BudgetErrors
{
    public static WireError Refused(WireFormat format, BudgetRefusal refusal)
    {
        var (budget, left) = (refusal.Budget, refusal.Left ?? 0);
        if (refusal.IsNever && budget is { Limit: > 0, Unit: not BudgetUnit.Requests })
            return WireError.Spent(format, "budget_too_small", $"This call may take {budget.Say(refusal.Needed)}, which is more than the whole budget {budget.Name} ({Limit(budget)}). Give it a smaller max_tokens, or send less.");
        if (refusal.IsAtOthers)
            return WireError.Limited(format, "requests", $"The budget {budget.Name} ({Limit(budget)}) has {budget.Say(left)} left, but none of it is leased to this gateway now. Ask again in a while.");
        if (!budget.IsOfMinute)
        {
            var resets = refusal.ResetsAt is { } at && at < DateTimeOffset.MaxValue ? string.Create(CultureInfo.InvariantCulture, $" It begins anew at {at:yyyy-MM-dd HH:mm} UTC.") : "";
            return WireError.Spent(format, "budget_exhausted", $"The budget {budget.Name} ({Limit(budget)}) has {budget.Say(left)} left, and this call may {(budget.Unit == BudgetUnit.Money ? "cost" : "take")} {budget.Say(refusal.Needed)}.{resets}");
        }

        var again = refusal.RetryAfter is { } wait ? string.Create(CultureInfo.InvariantCulture, $" There is room for it again in {Math.Ceiling(wait.TotalSeconds)} s.") : "";
        return WireError.Limited(format, budget.Unit == BudgetUnit.Requests ? "requests" : "tokens", $"The limit {budget.Name} ({Limit(budget)}) has {budget.Say(left)} left, and this call may take {budget.Say(refusal.Needed)}.{again}");
    }

    public static WireError Unknown(WireFormat format, BudgetRefusal? refusal) =>
        WireError.Unavailable(format, "budget_unknown", $"What is left of {(refusal is null ? "the budgets" : $"the budget {refusal.Budget.Name}")} is not known now, as Fabrik's API does not answer. Ask again in a while.");

    private static string Limit(ModelBudget budget) => budget.Say(budget.Limit) + (budget.IsOfMinute ? " a minute" : "");
}
