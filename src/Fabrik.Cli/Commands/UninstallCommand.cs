using System.CommandLine;
using Fabrik.Checks;
using Fabrik.Cli.Installing;
using Fabrik.Cli.Output;
using Fabrik.Kubernetes;

namespace Fabrik.Cli.Commands;

/// <summary>Takes Fabrik out of a cluster and proves that nothing of it is left.</summary>
public static class UninstallCommand
{
    private static readonly Option<bool> Yes = new("--yes", "-y") { Description = "Do not ask" };
    private static readonly Option<bool> KeepData = new("--keep-data") { Description = "Keep the volumes, and the namespaces that they are in" };
    private static readonly Option<bool> DryRun = new("--dry-run") { Description = "List every object that would be removed" };
    private static readonly Option<int> Timeout = new("--timeout") { Description = "Seconds to wait until everything is gone", DefaultValueFactory = _ => 300 };

    public static Command Create(GlobalOptions globals, Terminal terminal, TimeProvider clock)
    {
        var command = new Command("uninstall", "Remove Fabrik: the webhook first, definitions last, and no running Job") { Options = { Yes, KeepData, DryRun, Timeout } };
        command.SetAction((parsed, cancel) => RunAsync(parsed, globals, terminal, clock, cancel));
        return command;
    }

    private static async Task RunAsync(ParseResult parsed, GlobalOptions globals, Terminal terminal, TimeProvider clock, CancellationToken cancel)
    {
        using var cluster = globals.Cluster(parsed, clock);
        var steps = new Steps(terminal, clock);
        var keep = parsed.GetValue(KeepData);
        var uninstaller = new Uninstaller(cluster, keep, steps, clock);
        var found = await steps.RunAsync("looking for Fabrik's objects", _ => uninstaller.FindAsync(cancel), items => $"{items.Count}");
        if (parsed.GetValue(DryRun))
        {
            foreach (var item in found) terminal.Out.WriteLine(uninstaller.Kept(item) ? $"{item} (kept)" : item.ToString());
            foreach (var line in await uninstaller.DataAsync(found, cancel)) steps.Note(line);
            terminal.Error.WriteLine("Nothing was removed.\nnext: fabrik uninstall --yes");
            return;
        }

        var data = await uninstaller.DataAsync(found, cancel);
        if (found.Any(item => !uninstaller.Kept(item)))
        {
            foreach (var line in data) steps.Note(line);
            if (!parsed.GetValue(Yes) && !Agreed(terminal, found.Count(item => !uninstaller.Kept(item)), keep))
                throw new CommandException(ExitCode.Usage, "FAB-1110", "nothing was removed", terminal.Ask is null ? "there is no terminal to ask at" : "the answer was not yes", "fabrik uninstall --yes, or look first: fabrik uninstall --dry-run");
            await uninstaller.RemoveAsync(found, cancel);
        }

        var left = await uninstaller.ProveAsync(TimeSpan.FromSeconds(parsed.GetValue(Timeout)), cancel);
        if (left.Count > 0)
        {
            throw new CommandException(
                ExitCode.Error, "FAB-1111", $"{left.Count} objects left", string.Join("\n", left.Take(20).Select(item => item.Object.DeletionTimestamp is null ? item.ToString() : $"{item} (being deleted{Waiting(item.Object)})")),
                "kubectl describe them: what a finaliser of somebody else holds, only its owner can let go; then the same command again");
        }

        if (uninstaller.Unanswered.Count > 0)
        {
            throw new CommandException(
                ExitCode.Error, "FAB-1112", "nothing is left of what could be asked, but not everything answered", string.Join("\n", uninstaller.Unanswered.Select(group => $"{group.Key}: {group.Value}")),
                "mend or remove what serves these groups (kubectl get apiservices), then the same command again");
        }

        terminal.Out.WriteLine("0 objects left");
        if (keep) terminal.Error.WriteLine($"kept: volumes in {Names.SystemNamespace} and {Names.GatewayNamespace}; the next fabrik install goes on with them\nnext: fabrik install, or for good: fabrik uninstall --yes");
    }

    private static bool Agreed(Terminal terminal, int count, bool keep) =>
        terminal.Ask is { } ask && ask($"Remove {count} objects{(keep ? "" : " with their data")}? Type yes: ")?.Trim() == "yes";

    private static string Waiting(KubeObject item)
    {
        var why = item.Json.List("status", "conditions").Where(condition => condition.Text("status") == "True" && condition.Text("type")?.StartsWith("Namespace", StringComparison.Ordinal) == true).Select(condition => condition.Text("message")).FirstOrDefault();
        return why is null ? "" : $": {why}";
    }
}
