using System.CommandLine;
using Fabrik.Checks;
using Fabrik.Cli.Installing;
using Fabrik.Cli.Output;
using Fabrik.Kubernetes;

namespace Fabrik.Cli.Commands;

/// <summary>Deletes a Job; what happened stays on record.</summary>
public static class DestroyCommand
{
    public static Command Create(GlobalOptions globals, Terminal terminal, TimeProvider clock)
    {
        var name = new Argument<string>("name") { Description = "Name of the Job" };
        var command = new Command("destroy", $"Delete a Job of namespace {Names.RunsNamespace} or -n, and end it where it runs; its run stays on record") { Arguments = { name } };
        command.SetAction(async (parsed, cancel) =>
        {
            using var cluster = globals.Cluster(parsed, clock);
            var ns = parsed.GetValue(globals.Namespace) ?? Names.RunsNamespace;
            var job = await cluster.GetAsync(Kinds.Job, ns, parsed.GetValue(name)!, cancel);
            var ended = job.Json.List("status", "conditions").Any(condition => condition.Text("type") is "Complete" or "Failed" && condition.Text("status") == "True");
            await cluster.DeleteAsync(Kinds.Job, ns, job.Name, cancel, new DeleteOptions { PropagationPolicy = "Background", Preconditions = new Preconditions(Uid: job.Uid) });
            terminal.Out.WriteLine($"job/{job.Name} deleted");
            terminal.Error.WriteLine($"{(ended ? "Its Pods and their logs go with it" : "It had not ended: its Pods are being ended")}; outcome, arm, resources and cost stay on record.\nnext: fabrik show {job.Uid}");
        });
        return command;
    }
}
