using System.CommandLine;
using System.Text.Json;
using Fabrik.Cli.Connections;
using Fabrik.Cli.Output;
using Fabrik.Experiments;
using Fabrik.Kubernetes;
using Fabrik.Reports;

namespace Fabrik.Cli.Commands;

/// <summary>The optimizer at a glance.</summary>
public static class StatusCommand
{
    private const int MostIncidents = 1000;

    /// <summary>Rollouts, the newest first, that the API is asked about: a request each.</summary>
    private const int MostApplied = 50;

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
        var scope = globals.ChangeScope(parsed);
        var (policy, unread) = await PolicyAsync(reader, cancel);
        var changes = (await reader.ChangesAsync(scope, cancel)).Select(item => ObjectJson.Change(item.Json)).ToList();
        var open = changes.Where(change => change.Phase is Phase.ExperimentRunning or Phase.Analyzing or Phase.Approved);
        var applied = changes.Where(change => change.Phase == Phase.Applied && clock.GetUtcNow() - change.Status.LastAppliedAt <= OptimizerHealth.Period).OrderByDescending(change => change.Status.LastAppliedAt).Take(MostApplied);
        var (newest, missing) = await reader.ReportsAsync(open.Concat(applied).Select(change => change.Name), cancel);
        var (incidents, unknown) = await reader.ListAsync($"{Names.Paths.Incidents}?open=true", ReportJson.Default.IncidentReport, MostIncidents, cancel);
        var status = OptimizerStatus.Of(policy?.Spec ?? new PolicySpec(), policy?.Status, changes, newest, incidents, missing, clock.GetUtcNow());

        switch (parsed.GetValue(globals.Output))
        {
            case OutputFormat.Json or OutputFormat.Yaml:
                globals.Printer(parsed, terminal).One(JsonSerializer.SerializeToElement(status, StatusJson.Default.OptimizerStatus), [], "optimizer");
                break;
            case OutputFormat.Name:
                foreach (var line in status.Running) terminal.Out.WriteLine($"optimizationchange.fabrik.dev/{line.Name}");
                break;
            case var format:
                StatusView.Write(terminal, status, clock.GetUtcNow(), wide: format == OutputFormat.Wide, policyKnown: unread is null);
                if (unread is not null) terminal.Error.WriteLine($"Whether the optimizer is paused, and its policy, are not known here: {unread}");
                if (unknown is not null && missing is null && status.RolledBack.Count > 0) terminal.Error.WriteLine($"Which incidents wait for a review is not known here: {TableWriter.WithoutControls(unknown)}");
                if (missing is not null) terminal.Error.WriteLine($"What the experiments have shown is not known here: {TableWriter.WithoutControls(missing)}");
                break;
        }
    }

    /// <summary>Who may read changes alone sees those; the reason is for the reader's eyes.</summary>
    private static async Task<(OptimizerPolicy? Policy, string? Unread)> PolicyAsync(OptimizerReader reader, CancellationToken cancel)
    {
        try
        {
            return (await reader.PolicyAsync(cancel), null);
        }
        catch (KubernetesException refused) when (refused.IsForbidden)
        {
            return (null, TableWriter.WithoutControls(Failures.Explain(refused)!.Why));
        }
    }
}
