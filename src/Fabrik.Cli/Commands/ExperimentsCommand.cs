using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.Cli.Connections;
using Fabrik.Cli.Output;
using Fabrik.Experiments;
using Fabrik.Kubernetes;
using Fabrik.Reports;

namespace Fabrik.Cli.Commands;

/// <summary>What experiments have shown: the changes from the cluster, the evidence from Fabrik's API.</summary>
public static class ExperimentsCommand
{
    private const int MostReports = 100;
    private const int ChartHeight = 14;

    public static Command Create(GlobalOptions globals, Terminal terminal, TimeProvider clock)
    {
        var command = new Command("experiments", "Plan experiments, and see what they have shown so far");
        command.Aliases.Add("experiment");
        var list = new Command("list", "List the changes that are or were on trial, the youngest last");
        list.Aliases.Add("ls");
        list.SetAction((parsed, cancel) => ListAsync(parsed, globals, terminal, clock, cancel));
        command.Subcommands.Add(list);

        var name = new Argument<string>("name") { Description = "Name of the change" };
        var show = new Command("show", "Show one experiment with its evidence over time") { Arguments = { name } };
        show.SetAction((parsed, cancel) => ShowAsync(parsed, parsed.GetValue(name)!, globals, terminal, clock, cancel));
        command.Subcommands.Add(show);
        PlanningCommands.AddTo(command, globals, terminal);
        return command;
    }

    private static async Task ListAsync(ParseResult parsed, GlobalOptions globals, Terminal terminal, TimeProvider clock, CancellationToken cancel)
    {
        using var cluster = globals.Cluster(parsed, clock);
        using var reader = new OptimizerReader(cluster, ct => globals.ApiAsync(parsed, cluster, terminal, ct), clock);
        var scope = globals.ChangeScope(parsed);
        var changes = (await reader.ChangesAsync(scope, cancel)).Where(item => Tried(ObjectJson.Change(item.Json))).OrderBy(item => item.CreationTimestamp).ToList();
        var (newest, missing) = await reader.ReportsAsync(changes.TakeLast(MostReports).Select(item => item.Name), cancel);
        var items = changes.Select(item => Joined(item.Json, newest.GetValueOrDefault(item.Name))).ToList();
        globals.Printer(parsed, terminal).List(items,
        [
            new("NAME", item => Cells.Text(item, "name")),
            new("PHASE", item => Cells.Text(item, "phase")) { Colour = Colours.Phase },
            new("SHARE", item => item.TryGetProperty("share", out var share) ? $"{share.GetDouble() * 100:0.#} %" : null),
            new("TREATED", item => Of(item)?.Treatment.Runs.ToString()),
            new("CONTROL", item => Of(item)?.Control.Runs.ToString()),
            new("CONFIDENCE", item => Of(item)?.Evidence is { } evidence ? EvidenceText.Figure(EvidenceText.Goal(evidence)) : null),
            new("HARM", item => Of(item)?.Evidence is { } evidence ? EvidenceText.Figure(EvidenceReport.Confidence(evidence.Harm)) : null),
            new("VERDICT", item => Of(item)?.Verdict),
            new("DECISION", item => Of(item) is { Verdict: "continue" or null } report ? EvidenceText.When(report) : null, Wide: true),
            new("WHY", item => Of(item) is { Reasons.Count: > 0 } report ? string.Join("; ", report.Reasons) : Cells.Text(item, "reason"), Wide: true),
            new("AGE", item => item.TryGetProperty("startedAt", out var time) && time.TryGetDateTimeOffset(out var started) ? Age.Of(clock.GetUtcNow() - started) : null),
        ], item => $"optimizationchange.fabrik.dev/{Cells.Text(item, "name")}", "No change has been on trial yet.");
        if (missing is not null) terminal.Error.WriteLine($"What the experiments have shown is not known here: {TableWriter.WithoutControls(missing)}");
    }

