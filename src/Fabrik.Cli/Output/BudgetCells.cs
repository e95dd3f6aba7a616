using System.Globalization;
using Fabrik.Gateway.Budgets;

namespace Fabrik.Cli.Output;

/// <summary>Budgets as a person reads them.</summary>
public static class BudgetCells
{
    private const int BarWidth = 10;
    private const int Near = 80;

    public static string For(BudgetReport budget) => budget.Subject is { } subject ? $"{budget.Scope}/{subject}" : budget.Scope == "cluster" ? "cluster" : $"each {budget.Scope}";

    /// <summary>12.34 USD, or 56.7k tokens; null where it is not known.</summary>
    public static string? Amount(BudgetReport budget, long? amount) =>
        amount is not { } known ? null : budget.Currency is { } currency ? CallCells.Money(known, currency) : $"{CallCells.Count(known)} {budget.Unit}";

    public static string Limit(BudgetReport budget) => $"{Amount(budget, budget.Limit)}{(budget.Period == "total" ? "" : $" a {budget.Period}")}";

    public static string Resets(BudgetReport budget, DateTimeOffset now) => budget.Period == "minute" ? "any minute" : budget.ResetsAt is { } at ? $"in {Age.Of(at - now)}" : "never";

    public static string? Use(BudgetReport budget) => budget.Percent is not { } percent ? null : $"{CallCells.Bar(percent / 100.0, BarWidth)} {percent.ToString(CultureInfo.InvariantCulture)} %";

    /// <summary>Of a cell that ends in the percentage.</summary>
    public static string Colour(string use) => use.Split(' ') is [.., var number, "%"] && int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var percent)
        ? percent >= 100 ? Colours.Red(use) : percent >= Near ? Colours.Yellow(use) : Colours.Green(use) : use;

    public static string? Note(BudgetReport budget) => (budget.Hard, budget.Percent) switch
    {
        (true, 100) => "spent: calls are refused",
        (true, _) when budget.Refused => "refused calls that may take more than is left",
        (false, 100) => "spent; calls go on",
        (false, null) => "only in each gateway's metrics",
        (false, _) => "calls are not refused",
        _ => null,
    };
}
