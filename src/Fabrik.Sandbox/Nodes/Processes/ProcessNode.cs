using System.Collections.Concurrent;
using Fabrik.Kubernetes;
using Fabrik.Sandbox.Controllers;
using Fabrik.Sandbox.Server;
using Fabrik.Sandbox.Worlds;

namespace Fabrik.Sandbox.Nodes.Processes;

/// <summary>
/// A node for an API server that has none, without containers: Pods of Fabrik's own images run as processes of this machine, all others are played as the simulated node
/// plays them. What a container is given (environment, Secrets, tokens, volumes) it finds in a directory of its Pod, as its paths are rewritten; its ports are free ones of
/// this machine, and Services lead there.
/// </summary>
public sealed class ProcessNode : IAsyncDisposable
{
    private readonly KubernetesClient client;
    private readonly TimeProvider clock;
    private readonly ProcessNodeOptions options;
    private readonly World world = World.Empty;
    private readonly PodLogs logs = new();
    private readonly ServiceEndpoints endpoints;
    private readonly SandboxUpload uploads;
    private readonly ConcurrentDictionary<string, ProcessPod> running = new(StringComparer.Ordinal);
    private readonly Informer pods;

    private ProcessNode(KubernetesClient client, TimeProvider clock, ProcessNodeOptions options)
    {
        (this.client, this.clock, this.options) = (client, clock, options);
        endpoints = new ServiceEndpoints(client);
        uploads = new SandboxUpload(client.Config);
        pods = new Informer(client, Kinds.Pod, TimeProvider.System, new InformerOptions { FieldSelector = $"spec.nodeName={world.Node.Name}", Logger = options.Log });
    }

    /// <summary>Until cancelled; then all processes are ended. The objects stay as they are, as when a node is switched off.</summary>
    public static async Task RunAsync(KubernetesClient client, TimeProvider clock, ProcessNodeOptions options, CancellationToken ct)
    {
        await using var node = new ProcessNode(client, clock, options);
        await using var kubelet = await NodeEndpoint.StartAsync(node.logs, node.PortOf, ct);
        var simulated = new SimulatedNodeOptions
        {
            Schedules = options.Schedules,
            Log = options.Log,
            KubeletPort = kubelet.Port,
            PlayedElsewhere = Programs.Runs,
            OnLog = (pod, container, text) => node.logs.Append(pod.Namespace!, pod.Name, container, text ?? "", text is null, clock.GetUtcNow()),
        };
        try
        {
            var watching = node.pods.RunAsync(ct);
            await node.pods.WaitForSyncAsync(ct);
            await Task.WhenAll(
                watching,
                node.uploads.RunAsync(ct),
                SimulatedNode.RunAsync(client, clock, node.world, ct, simulated),
                new LocalVolumes(client, options).RunAsync(ct),
                node.PlayAsync(ct));
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            // Asked to stop.
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(running.Values.Select(pod => pod.KillAsync()));
        endpoints.Dispose();
        uploads.Dispose();
    }

    /// <summary>The port of this machine on which a container's port is; null where the Pod does not run here.</summary>
    private int? PortOf(string ns, string name, int port) => running.Values.FirstOrDefault(pod => pod.Namespace == ns && pod.Name == name)?.PortOf(port);

    /// <summary>Each Pod has its own life; this one only sees to it that each has begun.</summary>
    private async Task PlayAsync(CancellationToken ct)
    {
        using var lives = new LifeList();
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(200), TimeProvider.System);
        do
        {
            foreach (var pod in pods.Items.Values.Where(pod => Programs.Runs(pod) && pod.Uid is not null && pod.Json.Text("status", "phase") is not ("Succeeded" or "Failed")))
            {
                if (running.ContainsKey(pod.Uid!)) continue;
                var played = running[pod.Uid!] = new ProcessPod(client, clock, options, pod, endpoints, Said);
                lives.Add(LiveAsync(played, ct));
            }
        }
        while (await timer.WaitForNextTickAsync(ct));
    }

    private async Task LiveAsync(ProcessPod pod, CancellationToken ct)
    {
        try
        {
            await pod.RunAsync(() => pods.Items.GetValueOrDefault($"{pod.Namespace}/{pod.Name}"), ct);
        }
        finally
        {
            await pod.KillAsync();
            logs.Remove(pod.Namespace, pod.Name);
            if (!ct.IsCancellationRequested) running.TryRemove(pod.Uid, out _);
        }
    }

    private void Said(KubeObject pod, string container, string line)
    {
        logs.Append(pod.Namespace!, pod.Name, container, line, false, clock.GetUtcNow());
        uploads.Log(pod, container, line, false);
    }

    /// <summary>Tasks that are waited for by nobody, kept so that none is collected while it runs.</summary>
    private sealed class LifeList : IDisposable
    {
        private readonly List<Task> tasks = [];

        public void Add(Task task)
        {
            tasks.RemoveAll(one => one.IsCompleted);
            tasks.Add(task);
        }

        public void Dispose() => tasks.Clear();
    }
}
