using System.CommandLine;
using System.Text.Json;
using Fabrik.Cli.Connections;
using Fabrik.Cli.Output;
using Fabrik.Kubernetes;
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
    private static readonly Option<bool> Demo = new("--demo") { Description = "Play the built-in world (or --world), show what each arm got, and end" };
    private static readonly Option<string?> WorldFile = new("--world") { Description = "What Jobs arrive, what they need and how they fail: docs/sandbox-world.md" };

    public static Command Create(Terminal terminal, TimeProvider clock)
    {
        var command = new Command("sandbox", "Run a Kubernetes API server in this process with Fabrik in it, for trying out and testing. The real thing is k3s or any Kubernetes from 1.30.")
        {
            Options = { Data, Port, Speed, Demo, WorldFile },
        };
        command.SetAction(async (parsed, cancel) =>
        {
            var demo = parsed.GetValue(Demo);
            var file = parsed.GetValue(WorldFile);
            var world = file is null && !demo ? World.Empty : World.Load(file ?? "demo");
            var options = new SandboxRunOptions
            {
                Directory = Path.GetFullPath(parsed.GetValue(Data)!),
                Port = parsed.GetValue(Port),
                Speed = parsed.GetValue(Speed) ?? (demo ? DemoSpeed : 1),
                World = world,
                Logging = logging => logging.SetMinimumLevel(LogLevel.Warning).AddConsole(console => console.LogToStandardErrorThreshold = LogLevel.Trace).AddSimpleConsole(console => console.SingleLine = true),
            };
            terminal.Error.WriteLine("Starting the sandbox: a Kubernetes API server with simulated Pods, for trying out and testing only.");
            await using var sandbox = await SandboxRun.StartAsync(options, cancel);
            terminal.Out.WriteLine($"ready  kubernetes={Address(sandbox.Server)}  webhook={Address(sandbox.Processes.Webhook)}  api={Address(sandbox.Processes.Api)}  kubeconfig={Shown(sandbox.KubeconfigPath)}");
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
        var view = new DemoProgress(terminal);
        var (submitted, total) = (0, 0);
        var playing = sandbox.PlayAsync(new Told(step => (submitted, total) = (step.Submitted, step.Total)), cancel);
        IReadOnlyList<Run> runs;
        while (true)
        {
            runs = await RunsAsync(api, cancel);
            var finished = runs.Count(run => run.Outcome != Outcome.Running);
            view.Show(submitted, finished, total);
            if (playing.IsCompleted && finished >= (await playing).Count) break;
            await Task.Delay(TimeSpan.FromMilliseconds(500), clock, cancel);
        }

        view.End();
        DemoReport.Write(terminal, runs);
        terminal.Error.WriteLine("next: the same without --demo stays up for your own kubectl; README.md shows how");
    }

    private static async Task<IReadOnlyList<Run>> RunsAsync(ApiConnection api, CancellationToken cancel)
    {
        var runs = new List<Run>();
        string? cursor = null;
        do
        {
            using var page = await api.GetAsync($"{Names.Paths.Runs}?limit=500&order=asc{(cursor is null ? string.Empty : $"&cursor={cursor}")}", cancel);
            runs.AddRange(page.RootElement.GetProperty("items").EnumerateArray().Select(item => item.Deserialize(RunJson.Default.Run)!));
            cursor = page.RootElement.TryGetProperty("next", out var next) ? next.GetString() : null;
        }
        while (cursor is not null);
        return runs;
    }

    private static string Address(Uri uri) => uri.GetLeftPart(UriPartial.Authority);

    private static string Shown(string path) => Path.GetRelativePath(Directory.GetCurrentDirectory(), path) is var relative && !relative.StartsWith("..", StringComparison.Ordinal) ? relative : path;

    /// <summary>Tells on the spot; Progress would queue to the thread pool.</summary>
    private sealed class Told(Action<WorldProgress> tell) : IProgress<WorldProgress>
    {
        public void Report(WorldProgress value) => tell(value);
    }
}
