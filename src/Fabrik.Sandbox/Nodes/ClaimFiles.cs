using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json;
using Fabrik.Kubernetes;
using Fabrik.Sandbox.Controllers;
using Microsoft.Extensions.Logging;

namespace Fabrik.Sandbox.Nodes;

/// <summary>The claims of the cluster, and what played Pods have written into them. Of files there is one: how far the work has come. It goes with its claim.</summary>
internal sealed class ClaimFiles
{
    private readonly Informer claims;

    /// <summary>By the UID of the claim and the path.</summary>
    private readonly ConcurrentDictionary<(string Claim, string Path), TimeSpan> written = new();

    /// <param name="appeared">Told the key of each claim that is there or changes.</param>
    public ClaimFiles(KubernetesClient client, ILogger log, Action<string> appeared) =>
        claims = new Informer(client, Kinds.PersistentVolumeClaim, TimeProvider.System, new InformerOptions
        {
            Logger = log,
            OnEvent = change =>
            {
                if (change.Type != WatchEventType.Deleted) appeared(change.Object.Key);
                else
                    foreach (var gone in written.Keys.Where(file => file.Claim == change.Object.Uid)) written.TryRemove(gone, out _);
            },
        });

    public Task RunAsync(CancellationToken ct) => claims.RunAsync(ct);

    public Task WaitForSyncAsync(CancellationToken ct) => claims.WaitForSyncAsync(ct);

    /// <summary>Keys of the claims that a Pod mounts.</summary>
    public static IEnumerable<string> Of(KubeObject pod) => Volumes(pod).Select(volume => $"{pod.Namespace}/{volume.Claim}");

    /// <summary>Null when every claim of the Pod is there, else which is not, in the words of the scheduler.</summary>
    public string? Missing(KubeObject pod)
    {
        var known = claims.Items;
        return Volumes(pod).FirstOrDefault(volume => !known.ContainsKey($"{pod.Namespace}/{volume.Claim}")) is { Claim: { } missing } ? $"persistentvolumeclaim \"{missing}\" not found" : null;
    }

    /// <summary>The needs of a Pod that goes on where another came to: less time, and a line about it before its log.</summary>
    public PodNeeds Resumed(KubeObject pod, PodNeeds needs)
    {
        if (needs.Checkpoint is not { } path) return needs;
        if (ClaimAt(pod, needs, path) is not { } claim) return needs with { Log = $"nothing keeps what is written to {path}\n{needs.Log}", Checkpoint = null };
        if (!written.TryGetValue((claim, path), out var done)) return needs with { Log = $"nothing at {path}: begins\n{needs.Log}" };
        return needs with { Duration = needs.Duration - done, Log = string.Create(CultureInfo.InvariantCulture, $"read from {path}: {done.TotalSeconds:0}s are done\n{needs.Log}") };
    }

    /// <param name="done">Since <see cref="Resumed"/>.</param>
    public void Keep(KubeObject pod, PodNeeds needs, TimeSpan done)
    {
        if (needs.Checkpoint is { } path && ClaimAt(pod, needs, path) is { } claim && done > TimeSpan.Zero) written.AddOrUpdate((claim, path), done, (_, before) => before + done);
    }

    /// <summary>UID of the claim whose volume the path lies in; the innermost mount counts.</summary>
    private string? ClaimAt(KubeObject pod, PodNeeds needs, string path)
    {
        var containers = pod.Json.List("spec", "containers").ToList();
        var main = containers.Find(container => container.Text("name") == needs.Container);
        if (main.ValueKind == JsonValueKind.Undefined) main = containers.FirstOrDefault();
        var mount = main.List("volumeMounts").Select(one => (Path: one.Text("mountPath")?.TrimEnd('/') ?? "", Name: one.Text("name")))
            .Where(one => path == one.Path || path.StartsWith(one.Path + "/", StringComparison.Ordinal)).OrderByDescending(one => one.Path.Length).FirstOrDefault();
        return Volumes(pod).FirstOrDefault(volume => volume.Name == mount.Name) is { Claim: { } claim } && claims.Items.TryGetValue($"{pod.Namespace}/{claim}", out var found) ? found.Uid : null;
    }

    private static IEnumerable<(string? Name, string Claim)> Volumes(KubeObject pod) =>
        pod.Json.List("spec", "volumes").Select(volume => (Name: volume.Text("name"), Claim: volume.Text("persistentVolumeClaim", "claimName"))).Where(volume => volume.Claim is not null)!;
}
