using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Fabrik.Cli.Connections;
using Fabrik.Cli.Output;
using Fabrik.Experiments;
using Fabrik.Reports;

namespace Fabrik.Cli.Commands;

/// <summary>What became of changes: every step where the API can be asked, else what the objects still tell.</summary>
public static class HistoryCommand
{
    private const int Most = 10_000;
    private const int MostReports = 50;

    public static Command Create(GlobalOptions globals, Terminal terminal, TimeProvider clock)
    {
        var last = new Option<string>("--last") { Description = "How far back: a number and h, d or w; --last-30d is the same as --last 30d", DefaultValueFactory = _ => "30d" };
        last.Validators.Add(result =>
        {
            if (result.Tokens.Count > 0 && Span(result.Tokens[0].Value) is null) result.AddError($"'{result.Tokens[0].Value}' is not a span such as 12h, 30d or 8w");
        });
        var change = new Option<string?>("--change") { Description = "Only this change" };
        var command = new Command("history", "What was tried, applied and rolled back, by whom and why, the newest first") { Options = { last, change } };
        command.SetAction((parsed, cancel) => ShowAsync(parsed, Span(parsed.GetValue(last)!)!.Value, parsed.GetValue(change), globals, terminal, clock, cancel));
        return command;
    }

    /// <summary>--last-30d, as the specification writes it, for --last 30d.</summary>
    public static string[] Spelled(string[] args) =>
        args.Contains("history") ? [.. args.SelectMany<string, string>(one => one.StartsWith("--last-", StringComparison.Ordinal) ? ["--last", one["--last-".Length..]] : [one])] : args;

    private static async Task ShowAsync(ParseResult parsed, TimeSpan span, string? only, GlobalOptions globals, Terminal terminal, TimeProvider clock, CancellationToken cancel)
    {
        using var cluster = globals.Cluster(parsed, clock);
        using var reader = new OptimizerReader(cluster, ct => globals.ApiAsync(parsed, cluster, terminal, ct), clock);
        var scope = globals.ChangeScope(parsed);
        var since = clock.GetUtcNow() - span;
        var changes = (await reader.ChangesAsync(scope, cancel)).Select(item => ObjectJson.Change(item.Json)).ToList();
        var (recorded, missing) = await reader.ListAsync(
            $"{Names.Paths.Decisions}?since={Uri.EscapeDataString(since.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture))}{(only is null ? "" : $"&change={Uri.EscapeDataString(only)}")}", ReportJson.Default.HistoryEntry, Most, cancel);
        var entries = (missing is null ? recorded : changes.SelectMany(ChangeHistory.Of)).Where(entry => entry.At >= since && (only is null || entry.Change == only)).OrderByDescending(entry => entry.At).ToList();
        var (impact, _) = await reader.ReportsAsync(entries.Where(Ends).Select(entry => entry.Change).Distinct().Take(MostReports), cancel);

        globals.Printer(parsed, terminal).List([.. entries.Select(entry => JsonSerializer.SerializeToElement(entry, ReportJson.Default.HistoryEntry))],
        [
            new("CHANGE", item => Cells.Text(item, "change")),
            new("WHEN", item => Age.Of(clock.GetUtcNow() - item.GetProperty("at").GetDateTimeOffset())),
            new("TIME", item => item.GetProperty("at").GetDateTimeOffset().UtcDateTime.ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture), Wide: true),
            new("FROM", item => Cells.Text(item, "from"), Wide: true),
            new("BECAME", item => Cells.Text(item, "to")) { Colour = Colours.Phase },
            new("BY", item => Cells.Text(item, "actor")),
            new("IMPACT", item => Cells.Text(item, "to") is "applied" or "rolled_back" or "rejected" && impact.GetValueOrDefault(Cells.Text(item, "change")!) is { } report ? EvidenceText.Shown(report) : null),
            new("WHY", item => string.Join("; ", item.GetProperty("reasons").EnumerateArray().Select(reason => reason.GetString())) is { Length: > 0 } why ? why : null),
        ], item => $"optimizationchange.fabrik.dev/{Cells.Text(item, "change")}", $"Nothing happened in the last {Age.Of(span)}.");
        if (missing is not null) terminal.Error.WriteLine($"This is what the objects still tell, not every step: {TableWriter.WithoutControls(missing)}");
    }

    private static bool Ends(HistoryEntry entry) => entry.To is "applied" or "rolled_back" or "rejected";

    private static TimeSpan? Span(string text) =>
        text.Length > 1 && int.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number is > 0 and <= 10_000
            ? text[^1] switch { 'h' => TimeSpan.FromHours(number), 'd' => TimeSpan.FromDays(number), 'w' => TimeSpan.FromDays(7 * number), _ => null }
            : null;
}
