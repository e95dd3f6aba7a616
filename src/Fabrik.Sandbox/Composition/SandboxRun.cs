using System.Text.Json.Nodes;
using Fabrik.Kubernetes;
using Fabrik.Sandbox.Access;
using Fabrik.Sandbox.Controllers;
using Fabrik.Sandbox.Models;
using Fabrik.Sandbox.Nodes;
using Fabrik.Sandbox.Nodes.Processes;
using Fabrik.Sandbox.Server;
using Fabrik.Sandbox.Worlds;
using Microsoft.Extensions.Logging;

namespace Fabrik.Sandbox.Composition;

public sealed record SandboxRunOptions
{
    /// <summary>Holds kubeconfig, keys and the control database of this run.</summary>
    public required string Directory { get; init; }

    /// <summary>Of the API server; 0 takes any free one.</summary>
    public int Port { get; init; }

    /// <summary>Simulated seconds for each real one.</summary>
    public double Speed { get; init; } = 1;

    /// <summary>When simulated time begins; null: now.</summary>
    public DateTimeOffset? Start { get; init; }
    public World World { get; init; } = World.Empty;

    /// <summary>Where runs reach the LLM gateway; null: no Job gets a run token.</summary>
    public Uri? GatewayUrl { get; init; }

    /// <summary>With a provider of models that has none, and a gateway before it.</summary>
    public bool Models { get; init; }

    /// <summary>See <see cref="SandboxServerOptions.Asked"/>.</summary>
    public Action<string, AccessQuestion, bool>? Asked { get; init; }
    public Action<ILoggingBuilder> Logging { get; init; } = _ => { };
}

/// <summary>
/// API server, controllers, node and Fabrik's processes together. Controllers and node live in simulated time, which the objects' timestamps
/// and what the optimizer makes of them follow; Fabrik's processes live in real time, because their time-outs bound real network calls.
/// </summary>
public sealed class SandboxRun : IAsyncDisposable
{
    private readonly CancellationTokenSource stopping = new();
    private readonly List<Task> background = [];
    private readonly SandboxServer server;
    private readonly KubernetesClient client;
    private readonly World world;
    private FakeProvider? models;

    private SandboxRun(SandboxServer server, KubernetesClient client, SandboxRunOptions options, TimeProvider clock)
    {
        (this.server, this.client, world, Clock) = (server, client, options.World, clock);
        KubeconfigPath = Path.Combine(options.Directory, "kubeconfig");
    }

    /// <summary>Simulated time.</summary>
    public TimeProvider Clock { get; }
    public string KubeconfigPath { get; }
    public Uri Server => server.Url;
    public FabrikProcesses Processes { get; private set; } = null!;

    public static async Task<SandboxRun> StartAsync(SandboxRunOptions options, CancellationToken ct)
    {
        Directory.CreateDirectory(options.Directory);
        Forget(options.Directory);
        TimeProvider clock = options.Speed == 1 && options.Start is null ? TimeProvider.System : new SimulatedClock(options.Speed, options.Start);
        var started = await SandboxServer.StartAsync(new SandboxServerOptions { Port = options.Port, Clock = clock, Seed = ReferenceEquals(options.World, World.Empty) ? null : options.World.Seed, Asked = options.Asked }, ct);
        SandboxRun? run = null;
        try
        {
            var path = Path.Combine(options.Directory, "kubeconfig");
            await WriteKubeconfigAsync(path, started.Kubeconfig, ct);
            var config = ClusterConfig.FromKubeconfig(path);
            run = new SandboxRun(started, new KubernetesClient(config, TimeProvider.System), options, clock);
            if (options.Models) run.models = await FakeProvider.StartAsync(ct);
            run.background.Add(SandboxControllers.RunAsync(new KubernetesClient(config, TimeProvider.System), clock, null, run.stopping.Token));
            run.background.Add(SimulatedNode.RunAsync(new KubernetesClient(config, TimeProvider.System), clock, options.World, run.stopping.Token));
            run.background.Add(new LocalVolumes(new KubernetesClient(config, TimeProvider.System), new ProcessNodeOptions { Directory = options.Directory }).RunAsync(run.stopping.Token));
            run.Processes = await FabrikProcesses.StartAsync(config, options.Directory, TimeProvider.System, options.Logging, ct, clock, interval => Faster(interval, options.Speed), options.GatewayUrl, run.models?.Address);
            return run;
        }
        catch
        {
            await (run?.DisposeAsync() ?? started.DisposeAsync());
            throw;
        }
    }

    /// <summary>Creates what the world has and submits its Jobs at their simulated times.</summary>
    public async Task<IReadOnlyList<SubmittedJob>> PlayAsync(IProgress<WorldProgress>? progress, CancellationToken ct)
    {
        await WorldPlayer.PrepareAsync(client, world, ct);
        foreach (var ns in world.Namespaces.Where(ns => ns.Labels.GetValueOrDefault(Names.Labels.Enabled) == "true")) await SeenAsync(ns.Name, ct);
        return await WorldPlayer.PlayAsync(client, Clock, world, ct, progress);
    }

    /// <summary>A namespace made a moment ago is unknown to the webhook's snapshot; a dry run shows when it is there, and leaves nothing.</summary>
    private async Task SeenAsync(string ns, CancellationToken ct)
    {
        var probe = JsonNode.Parse("""{"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"probe"},"spec":{"template":{"spec":{"restartPolicy":"Never","containers":[{"name":"main","image":"probe"}]}}}}""")!;
        for (var attempt = 0; attempt < 100; attempt++)
        {
            var shown = await client.CreateAsync(Kinds.Job, ns, probe, ct, new WriteOptions { DryRun = true });
            if (shown.Annotation(Names.Annotations.Assignment) is not null) return;
            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, ct);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (Processes is not null) await Processes.DisposeAsync();
        await stopping.CancelAsync();
        foreach (var task in background)
        {
            try
            {
                await task;
            }
            catch (OperationCanceledException)
            {
                // Asked to stop.
            }
        }

        if (models is not null) await models.DisposeAsync();
        client.Dispose();
        await server.DisposeAsync();
        stopping.Dispose();
    }

    /// <summary>What is done each minute is done each simulated one, as far as a real second allows.</summary>
    private static TimeSpan Faster(TimeSpan interval, double speed) => TimeSpan.FromSeconds(Math.Clamp(interval.TotalSeconds / speed, Math.Min(1, interval.TotalSeconds), interval.TotalSeconds));

    /// <summary>The objects of an earlier run are gone with it; its runs would be of Jobs that nobody can find.</summary>
    private static void Forget(string directory)
    {
        foreach (var file in Directory.GetFiles(directory, "fabrik.db*")) File.Delete(file);
        var spool = GatewaySetup.Spool(directory);
        if (Directory.Exists(spool)) Directory.Delete(spool, recursive: true);
    }

    private static async Task WriteKubeconfigAsync(string path, string text, CancellationToken ct)
    {
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, Options = FileOptions.Asynchronous };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        await using var writer = new StreamWriter(path, options);
        await writer.WriteAsync(text.AsMemory(), ct);
    }
}
