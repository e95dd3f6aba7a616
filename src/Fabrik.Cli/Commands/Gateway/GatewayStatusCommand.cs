using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Fabrik.Cli.Connections;
using Fabrik.Cli.Output;
using Fabrik.Gateway;

namespace Fabrik.Cli.Commands.Gateway;

/// <summary>How gateways stand: providers and keys that are set aside, what waits in the spool, budgets.</summary>
public static class GatewayStatusCommand
{
    internal static readonly Option<string[]> Address = new("--gateway") { Description = $"Address of the gateway; several times for several replicas (default: {Names.Variables.GatewayUrl}, then what the cluster offers)", DefaultValueFactory = _ => [] };

    /// <summary>The API tells every three seconds.</summary>
    private static readonly TimeSpan Late = TimeSpan.FromSeconds(30);

    public static Command Create(GlobalOptions globals, Terminal terminal, TimeProvider clock)
    {
        var command = new Command("status", "How the gateways stand: providers and keys that are set aside and why, what waits to be sent, budgets") { Options = { Address } };
        command.SetAction((parsed, cancel) => ShowAsync(parsed, globals, terminal, clock, cancel));
        return command;
    }

    private static async Task<int> ShowAsync(ParseResult parsed, GlobalOptions globals, Terminal terminal, TimeProvider clock, CancellationToken cancel)
    {
        var addresses = await GatewayConnection.AddressesAsync(parsed.GetValue(Address)!, terminal.Variable, () => globals.Cluster(parsed, clock), cancel);
        using var connection = new GatewayConnection(() => globals.Cluster(parsed, clock));
        var all = new List<GatewayStatus>();
        foreach (var address in addresses)
        {
            try
            {
                all.Add(await connection.StatusAsync(address, cancel));
            }
            catch (Exception e) when (addresses.Count > 1 && Failures.Explain(e) is { } explained && !cancel.IsCancellationRequested)
            {
                terminal.Error.WriteLine($"{address}: {TableWriter.WithoutControls(explained.Message)}: {TableWriter.WithoutControls(explained.Why)}");
            }
        }

        globals.Printer(parsed, terminal).List(
            [.. all.Select(status => JsonSerializer.SerializeToElement(status, GatewayJson.Default.GatewayStatus))],
            [
                new("REPLICA", item => Of(item).Replica),
                new("STATE", item => Of(item).Draining ? "draining" : "serving") { Colour = text => text == "serving" ? Colours.Green(text) : Colours.Yellow(text) },
                new("UP", item => Age.Of(Of(item).Now - Of(item).StartedAt)),
                new("UNSENT", item => Unsent(Of(item))),
                new("ENDED RUNS", item => Ended(Of(item))),
                new("PRICES", item => Of(item).PriceVersion),
                new("VERSION", item => Of(item).Version, Wide: true),
            ],
            item => $"gateway/{Of(item).Replica}",
            "No gateway answered.");
        if (parsed.GetValue(globals.Output) is OutputFormat.Table or OutputFormat.Wide && all.Count > 0) Details(parsed, globals, terminal, all);
        return (int)(all.Count == addresses.Count ? ExitCode.Ok : ExitCode.Error);
    }

    private static void Details(ParseResult parsed, GlobalOptions globals, Terminal terminal, List<GatewayStatus> all)
    {
        var headers = !parsed.GetValue(globals.NoHeaders);
        var many = all.Count > 1;
        terminal.Out.WriteLine();
        TableWriter.Write(
            terminal, [.. (string[])(many ? ["REPLICA"] : []), "PROVIDER", "KEY", "WEIGHT", "STATE", "FOR", "HOST"],
            all.SelectMany(status => status.Providers.SelectMany(provider => provider.Keys.Select(key => (string[])
            [
                .. (string[])(many ? [status.Replica] : []), provider.Name, key.Name, key.Weight.ToString(CultureInfo.InvariantCulture), State(status, provider, key),
                string.Join(", ", provider.Projects.Select(project => $"project {project}").Concat(provider.Models)) is { Length: > 0 } limited ? limited : "all", provider.Host,
            ]))),
            headers, [.. (Func<string, string>?[])(many ? [null] : []), null, null, null, text => text == "good" ? Colours.Green(text) : Colours.Red(text), null, null]);
        var budgets = all.SelectMany(status => status.Budgets).GroupBy(budget => budget.Name, StringComparer.Ordinal).ToList();
        if (budgets.Count > 0)
        {
            terminal.Out.WriteLine();
            TableWriter.Write(
                terminal, ["BUDGET", "KIND", "USED AT MOST"],
                budgets.OrderByDescending(same => same.Max(one => one.Used)).Select(same => (string[])[same.Key, same.First().Hard ? "hard" : "soft", $"{Math.Floor(same.Max(one => one.Used) * 100):0} %"]), headers);
        }

        foreach (var hint in all.SelectMany(Hints).Distinct(StringComparer.Ordinal)) terminal.Error.WriteLine($"next: {TableWriter.WithoutControls(hint)}");
    }

    private static string State(GatewayStatus status, ProviderStatus provider, KeyStatus key)
    {
        if (key.Missing) return "no key";
        if (provider.Bench is { } all) return $"provider set aside for {Age.Of(all.Until - status.Now)}: {all.Why}";
        if (key.Bench is { } own) return $"set aside for {Age.Of(own.Until - status.Now)}: {own.Why}";
        return key.Models.Count == 0 ? "good" : $"set aside for {string.Join(", ", key.Models.Select(model => $"{model.Model} for {Age.Of(model.Until - status.Now)}: {model.Why}"))}";
    }

    private static string Unsent(GatewayStatus status) =>
        status.Spool.Oldest is { } oldest ? $"{Cells.Bytes(status.Spool.Bytes)}, oldest {Age.Of(status.Now - oldest)}" : "nothing";

    private static string Ended(GatewayStatus status) =>
        status.RunEnds.ToldAt is not { } told ? $"{status.RunEnds.Held}, not told yet" : status.Now - told > Late ? $"{status.RunEnds.Held}, told {Age.Of(status.Now - told)} ago" : $"{status.RunEnds.Held}";

    private static IEnumerable<string> Hints(GatewayStatus status)
    {
        foreach (var provider in status.Providers)
            foreach (var key in provider.Keys)
                if (key.Missing) yield return $"write the key into file {key.Name} of the gateway's key directory, or take it out of provider {provider.Name}'s keys; its log says what is wrong";
        if (status.Providers.Any(provider => provider.Bench is not null || provider.Keys.Any(key => key.Bench is not null))) yield return "try what is set aside: fabrik gateway test PROVIDER";
        if (status.Spool.Failing is { } why) yield return $"usage waits on {status.Replica}, as the API does not take it: {why}";
        if (!status.BudgetsKnown) yield return $"{status.Replica} does not know its budgets, as the API has not answered: it needs {Names.Variables.ApiUrl} and the permission to create usage.{Names.Group}";
    }

    private static GatewayStatus Of(JsonElement item) => item.Deserialize(GatewayJson.Default.GatewayStatus)!;
}
