using System.CommandLine;
using System.Text.Json.Nodes;
using Fabrik.Cli.Connections;
using Fabrik.Cli.Output;
using Fabrik.Experiments;
using Fabrik.Kubernetes;

namespace Fabrik.Cli.Commands;

/// <summary>A person's word on a change. It goes into spec.approval with the caller's own kubeconfig; the scheduler acts on it within a minute.</summary>
public static class DecideCommand
{
    private const int LongestReason = 4096;

    public static Command Approve(GlobalOptions globals, Terminal terminal, TimeProvider clock)
    {
        var (name, reason) = (NameOf(), Reason("Why; kept with the decision"));
        var command = new Command("approve", "Approve a change: it may start where people must agree, and be applied once it has shown its worth") { Arguments = { name }, Options = { reason } };
        command.SetAction((parsed, cancel) => DecideAsync(parsed, parsed.GetValue(name)!, "approved", parsed.GetValue(reason), Approved, globals, terminal, clock, cancel));
        return command;
    }

    public static Command Reject(GlobalOptions globals, Terminal terminal, TimeProvider clock)
    {
        var (name, reason) = (NameOf(), Reason("Why; the same is not proposed again while it holds"));
        reason.Required = true;
        var command = new Command("reject", "Refuse a change that is proposed, queued, on trial or waiting; or confirm that it was rightly rolled back") { Arguments = { name }, Options = { reason } };
        command.SetAction((parsed, cancel) => DecideAsync(parsed, parsed.GetValue(name)!, "refused", parsed.GetValue(reason), Rejected, globals, terminal, clock, cancel));
        return command;
    }

    public static Command Rollback(GlobalOptions globals, Terminal terminal, TimeProvider clock)
    {
        var (name, reason) = (NameOf(), Reason("Why; kept with the decision"));
        var command = new Command("rollback", "Take a change back that Jobs get now, on trial or applied: new Jobs are as they were before") { Arguments = { name }, Options = { reason } };
        command.SetAction((parsed, cancel) => DecideAsync(parsed, parsed.GetValue(name)!, "refused", parsed.GetValue(reason) ?? "rolled back by hand", RolledBack, globals, terminal, clock, cancel));
        return command;
    }

    private static Argument<string> NameOf() => new("name") { Description = "Name of the change" };

    private static Option<string?> Reason(string description)
    {
        var option = new Option<string?>("--reason") { Description = description };
        option.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<string?>() is not { } text) return;
            if (string.IsNullOrWhiteSpace(text)) result.AddError("--reason must not be empty: the next person wants to know why");
            else if (text.EnumerateRunes().Count() > LongestReason) result.AddError($"--reason may have at most {LongestReason} characters");
        });
        return option;
    }

    /// <param name="next">What follows for a change as it is; throws where the decision makes no sense.</param>
    private static async Task DecideAsync(
        ParseResult parsed, string name, string word, string? reason, Func<OptimizationChange, string> next, GlobalOptions globals, Terminal terminal, TimeProvider clock, CancellationToken cancel)
    {
        using var client = globals.Cluster(parsed, clock);
        var ns = globals.ChangeNamespace(parsed);
        var by = await WhoAmI.AskAsync(client, cancel);
        var at = clock.GetUtcNow();
        var follows = string.Empty;
        var written = await ObjectWriter.PatchSpecAsync(client, Kinds.OptimizationChange, ns, name, item =>
        {
            follows = next(ObjectJson.Change(item.Json));

            // Nulls take away what an earlier decision left.
            return new JsonObject
            {
                ["approval"] = new JsonObject { ["approved"] = word == "approved", ["by"] = by, ["reason"] = reason, ["at"] = at.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'") },
            };
        }, cancel);
        globals.Printer(parsed, terminal).Done(written.Json, $"optimizationchange.fabrik.dev/{name}", word);
        terminal.Error.WriteLine(follows);
    }

    private static string Approved(OptimizationChange change) => change.Phase switch
    {
        Phase.Proposed or Phase.Queued => "Next: the scheduler starts its experiment as soon as the guardrails allow: fabrik optimizer status",
        Phase.ExperimentRunning => "Next: it is applied once the experiment has shown enough: fabrik experiments show " + change.Name,
        Phase.Analyzing or Phase.Approved => "Next: it is applied with the scheduler's next decision: fabrik optimizer status",
        Phase.RolledBack => "Next: it goes back to proposed within a minute and is tried anew: fabrik optimizer status",
        Phase.Applied => throw Senseless(change, "is applied already", $"to take it back: fabrik optimizer rollback {change.Name} --reason TEXT"),
        _ => throw Senseless(change, "was rejected, and there is no step out of that", "propose it anew under another name"),
    };

    private static string Rejected(OptimizationChange change) => PersonDecision.Refused(change.Phase) switch
    {
        Phase.Rejected => "Next: the scheduler moves it to rejected within a minute; Jobs that have it already keep it until they end",
        Phase.RolledBack when change.Phase == Phase.ExperimentRunning => "Next: the scheduler stops its experiment and moves it to rolled_back within a minute; Jobs that have it already keep it until they end",
        null when change.Phase == Phase.RolledBack => "Next: it stays rolled back, and its incident counts as looked at",
        Phase.RolledBack => throw Senseless(change, "is applied, so there is nothing left to reject", $"to take it back: fabrik optimizer rollback {change.Name} --reason TEXT"),
        _ => throw Senseless(change, "is rejected already", $"see why: fabrik optimizer changes show {change.Name}"),
    };

    private static string RolledBack(OptimizationChange change) => PersonDecision.Refused(change.Phase) switch
    {
        Phase.RolledBack => "Next: the scheduler moves it to rolled_back within a minute; new Jobs are as they were before it, those that have it keep it until they end",
        Phase.Rejected when change.Phase is Phase.Analyzing or Phase.Approved => "Next: it is not applied; the scheduler stops its experiment and moves it to rejected within a minute",
        Phase.Rejected => throw Senseless(change, "has not been put on any Job", $"to refuse it: fabrik optimizer changes reject {change.Name} --reason TEXT"),
        _ => throw Senseless(change, change.Phase == Phase.Rejected ? "was rejected, so no Job gets it" : "is rolled back already", $"see why: fabrik optimizer changes show {change.Name}"),
    };

    private static CommandException Senseless(OptimizationChange change, string why, string next) =>
        new(ExitCode.Error, "FAB-1021", "there is nothing to decide; nothing was written", $"{change.Name} {why}{(change.Status.Reason is { } reason ? $": {reason}" : string.Empty)}", next);
}