    private static async Task ShowAsync(ParseResult parsed, string name, GlobalOptions globals, Terminal terminal, TimeProvider clock, CancellationToken cancel)
    {
        using var cluster = globals.Cluster(parsed, clock);
        using var reader = new OptimizerReader(cluster, ct => globals.ApiAsync(parsed, cluster, terminal, ct), clock);
        var item = await cluster.GetAsync(Kinds.OptimizationChange, globals.ChangeNamespace(parsed), name, cancel);
        var change = ObjectJson.Change(item.Json);
        var (report, missing) = await reader.GetAsync($"{Names.Paths.Experiments}/{Uri.EscapeDataString(name)}", ReportJson.Default.ExperimentReport, cancel);
        if (report is not null && change.Phase is Phase.ExperimentRunning or Phase.Analyzing) report = report with { Forecast = report.Forecast ?? ForecastReport.Of(change, report) };
        var format = parsed.GetValue(globals.Output);
        globals.Printer(parsed, terminal).One(Joined(item.Json, report),
        [
            ("Name", name),
            ("Experiment", change.Status.ExperimentId),
            ("Change", ChangeCells.Lines(item.Json, "spec", "change")),
            ("Target", ChangeCells.Lines(item.Json, "spec", "target") ?? "every Job of every namespace that is opted in"),
            ("Goal", change.Spec.Goal == Goal.Save ? "save: no loss worth its saving" : "win: an improvement"),
            ("Phase", ChangeCells.Text(item.Json, "status", "phase") ?? "proposed"),
            ("Share", ChangeCells.Share(item.Json)),
            ("Started", change.Status.StartedAt is { } started ? $"{started:u} ({Age.Of(clock.GetUtcNow() - started)} ago)" : null),
            ("Analysed", report?.AnalyzedAt is { } analysed ? $"{analysed:u} ({Age.Of(clock.GetUtcNow() - analysed)} ago)" : null),
            ("Runs", report is null ? null : EvidenceText.Arms(report)),
            ("Shown", report is null ? null : EvidenceText.Shown(report)),
            ("Duration", report?.Duration is { } duration ? EvidenceText.Ratio(duration) : null),
            ("Cost", report?.Cost is { } cost ? EvidenceText.Ratio(cost) : null),
            ("Calls", report?.CallCost is { } calls ? EvidenceText.Calls(calls) : null),
            ("Applied", report?.Applied is { } applied ? $"{applied.Runs} runs, {applied.Succeeded} succeeded, {applied.OomKilled} out of memory" : null),
            ("Confidence", report?.Evidence is { } shown ? EvidenceText.Confidence(shown, change.Spec.Goal) : null),
            ("Decision", report is { Verdict: "continue" or null } ? EvidenceText.When(report) : report?.Verdict),
            ("Tripped", report?.Trips is { Count: > 0 } trips ? string.Join(", ", trips.Select(trip => trip.Trigger)) : null),
            ("Watch", report?.Watch is { } watch ? EvidenceText.Watch(watch) : null),
            ("Alerts", report?.Alerts is { Count: > 0 } alerts ? string.Join('\n', alerts.Select(alert => alert.Text)) : null),
            ("Why", report is { Reasons.Count: > 0 } ? string.Join('\n', report.Reasons) : change.Status.Reason),
        ], $"optimizationchange.fabrik.dev/{name}");
        if (format is not (OutputFormat.Table or OutputFormat.Wide)) return;
        if (report is { Points: { Count: > 0 } points, Evidence: { } evidence })
        {
            terminal.Out.WriteLine();
            terminal.Out.WriteLine($"E-values over runs: W better, N not worse, H harm, * several. At the line ({evidence.Threshold:0.##}) confidence is {EvidenceText.Figure(1 - (1 / evidence.Threshold))}.");
            foreach (var line in EvidenceChart.Draw(points, evidence.Threshold, terminal.Interactive ? terminal.Width : 100, ChartHeight, terminal.Interactive, terminal.Colours ? Colours.Mark : null)) terminal.Out.WriteLine(line);
        }
        else if (report is not null)
        {
            terminal.Error.WriteLine("It has not been analysed yet, so there is no evidence to draw.");
        }

        if (missing is not null) terminal.Error.WriteLine($"What the experiment has shown is not known here: {TableWriter.WithoutControls(missing)}");
    }

    private static bool Tried(OptimizationChange change) => change.Status.ExperimentId is not null || change.Status.StartedAt is not null || change.Phase is not (Phase.Proposed or Phase.Queued or Phase.Rejected);

    private static JsonElement Joined(JsonElement change, ExperimentReport? report)
    {
        var joined = new JsonObject { ["name"] = ChangeCells.Text(change, "metadata", "name"), ["namespace"] = ChangeCells.Text(change, "metadata", "namespace"), ["phase"] = ChangeCells.Text(change, "status", "phase") ?? "proposed" };
        foreach (var field in (ReadOnlySpan<string>)["experimentId", "share", "startedAt", "reason"])
        {
            if (ChangeCells.At(change, "status", field) is { } value) joined[field] = JsonNode.Parse(value.GetRawText());
        }

        if (report is not null) joined["report"] = JsonSerializer.SerializeToNode(report, ReportJson.Default.ExperimentReport);
        return JsonSerializer.SerializeToElement(joined);
    }

    private static ExperimentReport? Of(JsonElement item) => item.TryGetProperty("report", out var report) ? report.Deserialize(ReportJson.Default.ExperimentReport) : null;
}
