using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Fabrik.Cli.Connections;
using Fabrik.Cli.Output;
using Fabrik.Kubernetes;
using Fabrik.Reports;
using Fabrik.Runs;
using Fabrik.Sandbox.Composition;
using Fabrik.Sandbox.Worlds;
using Microsoft.Extensions.Logging;

namespace Fabrik.Cli.Commands;

/// <summary>Starts the sandbox, to try Fabrik out and to test it on a machine that has no cluster.</summary>
public static class SandboxCommand
{
    private const double DemoSpeed = 600;

    private static readonly Option<string> Data = new("--data") { Description = "Directory for kubeconfig, keys and the database of this run", DefaultValueFactory = _ => ".fabrik" };
    private static readonly Option<int> Port = new("--port") { Description = "Port of the Kubernetes API on 127.0.0.1; 0 takes any free one" };
    private static readonly Option<double?> Speed = new("--speed") { Description = $"Simulated seconds for each real one (default 1; {DemoSpeed:0} with --demo)" };
    private static readonly Option<bool> Demo = new("--demo") { Description = "Play the built-in world (or --world), show what was proposed, tried and decided, and end" };
    private static readonly Option<string?> Seed = new("--seed") { Description = "Another seed for the world: the same one gives the same Jobs, needs, failures and draws" };
    private static readonly Option<string?> WorldFile = new("--world") { Description = "What Jobs arrive, what they need and how they fail: docs/sandbox-world.md" };

    public static Command Create(Terminal terminal, TimeProvider clock)
    {
        var command = new Command("sandbox", "Run a Kubernetes API server in this process with Fabrik in it, for trying out and testing. The real thing is k3s or any Kubernetes from 1.30.")
        {
            Options = { Data, Port, Speed, Demo, WorldFile, Seed },
        };
        command.SetAction(async (parsed, cancel) =>
        {
            var demo = parsed.GetValue(Demo);
            var file = parsed.GetValue(WorldFile);
            var world = file is null && !demo ? World.Empty : World.Load(file ?? "demo");
            if (parsed.GetValue(Seed) is { } seed) world = world with { Seed = seed };
            var options = new SandboxRunOptions
            {
                Directory = Path.GetFullPath(parsed.GetValue(Data)!),
                Port = parsed.GetValue(Port),
                Speed = parsed.GetValue(Speed) ?? (demo ? DemoSpeed : 1),
                World = world,
                Models = true,

                // What the demo shows itself need not be logged beside it.
                Logging = logging => logging.SetMinimumLevel(demo ? LogLevel.Critical : LogLevel.Warning).AddConsole(console => console.LogToStandardErrorThreshold = LogLevel.Trace).AddSimpleConsole(console => console.SingleLine = true),
            };
            terminal.Error.WriteLine("Starting the sandbox: a Kubernetes API server with simulated Pods, for trying out and testing only.");
            await using var sandbox = await SandboxRun.StartAsync(options, cancel);
            terminal.Out.WriteLine($"ready  kubernetes={Address(sandbox.Server)}  webhook={Address(sandbox.Processes.Webhook)}  api={Address(sandbox.Processes.Api)}  gateway={Address(sandbox.Processes.Gateway!)}  kubeconfig={Shown(sandbox.KubeconfigPath)}");
            await terminal.Out.FlushAsync(cancel);
            if (demo) await PlayAsync(sandbox, terminal, clock, cancel);
            else await StayAsync(sandbox, world, terminal, clock, cancel);
        });
        return command;
    }

    private static async Task StayAsync(SandboxRun sandbox, World world, Terminal terminal, TimeProvider clock, CancellationToken cancel)
    {
        terminal.Error.WriteLine($"Use it:  export KUBECONFIG={Shown(sandbox.KubeconfigPath)}   Stop it: Ctrl-C");
        try
        {
            if (!ReferenceEquals(world, World.Empty)) await sandbox.PlayAsync(null, cancel);
            await Task.Delay(Timeout.InfiniteTimeSpan, clock, cancel);
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            terminal.Error.WriteLine("Stopping.");
        }
    }

