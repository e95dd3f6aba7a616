using System.Globalization;
using Fabrik.Gateway;

namespace Fabrik.Cli.Output;

/// <summary>Calls of models as a person reads them.</summary>
public static class CallCells
{
    private const int BarWidth = 20;
    private const int NamesShown = 3;

    /// <summary>Of one run: how many, their tokens, what they cost, and a row for each model.</summary>
    public static string Section(CallTotal calls)
    {
        var lines = new List<string>
        {
            $"{Count(calls.Calls)}{(FailedOver(calls) is > 0 and var failed ? $", and {Count(failed)} attempt{(failed == 1 ? "" : "s")} that failed over" : "")}",
            $"tokens: {Input(calls)} input ({Cached(calls)} cached), {Output(calls)} output",
            $"cost: {Cost(calls)}{(Note(calls) is { } note ? $", {note}" : "")}",
        };
        if (calls.Models is { Count: > 0 } models) lines.AddRange(Table([["MODEL", "CALLS", "INPUT", "CACHED", "OUTPUT", "COST"], .. models.Select(model => (string[])[Model(model), Count(model.Calls), Input(model), Cached(model), Output(model), Cost(model)])]));
        return string.Join('\n', lines);
    }

    /// <summary>Attempts beyond the one that each call needs.</summary>
    public static long FailedOver(CallTotal calls) => calls.Attempts - calls.Calls;

    /// <summary>All that was read, from caches too.</summary>
    public static string Input(CallTotal calls) => Count(calls.Tokens.AllInput);

    public static string Cached(CallTotal calls) => Count(calls.Tokens.CacheRead);

    public static string Output(CallTotal calls) => Count(calls.Tokens.Output);

    /// <summary>In each currency.</summary>
    public static string Cost(CallTotal calls) => calls.Costs.Count == 0 ? "0" : string.Join(" + ", calls.Costs.Select(cost => Money(cost.Micros, cost.Currency)));

    /// <summary>What keeps the figures from being exact.</summary>
    public static string? Note(CallTotal calls) => (calls.Estimated, calls.PriceUnknown) switch
    {
        (true, true) => "estimated, price not known",
        (true, false) => "estimated",
        (false, true) => "price not known",
        _ => null,
    };

    /// <summary>Which part of the whole cost it is, as a bar; null where there is no one currency to compare in.</summary>
    public static string? Share(CallTotal part, CallTotal all)
    {
        if (all.Costs is not [{ Micros: > 0 } whole]) return null;
        var share = (double)part.Costs.Sum(cost => cost.Micros) / whole.Micros;
        return $"{Bar(share, BarWidth)} {(share * 100).ToString("0", CultureInfo.InvariantCulture)} %";
    }

    public static string Bar(double part, int width)
    {
        var full = (int)Math.Round(Math.Clamp(part, 0, 1) * width);
        return new string('█', full) + new string('░', width - full);
    }

    /// <summary>12.34 USD; less than one with all its digits.</summary>
    public static string Money(long micros, string currency) => $"{Amount(micros)} {currency}";

    /// <summary>1234, 56.7k, 8.9M.</summary>
    public static string Count(long count) => count switch
    {
        < 10_000 => count.ToString(CultureInfo.InvariantCulture),
        < 1_000_000 => $"{Math.Floor(count / 100.0) / 10:0.#}k",
        < 1_000_000_000 => $"{Math.Floor(count / 10_000.0) / 100:0.##}M",
        _ => $"{Math.Floor(count / 10_000_000.0) / 100:0.##}G",
    };

    public static string Named(string? key) => string.IsNullOrEmpty(key) ? "(none)" : key;

    /// <summary>What was called, and what the Job had named where that is another.</summary>
    private static string Model(CallTotal model) => model.NamedAs is { Count: > 0 } named ? $"{Named(model.Key)} (named {string.Join(", ", named.Take(NamesShown))}{(named.Count > NamesShown ? ", ..." : "")})" : Named(model.Key);

    private static string Amount(long micros) => (micros / 1e6m).ToString(micros is >= 1_000_000 or 0 ? "0.00" : "0.######", CultureInfo.InvariantCulture);

    private static IEnumerable<string> Table(string[][] rows)
    {
        // Foreign names must not break the lines that this makes.
        foreach (var row in rows) row[0] = TableWriter.WithoutControls(row[0]);
        var widths = Enumerable.Range(0, rows[0].Length).Select(column => rows.Max(row => row[column].Length)).ToArray();
        return rows.Select(row => string.Join("  ", row.Select((cell, column) => column is 0 ? cell.PadRight(widths[column]) : cell.PadLeft(widths[column]))));
    }
}
