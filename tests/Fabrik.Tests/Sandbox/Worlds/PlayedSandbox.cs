using System.Text.Json.Nodes;
using Fabrik.Kubernetes;
using Fabrik.Sandbox.Controllers;
using Fabrik.Sandbox.Nodes;
using Fabrik.Sandbox.Server;
using Fabrik.Sandbox.Worlds;

namespace Fabrik.Tests.Sandbox.Worlds;

/// <summary>An API server with controllers and a node in this process, on a fast clock.</summary>
internal sealed class PlayedSandbox : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private readonly CancellationTokenSource stop = new();
    private readonly SandboxServer server;
    private readonly Task watching;
    private readonly World world;
    private CancellationTokenSource playStop = new();
    private Task playing;
    private readonly Lock gate = new();
    private readonly List<(ResourceKind Kind, Func<KubeObject, bool> Wanted, TaskCompletionSource<KubeObject> Found)> waiting = [];
    private readonly List<(ResourceKind Kind, string Name, TaskCompletionSource<KubeObject> Gone)> leaving = [];
    private readonly Dictionary<ResourceKind, Informer> informers = [];

    private PlayedSandbox(SandboxServer server, TimeProvider clock, World world)
    {
        (this.server, Clock) = (server, clock);
        Client = new KubernetesClient(new ClusterConfig { Server = server.Url, Token = server.AdminToken, CertificateAuthority = server.CaPem }, TimeProvider.System);
        foreach (var kind in new[] { Kinds.Job, Kinds.Pod, Kinds.CronJob, Kinds.Event })
            informers[kind] = new Informer(Client, kind, TimeProvider.System, new InformerOptions { OnEvent = change => See(kind, change) });
        watching = Task.WhenAll(informers.Values.Select(informer => informer.RunAsync(stop.Token)));
        this.world = world;
        playing = PlayAsync(playStop.Token);
    }

    public KubernetesClient Client { get; }

    public TimeProvider Clock { get; }

    /// <summary>Every version of every object, in order.</summary>
    public List<(ResourceKind Kind, WatchEvent Change)> Seen { get; } = [];

    public static async Task<PlayedSandbox> StartAsync(double speed, World? world = null, DateTimeOffset? start = null)
    {
        var clock = new SimulatedClock(speed, start);
        var apiServer = await SandboxServer.StartAsync(new SandboxServerOptions { Clock = clock }, CancellationToken.None);
        var sandbox = new PlayedSandbox(apiServer, clock, world ?? World.Empty);
        await Task.WhenAll(sandbox.informers.Values.Select(informer => informer.WaitForSyncAsync(sandbox.stop.Token)));
        return sandbox;
    }

    public Task<KubeObject> CreateJobAsync(string name, string specJson, string annotationsJson = "{}", string resourcesJson = "{}", string restart = "Never", string image = "busybox", string command = """["true"]""")
    {
        var spec = (JsonObject)JsonNode.Parse(specJson)!;
        spec["template"] = JsonNode.Parse($$$"""
            {"metadata":{"annotations":{{{annotationsJson}}}},
             "spec":{"restartPolicy":"{{{restart}}}","containers":[{"name":"main","image":"{{{image}}}","command":{{{command}}},"resources":{{{resourcesJson}}}}]}}
            """);
        var job = new JsonObject { ["apiVersion"] = "batch/v1", ["kind"] = "Job", ["metadata"] = new JsonObject { ["name"] = name }, ["spec"] = spec };
        return Client.CreateAsync(Kinds.Job, "default", job, stop.Token);
    }

    /// <summary>The first version, past or to come, that is wanted.</summary>
    public Task<KubeObject> UntilAsync(ResourceKind kind, Func<KubeObject, bool> wanted)
    {
        lock (gate)
        {
            foreach (var (seenKind, change) in Seen)
                if (seenKind == kind && change.Type != WatchEventType.Deleted && wanted(change.Object)) return Task.FromResult(change.Object);
            var found = new TaskCompletionSource<KubeObject>(TaskCreationOptions.RunContinuationsAsynchronously);
            waiting.Add((kind, wanted, found));
            return found.Task.WaitAsync(Patience, TimeProvider.System);
        }
    }

    public Task<KubeObject> UntilEndedAsync(string job) => UntilAsync(Kinds.Job, found => found.Name == job && new JobView(found).Finished is not null);

    public Task UntilGoneAsync(ResourceKind kind, string name)
    {
        lock (gate)
        {
            if (Seen.Exists(one => one.Kind == kind && one.Change.Type == WatchEventType.Deleted && one.Change.Object.Name == name)) return Task.CompletedTask;
            var found = new TaskCompletionSource<KubeObject>(TaskCreationOptions.RunContinuationsAsynchronously);
            leaving.Add((kind, name, found));
            return found.Task.WaitAsync(Patience, TimeProvider.System);
        }
    }

    /// <summary>Names of all that ever came.</summary>
    public List<string> Created(ResourceKind kind)
    {
        lock (gate) return Seen.Where(one => one.Kind == kind && one.Change.Type == WatchEventType.Added).Select(one => one.Change.Object.Name).ToList();
    }

    public int MostAtOnce(Func<KubeObject, bool> counts)
    {
        var (now, most) = (new HashSet<string>(), 0);
        lock (gate)
        {
            foreach (var (_, change) in Seen.Where(one => one.Kind == Kinds.Pod))
            {
                if (change.Type != WatchEventType.Deleted && counts(change.Object)) now.Add(change.Object.Name);
                else now.Remove(change.Object.Name);
                most = Math.Max(most, now.Count);
            }
        }

        return most;
    }

    public IEnumerable<KubeObject> Now(ResourceKind kind) => informers[kind].Items.Values;

    /// <summary>Stops controllers and node wherever they are and starts others that know nothing.</summary>
    public async Task RestartAsync()
    {
        await playStop.CancelAsync();
        await playing.WaitAsync(Patience, TimeProvider.System);
        playStop.Dispose();
        playStop = new CancellationTokenSource();
        playing = PlayAsync(playStop.Token);
    }

    private Task PlayAsync(CancellationToken ct) =>
        Task.WhenAll(SandboxControllers.RunAsync(Client, Clock, null, ct), SimulatedNode.RunAsync(Client, Clock, world, ct));

    public async ValueTask DisposeAsync()
    {
        await playStop.CancelAsync();
        await stop.CancelAsync();
        await Task.WhenAll(playing, watching).WaitAsync(Patience, TimeProvider.System);
        Client.Dispose();
        await server.DisposeAsync();
        playStop.Dispose();
        stop.Dispose();
    }

    private void See(ResourceKind kind, WatchEvent change)
    {
        lock (gate)
        {
            Seen.Add((kind, change));
            foreach (var one in leaving.Where(one => change.Type == WatchEventType.Deleted && one.Kind == kind && one.Name == change.Object.Name)) one.Gone.TrySetResult(change.Object);
            foreach (var one in waiting.Where(one => one.Kind == kind && one.Wanted(change.Object)).ToList())
            {
                waiting.Remove(one);
                one.Found.TrySetResult(change.Object);
            }
        }
    }
}