    private static async Task PlayAsync(SandboxRun sandbox, Terminal terminal, TimeProvider clock, CancellationToken cancel)
    {
        using var cluster = new KubernetesClient(ClusterConfig.FromKubeconfig(sandbox.KubeconfigPath), clock);
        using var api = await ApiConnection.OpenAsync(cluster, null, cancel);
        var start = sandbox.Clock.GetUtcNow();
        var view = new DemoProgress(terminal);
        var (submitted, total) = (0, 0);
        var playing = sandbox.PlayAsync(new Told(step => (submitted, total) = (step.Submitted, step.Total)), cancel);
        IReadOnlyList<Run> runs;
        IReadOnlyList<HistoryEntry> steps = [];
        while (true)
        {
            runs = await ListAsync(api, $"{Names.Paths.Runs}?order=asc&", RunJson.Default.Run, cancel);
            var known = steps.Count;
            steps = [.. (await ListAsync(api, $"{Names.Paths.Decisions}?", ReportJson.Default.HistoryEntry, cancel)).Reverse()];
            foreach (var step in steps.Skip(known)) view.Tell(step, step.At - start);
            var finished = runs.Count(run => run.Outcome != Outcome.Running);
            view.Show(submitted, finished, total);
            if (playing.IsCompleted && finished >= (await playing).Count) break;
            await Task.Delay(TimeSpan.FromMilliseconds(500), clock, cancel);
        }

        view.End();
        DemoReport.Write(terminal, runs, steps);
        await ModelsAsync(api, terminal, cancel);
        terminal.Error.WriteLine("next: the same without --demo stays up for your own kubectl; README.md shows how");
    }

    /// <summary>What calls of models cost, by arm. The provider is played; the calls, their counts and their prices are not.</summary>
    private static async Task ModelsAsync(ApiConnection api, Terminal terminal, CancellationToken cancel)
    {
        using var answer = await api.GetAsync($"{Names.Paths.Usage}?groupBy=arm", cancel);
        var totals = answer.RootElement.GetProperty("items").EnumerateArray().Select(item => item.Deserialize(RunJson.Default.CallTotal)!).ToList();
        if (totals.Count == 0) return;
        terminal.Out.WriteLine();
        terminal.Out.WriteLine("What the Jobs' calls of models cost");
        TableWriter.Write(terminal, ["ARM", "CALLS", "TOKENS IN", "OUT", "COST", "PER CALL"], [.. totals.Select(one => (string[])
        [
            one.Key ?? "none", CallCells.Count(one.Calls), CallCells.Input(one), CallCells.Output(one), CallCells.Cost(one),
            one.Costs is [var cost] ? $"{cost.Micros / 1e6 / one.Calls:0.000000} {cost.Currency}" : "",
        ])]);
    }

    private static async Task<IReadOnlyList<T>> ListAsync<T>(ApiConnection api, string path, JsonTypeInfo<T> type, CancellationToken cancel)
    {
        var items = new List<T>();
        string? cursor = null;
        do
        {
            using var page = await api.GetAsync($"{path}limit=500{(cursor is null ? string.Empty : $"&cursor={cursor}")}", cancel);
            items.AddRange(page.RootElement.GetProperty("items").EnumerateArray().Select(item => item.Deserialize(type)!));
            cursor = page.RootElement.TryGetProperty("next", out var next) ? next.GetString() : null;
        }
        while (cursor is not null);
        return items;
    }

    private static string Address(Uri uri) => uri.GetLeftPart(UriPartial.Authority);

    private static string Shown(string path) => Path.GetRelativePath(Directory.GetCurrentDirectory(), path) is var relative && !relative.StartsWith("..", StringComparison.Ordinal) ? relative : path;

    /// <summary>Tells on the spot; Progress would queue to the thread pool.</summary>
    private sealed class Told(Action<WorldProgress> tell) : IProgress<WorldProgress>
    {
        public void Report(WorldProgress value) => tell(value);
    }
}
