using System.CommandLine;
using System.Text.Json;
using Fabrik.Cli.Connections;
using Fabrik.Cli.Output;
using Fabrik.Experiments;
using Fabrik.Reports;

namespace Fabrik.Cli.Commands;

/// <summary>The optimizer at a glance.</summary>
public static class StatusCommand
{
    private const int MostReports = 1000;

    public static Command Create(GlobalOptions globals, Terminal terminal, TimeProvider clock)
    {
        var command = new Command("status", "What runs, what it has shown, when it will be decided and why not yet; what waits, and what was taken back");
        command.SetAction((parsed, cancel) => ShowAsync(parsed, globals, terminal, clock, cancel));
        return command;
    }

    private static async Task ShowAsync(ParseResult parsed, GlobalOptions globals, Terminal terminal, TimeProvider clock, CancellationToken cancel)
    {
        using var cluster = globals.Cluster(parsed, clock);
        using var reader = new OptimizerReader(cluster, ct => globals.ApiAsync(parsed, cluster, terminal, ct), clock);
        var scope = parsed.GetValue(globals.AllNamespaces) ? null : parsed.GetValue(globals.Namespace) ?? Names.SystemNamespace;
        var policy = await reader.PolicyAsync(cancel);
        var changes = (await reader.ChangesAsync(scope, cancel)).Select(item => ObjectJson.Change(item.Json)).ToList();
        var (reports, missing) = await reader.ListAsync(Names.Paths.Experiments, ReportJson.Default.ExperimentReport, MostReports, cancel);
        var (incidents, unknown) = await reader.ListAsync($"{Names.Paths.Incidents}?open=true", ReportJson.Default.IncidentReport, MostReports, cancel);
        var newest = reports.GroupBy(report => report.Change, StringComparer.Ordinal).ToDictionary(group => group.Key, group => group.MaxBy(report => report.AnalyzedAt)!, StringComparer.Ordinal);
        var status = OptimizerStatus.Of(policy?.Spec ?? new PolicySpec(), policy?.Status, changes, newest, incidents, missing ?? unknown, clock.GetUtcNow());

        switch (parsed.GetValue(globals.Output))
        {
            case OutputFormat.Json or OutputFormat.Yaml:
                globals.Printer(parsed, terminal).One(JsonSerializer.SerializeToElement(status, StatusJson.Default.OptimizerStatus), [], "optimizer");
                break;
            case OutputFormat.Name:
                foreach (var line in status.Running) terminal.Out.WriteLine($"optimizationchange.fabrik.dev/{line.Name}");
                break;
            case var format:
                StatusView.Write(terminal, status, clock.GetUtcNow(), wide: format == OutputFormat.Wide);
                if (missing is not null) terminal.Error.WriteLine($"What the experiments have shown is not known here: {TableWriter.WithoutControls(missing)}");
                break;
        }
    }
}
