using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json.Serialization;
using Fabrik.Experiments;

namespace Fabrik.Gateway.Budgets;

/// <summary>A limit of what calls of models may cost, or of how many there may be.</summary>
/// <param name="Limit">Millionths of <paramref name="Currency"/>; or requests, or tokens.</param>
/// <param name="Currency">Of the ledger; what is not money is counted whatever it cost.</param>
/// <param name="Hard">Calls are refused when it is spent; else it only tells.</param>
public sealed record ModelBudget(string Name, BudgetScope Scope, BudgetPeriod Period, long Limit, string Currency, bool Hard, BudgetUnit Unit = BudgetUnit.Money)
{
    /// <summary>Of any minute, not of one by the clock: what was used counts for a minute. Nothing of it is in the ledger.</summary>
    [JsonIgnore]
    public bool IsOfMinute => Period == BudgetPeriod.Minute;

    /// <summary>Null where the policy's entry is not usable here: without a limit, in another currency than the ledger's, or with a scope or period that nobody knows.</summary>
    public static ModelBudget? Of(Budget budget, string currency)
    {
        var unit = budget.Unit ?? BudgetUnit.Money;
        if (BudgetScope.Parse(budget.Scope) is not { } scope || BudgetPeriods.Parse(budget.Period ?? (unit == BudgetUnit.Money ? "month" : "minute")) is not { } period) return null;
        if (!decimal.TryParse(budget.Limit, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var limit) || limit >= 9e12m) return null;
        if (unit == BudgetUnit.Money) return (budget.Currency ?? currency) == currency ? new ModelBudget(budget.Name, scope, period, (long)(limit * 1_000_000), currency, budget.Hard) : null;

        // The ledger has attempts, of which one request may be several: it cannot tell a month's requests.
        return limit == decimal.Truncate(limit) && (unit == BudgetUnit.Tokens || period == BudgetPeriod.Minute) ? new ModelBudget(budget.Name, scope, period, (long)limit, currency, budget.Hard, unit) : null;
    }

    /// <summary>What is charged: the budget for a subject, as one text.</summary>
    public string Account(string subject) => subject.Length == 0 ? Name : $"{Name}/{subject}";

    /// <summary>Whether such a text is of this budget, whoever's.</summary>
    public bool IsOf(string account) => account.StartsWith(Name, StringComparison.Ordinal) && (account.Length == Name.Length || account[Name.Length] == '/');

    /// <summary>0 to 100, rounded down.</summary>
    public int PercentOf(long used) => Limit == 0 ? 100 : (int)Math.Min(100, (decimal)used * 100 / Limit);

    /// <summary>An amount with its unit: 0.001200 USD, 12 requests.</summary>
    public string Say(long amount) => Unit == BudgetUnit.Money
        ? $"{(amount / 1_000_000m).ToString("0.000000", CultureInfo.InvariantCulture)} {Currency}"
        : $"{amount.ToString(CultureInfo.InvariantCulture)} {(amount == 1 ? WireNames.Of(Unit)[..^1] : WireNames.Of(Unit))}";
}

/// <summary>What a call takes, or may take at most, in every unit; it is one request.</summary>
[StructLayout(LayoutKind.Auto)]
public readonly record struct Charge(long Micros, long Tokens)
{
    public static Charge Of(UsageEvent row) => new(row.CostMicros, row.Tokens.All);

    public static Charge operator +(Charge one, Charge other) => new(one.Micros + other.Micros, one.Tokens + other.Tokens);

    public static Charge operator -(Charge one, Charge other) => new(one.Micros - other.Micros, one.Tokens - other.Tokens);

    public long In(BudgetUnit unit) => unit switch { BudgetUnit.Money => Micros, BudgetUnit.Tokens => Tokens, _ => 1 };
}

/// <summary>How long a budget lasts, in UTC.</summary>
public enum BudgetPeriod
{
    Day,
    Week,
    Month,

    /// <summary>For ever: of a run.</summary>
    Total,

    /// <summary>Any sixty seconds.</summary>
    Minute,
}

public static class BudgetPeriods
{
    public static BudgetPeriod? Parse(string text) => WireNames.TryParse<BudgetPeriod>(text, out var period) ? period : null;

    /// <summary>When the period that is now began, and when it ends. Weeks begin on Monday.</summary>
    public static (DateTimeOffset From, DateTimeOffset Until) Now(BudgetPeriod period, DateTimeOffset now)
    {
        var day = new DateTimeOffset(now.UtcDateTime.Date, TimeSpan.Zero);
        switch (period)
        {
            case BudgetPeriod.Minute:
                return (now - MinuteWindow.Length, now + MinuteWindow.Length);
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
