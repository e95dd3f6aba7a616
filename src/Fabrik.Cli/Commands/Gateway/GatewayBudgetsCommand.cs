using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Fabrik.Cli.Connections;
using Fabrik.Cli.Output;
using Fabrik.Gateway;
using Fabrik.Gateway.Budgets;

namespace Fabrik.Cli.Commands.Gateway;

/// <summary>How budgets and limits of model calls stand, from Fabrik's API.</summary>
public static class GatewayBudgetsCommand
{
    private static readonly Option<int> Limit = new("--limit") { Description = "Of a budget that each has for itself, at most this many, 1 to 1000: those who used most", DefaultValueFactory = _ => 20 };

    public static Command Create(GlobalOptions globals, Terminal terminal, TimeProvider clock)
    {
        var command = new Command("budgets", "Show budgets and limits: what is used, what is left, and when each begins anew") { Options = { Limit } };
        command.SetAction((parsed, cancel) => ShowAsync(parsed, globals, terminal, clock, cancel));
        return command;
    }

    private static async Task ShowAsync(ParseResult parsed, GlobalOptions globals, Terminal terminal, TimeProvider clock, CancellationToken cancel)
    {
        var query = ApiQuery.Of(("limit", parsed.GetValue(Limit).ToString(CultureInfo.InvariantCulture)));
        using var cluster = globals.Cluster(parsed, clock);
        using var api = await globals.ApiAsync(parsed, cluster, terminal, cancel);
        using var answer = await api.GetAsync($"{Names.Paths.Budgets}?{query}", cancel);
        var printer = globals.Printer(parsed, terminal);
        var list = answer.RootElement.Deserialize(GatewayJson.Default.BudgetList)!;
        foreach (var name in list.Unusable)
            terminal.Error.WriteLine($"warning: budget {TableWriter.WithoutControls(name)} of the policy bounds nothing: it has no limit, another currency than the ledger's, or a scope, unit or period that is not known; see kubectl explain optimizerpolicy.spec.budgets");
        if (parsed.GetValue(globals.Output) is OutputFormat.Json or OutputFormat.Yaml)
        {
            printer.One(answer.RootElement, [], "");
            return;
        }

        var now = clock.GetUtcNow();
        printer.List(
            [.. answer.RootElement.GetProperty("items").EnumerateArray()],
            [
                new("BUDGET", item => Of(item).Name),
                new("FOR", item => BudgetCells.For(Of(item))),
                new("USED", item => BudgetCells.Amount(Of(item), Of(item).Used)),
                new("LIMIT", item => BudgetCells.Limit(Of(item))),
                new("LEFT", item => BudgetCells.Amount(Of(item), Of(item).Left)),
                new("HELD", item => BudgetCells.Amount(Of(item), Of(item).Held), Wide: true),
                new("RESETS", item => BudgetCells.Resets(Of(item), now)),
                new("USE", item => BudgetCells.Use(Of(item))) { Colour = BudgetCells.Colour },
                new("NOTE", item => BudgetCells.Note(Of(item))),
            ],
            item => $"budget/{Of(item).Name}",
            "There are no budgets. They stand in the policy: kubectl explain optimizerpolicy.spec.budgets");
        if (list.More) terminal.Error.WriteLine($"Of budgets that each has for itself there are more than {parsed.GetValue(Limit)}: --limit");
    }

    private static BudgetReport Of(JsonElement item) => item.Deserialize(GatewayJson.Default.BudgetReport)!;
}
