using Fabrik.Experiments;

namespace Fabrik.Gateway.Budgets;

/// <summary>A limit of what calls of models may cost.</summary>
/// <param name="Hard">Calls are refused when it is spent; else it only tells.</param>
public sealed record ModelBudget(string Name, BudgetScope Scope, BudgetPeriod Period, long LimitMicros, string Currency, bool Hard)
{
    /// <summary>Null where the policy's entry is not usable here: without a limit, in another currency than the ledger's, or with a scope or period that nobody knows.</summary>
    public static ModelBudget? Of(Budget budget, string currency) =>
        (budget.Currency ?? currency) == currency && BudgetScope.Parse(budget.Scope) is { } scope && BudgetPeriods.Parse(budget.Period) is { } period
        && decimal.TryParse(budget.Limit, System.Globalization.NumberStyles.AllowDecimalPoint, System.Globalization.CultureInfo.InvariantCulture, out var limit) && limit < 9e12m
            ? new ModelBudget(budget.Name, scope, period, (long)(limit * 1_000_000), currency, budget.Hard) : null;

    /// <summary>What is charged: the budget for a subject, as one text.</summary>
    public string Account(string subject) => subject.Length == 0 ? Name : $"{Name}/{subject}";
}

/// <summary>How long a budget lasts, in UTC.</summary>
public enum BudgetPeriod
{
    Day,
    Week,
    Month,

    /// <summary>For ever: of a run.</summary>
    Total,
}

public static class BudgetPeriods
{
    public static BudgetPeriod? Parse(string? text) => text is null ? BudgetPeriod.Month : WireNames.TryParse<BudgetPeriod>(text, out var period) ? period : null;

    /// <summary>When the period that is now began, and when it ends. Weeks begin on Monday.</summary>
    public static (DateTimeOffset From, DateTimeOffset Until) Now(BudgetPeriod period, DateTimeOffset now)
    {
        var day = new DateTimeOffset(now.UtcDateTime.Date, TimeSpan.Zero);
        switch (period)
        {
            case BudgetPeriod.Day:
                return (day, day.AddDays(1));
            case BudgetPeriod.Week:
                var monday = day.AddDays(-(((int)day.DayOfWeek + 6) % 7));
                return (monday, monday.AddDays(7));
            case BudgetPeriod.Month:
                var first = day.AddDays(1 - day.Day);
                return (first, first.AddMonths(1));
            default:
                return (DateTimeOffset.UnixEpoch, DateTimeOffset.MaxValue);
        }
    }
}
