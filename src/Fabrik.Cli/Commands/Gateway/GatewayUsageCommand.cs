using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Fabrik.Cli.Connections;
using Fabrik.Cli.Output;
using Fabrik.Gateway;
using Fabrik.Runs;

namespace Fabrik.Cli.Commands.Gateway;

/// <summary>What calls of models add up to, from the ledger that Fabrik's API keeps.</summary>
public static class GatewayUsageCommand
{
    /// <summary>Columns of a terminal from which on there is room for a bar.</summary>
    private const int Wide = 100;

    private static readonly Option<string> By = new("--by") { Description = "What is added up (default: project)", DefaultValueFactory = _ => "project" };
    private static readonly Option<string> Since = new("--since") { Description = "Only attempts made within this span (30m, 6h, 7d) or after this time (2026-11-20T12:00:00Z)", DefaultValueFactory = _ => "24h" };
    private static readonly Option<string?> Until = new("--until") { Description = "Only attempts made before this time, or longer ago than this span" };
    private static readonly Option<string?> Project = new("--project") { Description = "Only this project" };
    private static readonly Option<string?> Model = new("--model") { Description = "Only this model, as it was asked of the provider" };
    private static readonly Option<string?> Change = new("--change") { Description = "Only Jobs in an arm of this change" };
    private static readonly Option<string?> Key = new("--key") { Description = "Only this virtual key" };
    private static readonly Option<int> Limit = new("--limit") { Description = "At most this many groups, 1 to 1000", DefaultValueFactory = _ => 100 };

    static GatewayUsageCommand() => By.AcceptOnlyFromAmong("run", "project", "model", "arm", "key", "day");

    public static Command Create(GlobalOptions globals, Terminal terminal, TimeProvider clock)
    {
        var command = new Command("usage", "Add up calls of models, the dearest first; all namespaces unless one is named") { Options = { By, Since, Until, Project, Model, Change, Key, Limit } };
        command.SetAction((parsed, cancel) => ShowAsync(parsed, globals, terminal, clock, cancel));
        return command;
    }

    private static async Task ShowAsync(ParseResult parsed, GlobalOptions globals, Terminal terminal, TimeProvider clock, CancellationToken cancel)
    {
        var by = parsed.GetValue(By)!;
        var query = ApiQuery.Of(
            ("groupBy", by),
            ("since", ApiQuery.Since(parsed.GetValue(Since), clock)),
            ("until", ApiQuery.Since(parsed.GetValue(Until), clock, "--until")),
            ("namespace", parsed.GetValue(globals.AllNamespaces) ? null : parsed.GetValue(globals.Namespace)),
            ("project", parsed.GetValue(Project)),
            ("model", parsed.GetValue(Model)),
            ("change", parsed.GetValue(Change)),
            ("key", parsed.GetValue(Key)),
            ("limit", parsed.GetValue(Limit).ToString(CultureInfo.InvariantCulture)));
        using var cluster = globals.Cluster(parsed, clock);
        using var api = await globals.ApiAsync(parsed, cluster, terminal, cancel);
        using var answer = await api.GetAsync($"{Names.Paths.Usage}?{query}", cancel);
        var printer = globals.Printer(parsed, terminal);
        if (parsed.GetValue(globals.Output) is OutputFormat.Json or OutputFormat.Yaml)
        {
            printer.One(answer.RootElement, [], "");
            return;
        }

        var items = answer.RootElement.GetProperty("items").EnumerateArray().ToList();
        var all = Of(answer.RootElement.GetProperty("total"));
        printer.List(
            items,
            [
                new(by.ToUpperInvariant(), item => CallCells.Named(Of(item).Key)),
                new("CALLS", item => CallCells.Count(Of(item).Calls)),
                new("FAILED OVER", item => CallCells.Count(CallCells.FailedOver(Of(item))), Wide: true),
                new("INPUT", item => CallCells.Input(Of(item))),
                new("CACHED", item => CallCells.Cached(Of(item))),
                new("OUTPUT", item => CallCells.Output(Of(item))),
                new("COST", item => CallCells.Cost(Of(item))),
                .. terminal.Width >= Wide ? [new Column("SHARE", item => CallCells.Share(Of(item), all))] : Array.Empty<Column>(),
                new("NOTE", item => CallCells.Note(Of(item))),
            ],
            item => $"{by}/{CallCells.Named(Of(item).Key)}",
            "No calls of models in that time.");
        if (items.Count > 0) terminal.Error.WriteLine($"Together: {CallCells.Count(all.Calls)} calls, {CallCells.Cost(all)}{(answer.RootElement.GetProperty("more").GetBoolean() ? $"; these are the first {items.Count} groups, more of them: --limit" : "")}");
    }

    private static CallTotal Of(JsonElement item) => item.Deserialize(RunJson.Default.CallTotal)!;
}
