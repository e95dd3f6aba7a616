using System.Globalization;
using System.Text.Json.Nodes;
using Fabrik.Kubernetes;
using Fabrik.Sandbox.Controllers;

namespace Fabrik.Sandbox.Nodes.Processes;

/// <summary>One Pod of Fabrik from its binding to its end: files, processes, probes, status.</summary>
internal sealed class ProcessPod(KubernetesClient client, TimeProvider clock, ProcessNodeOptions options, KubeObject pod, ServiceEndpoints endpoints, Action<KubeObject, string, string> said)
{
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(250);
    private readonly PodFiles files = new(client, clock, pod, options.Directory);
    private readonly Dictionary<int, int> ports = [];
    private readonly List<ProcessContainer> containers = [];
    private readonly string started = clock.GetUtcNow().Stamp();
    private string? written;
    private bool? announced;

    public string Uid => pod.Uid!;
    public string Namespace => pod.Namespace!;
    public string Name => pod.Name;

    public int? PortOf(int port) => ports.TryGetValue(port, out var own) ? own : null;

    /// <param name="current">The Pod as it is now; null when it is gone.</param>
    public async Task RunAsync(Func<KubeObject?> current, CancellationToken ct)
    {
        foreach (var port in pod.Json.List("spec", "containers").SelectMany(container => container.List("ports")))
            if (port.Int("containerPort") is { } number) ports[number] = FreePort.Take();
        while (!ct.IsCancellationRequested)
        {
            var now = current();
            if (now is null || now.Uid != Uid) return;
            try
            {
                if (now.DeletionTimestamp is not null)
                {
                    await EndAsync(now, ct);
                    return;
                }

                await StepAsync(ct);
            }
            catch (KubernetesException e) when (e.IsTransient || e.IsConflict || e.IsNotFound)
            {
                // Looked at again in a moment.
            }

            await Task.Delay(Tick, clock, ct);
        }
    }

    public Task KillAsync() => Task.WhenAll(containers.Select(container => container.EndAsync(TimeSpan.Zero)));

    private async Task StepAsync(CancellationToken ct)
    {
        if (await files.SyncAsync(ct) is { } missing)
        {
            await StatusAsync(missing, ct);
            return;
        }

        if (containers.Count == 0)
        {
            foreach (var spec in pod.Json.List("spec", "containers"))
                containers.Add(new ProcessContainer(clock, options, pod, spec, files, ports, endpoints, line => said(pod, spec.Text("name")!, line)));
        }

        foreach (var container in containers) await container.StepAsync(client, ct);
        await AnnounceAsync(containers.All(container => container.Ready), terminating: false, ct);
        await StatusAsync(null, ct);
    }

    private async Task EndAsync(KubeObject now, CancellationToken ct)
    {
        await AnnounceAsync(ready: false, terminating: true, ct);
        var grace = TimeSpan.FromSeconds(now.Json.Int("metadata", "deletionGracePeriodSeconds") ?? 30);
        await Task.WhenAll(containers.Select(container => container.EndAsync(grace)));
        try
        {
            await client.DeleteAsync(Kinds.Pod, Namespace, Name, ct, new DeleteOptions { GracePeriodSeconds = 0, Preconditions = new Preconditions(Uid: Uid) });
        }
        catch (KubernetesException error) when (error.IsNotFound || error.IsConflict)
        {
            // Gone already.
        }
    }

    private async Task AnnounceAsync(bool ready, bool terminating, CancellationToken ct)
    {
        if (announced == ready || announced is null && !ready) return;
        await endpoints.WriteAsync(pod, ports, ready, terminating, ct);
        announced = ready;
    }

    private async Task StatusAsync(string? waitsFor, CancellationToken ct)
    {
        var ready = containers.Count > 0 && containers.All(container => container.Ready);
        var status = new JsonObject
        {
            ["phase"] = containers.Count > 0 ? "Running" : "Pending",
            ["hostIP"] = "127.0.0.1",
            ["startTime"] = started,
            ["conditions"] = new JsonArray(Condition("PodScheduled", true), Condition("Initialized", true), Condition("ContainersReady", ready), Condition("Ready", ready)),
            ["containerStatuses"] = new JsonArray([.. pod.Json.List("spec", "containers").Select((spec, at) => at < containers.Count ? containers[at].Status() : (JsonNode)Waiting(spec.Text("name"), spec.Text("image"), waitsFor))]),
        };
        var text = status.ToJsonString();
        if (text == written) return;
        var patch = new JsonObject { ["metadata"] = new JsonObject { ["uid"] = Uid }, ["status"] = status };
        await client.PatchAsync(Kinds.Pod, Namespace, Name, PatchType.Merge, patch, ct, new WriteOptions { Subresource = "status" });
        written = text;
    }

    private readonly Dictionary<string, (bool Value, string Since)> conditions = new(StringComparer.Ordinal);

    private JsonObject Condition(string type, bool value)
    {
        if (!conditions.TryGetValue(type, out var known) || known.Value != value) conditions[type] = known = (value, clock.GetUtcNow().Stamp());
        return new JsonObject { ["type"] = type, ["status"] = value ? "True" : "False", ["lastProbeTime"] = null, ["lastTransitionTime"] = known.Since };
    }

    private static JsonObject Waiting(string? name, string? image, string? message) => new()
    {
        ["name"] = name,
        ["image"] = image,
        ["imageID"] = "",
        ["ready"] = false,
        ["started"] = false,
        ["restartCount"] = 0,
        ["state"] = new JsonObject { ["waiting"] = new JsonObject { ["reason"] = "ContainerCreating", ["message"] = message ?? "" } },
    };

    internal static string Number(int number) => number.ToString(CultureInfo.InvariantCulture);
}
