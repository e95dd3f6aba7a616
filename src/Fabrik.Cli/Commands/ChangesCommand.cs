using System.CommandLine;
using System.Text.Json;
using Fabrik.Cli.Output;
using Fabrik.Experiments;
using Fabrik.Kubernetes;
using static Fabrik.Cli.Output.ChangeCells;

namespace Fabrik.Cli.Commands;

/// <summary>Reads and decides OptimizationChange objects with the caller's own kubeconfig.</summary>
public static class ChangesCommand
{
    public static Command Create(GlobalOptions globals, Terminal terminal, TimeProvider clock)
    {
        var command = new Command("changes", "Show and decide the changes that are proposed, tried, applied or rolled back");
        command.Aliases.Add("change");

        var list = new Command("list", "List changes, the youngest last");
        list.Aliases.Add("ls");
        list.SetAction((parsed, cancel) => ListAsync(parsed, globals, terminal, clock, cancel));
        command.Subcommands.Add(list);

        var name = new Argument<string>("name") { Description = "Name of the change" };
        var show = new Command("show", "Show one change: what it does, to which Jobs, why, and where it stands") { Arguments = { name } };
        show.SetAction((parsed, cancel) => ShowAsync(parsed, parsed.GetValue(name)!, globals, terminal, clock, cancel));
        command.Subcommands.Add(show);
        command.Subcommands.Add(DecideCommand.Approve(globals, terminal, clock));
        command.Subcommands.Add(DecideCommand.Reject(globals, terminal, clock));
        return command;
    }

    private static async Task ListAsync(ParseResult parsed, GlobalOptions globals, Terminal terminal, TimeProvider clock, CancellationToken cancel)
    {
        using var client = globals.Cluster(parsed, clock);
        var all = parsed.GetValue(globals.AllNamespaces);
        var scope = globals.ChangeScope(parsed);
        var items = new List<JsonElement>();
        await foreach (var item in client.ListAsync(Kinds.OptimizationChange, scope, cancel)) items.Add(item.Json);
        items.Sort((one, other) => string.CompareOrdinal(Text(one, "metadata", "creationTimestamp"), Text(other, "metadata", "creationTimestamp")));
        globals.Printer(parsed, terminal).List(items, Columns(all, clock), item => $"optimizationchange.fabrik.dev/{Text(item, "metadata", "name")}", $"No changes found{(scope is null ? string.Empty : $" in namespace {scope}")}.");
    }

    private static async Task ShowAsync(ParseResult parsed, string name, GlobalOptions globals, Terminal terminal, TimeProvider clock, CancellationToken cancel)
    {
        using var client = globals.Cluster(parsed, clock);
        var item = await client.GetAsync(Kinds.OptimizationChange, globals.ChangeNamespace(parsed), name, cancel);
        var change = ObjectJson.Change(item.Json);
        var spec = change.Spec;
        globals.Printer(parsed, terminal).One(item.Json,
        [
            ("Name", change.Name),
            ("Namespace", change.Metadata.Namespace),
            ("Type", Text(item.Json, "spec", "type")),
            ("Change", Lines(item.Json, "spec", "change")),
            ("Target", Lines(item.Json, "spec", "target") ?? "every Job of every namespace that is opted in"),
            ("Goal", Text(item.Json, "spec", "goal")),
            ("Risk", Text(item.Json, "spec", "risk")),
            ("Rationale", spec.Rationale?.TrimEnd()),
            ("Evidence", Lines(item.Json, "spec", "evidence")),
            ("Rollback", Lines(item.Json, "spec", "rollbackPlan")),
            ("Approval", spec.Approval is { } approval ? $"{(approval.Approved ? "approved" : "refused")} by {approval.By ?? "?"}{(approval.Reason is { } reason ? $": {reason}" : string.Empty)}" : null),
            ("Phase", Text(item.Json, "status", "phase") ?? "proposed"),
            ("Experiment", change.Status.ExperimentId),
            ("Share", Share(item.Json)),
            ("Slot", change.Status.Slot?.ToString()),
            ("Started", change.Status.StartedAt?.ToString("u")),
            ("Applied", change.Status.LastAppliedAt?.ToString("u")),
            ("Progress", change.Status.RolloutProgress),
            ("Reason", change.Status.Reason),
            ("Age", AgeOf(item.Json, clock)),
        ], $"optimizationchange.fabrik.dev/{name}");
    }

    private static Column[] Columns(bool withNamespace, TimeProvider clock) =>
    [
        .. withNamespace ? [new Column("NAMESPACE", item => Text(item, "metadata", "namespace"))] : Array.Empty<Column>(),
        new("NAME", item => Text(item, "metadata", "name")),
        new("TYPE", item => Text(item, "spec", "type")),
        new("CHANGE", item => Lines(item, "spec", "change")?.Replace('\n', ' ')),
        new("TARGET", item => Lines(item, "spec", "target")?.Replace('\n', ' '), Wide: true),
        new("PHASE", item => Text(item, "status", "phase") ?? "proposed") { Colour = Colours.Phase },
        new("SHARE", Share),
        new("RISK", item => Text(item, "spec", "risk")),
        new("GOAL", item => Text(item, "spec", "goal"), Wide: true),
        new("EXPERIMENT", item => Text(item, "status", "experimentId"), Wide: true),
        new("REASON", item => Text(item, "status", "reason"), Wide: true),
        new("AGE", item => AgeOf(item, clock)),
    ];
}
