using System.Globalization;
using System.Text.Json.Nodes;
using Fabrik.Checks;
using Fabrik.Kubernetes;

namespace Fabrik.Cli.Checks;

/// <summary>
/// What a check makes to try something. All of it has the label <see cref="Names.Labels.Check"/>; it goes when the check ends, however it ends, and what a killed one
/// left goes at the start of the next. What cannot be taken away is told.
/// </summary>
internal sealed class Canaries(KubernetesClient client, TimeProvider clock, string host, int process)
{
    /// <summary>No check needs its canaries for longer.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly string id = Guid.NewGuid().ToString("N")[..8];
    private readonly List<(ResourceKind Kind, string? Namespace, string Name)> made = [];

    /// <summary>Objects that are still there, and why.</summary>
    public List<string> Left { get; } = [];

    /// <summary>Names of what the sweep took away.</summary>
    public List<string> Swept { get; } = [];

    public string Name(string what) => $"fabrik-check-{what}-{id}";

    public async Task<string> NamespaceAsync(string what, JsonObject labels, CancellationToken ct)
    {
        await CreateAsync(Kinds.Namespace, null, new JsonObject { ["apiVersion"] = "v1", ["kind"] = "Namespace", ["metadata"] = new JsonObject { ["name"] = Name(what), ["labels"] = labels } }, ct);
        return Name(what);
    }

    public async Task<KubeObject> CreateAsync(ResourceKind kind, string? ns, JsonObject body, CancellationToken ct)
    {
        var metadata = body["metadata"]!.AsObject();
        var labels = metadata["labels"] as JsonObject ?? [];
        labels[Names.Labels.Check] = id;
        metadata["labels"] = labels;
        metadata["annotations"] = new JsonObject { [Names.Annotations.CheckBy] = string.Create(CultureInfo.InvariantCulture, $"{host}/{process}") };
        // Written down before it is asked for: a request that is cut off may have been carried out.
        made.Add((kind, ns, (string)metadata["name"]!));
        return await client.CreateAsync(kind, ns, body, ct);
    }

    /// <summary>Takes away all that was made, newest first. Not cancelled by whoever interrupts the check.</summary>
    public async Task RemoveAsync()
    {
        using var patience = new CancellationTokenSource(Patience, clock);
        foreach (var (kind, ns, name) in Enumerable.Reverse(made)) await DeleteAsync(kind, ns, name, patience.Token);
        made.Clear();
    }

    /// <summary>What earlier checks left: those of this machine whose process is gone, and all that are older than any check takes.</summary>
    /// <param name="runs">Whether a process of this machine still runs.</param>
    public async Task SweepAsync(Func<int, bool> runs, CancellationToken ct)
    {
        foreach (var kind in (ResourceKind[])[Kinds.Namespace, Kinds.Pod, Kinds.NetworkPolicy])
        {
            var found = await new FactReader(client).ListAsync(kind, null, ct, Names.Labels.Check);
            foreach (var item in found.IsRead ? found.Value : [])
            {
                if (item.Label(Names.Labels.Check) == id || item.Time("metadata", "deletionTimestamp") is not null) continue;
                var by = item.Text("metadata", "annotations", Names.Annotations.CheckBy)?.Split('/');
                var orphan = by is [var where, var number] && where == host && int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var pid) && !runs(pid);
                if (!orphan && clock.GetUtcNow() - item.Time("metadata", "creationTimestamp") <= Longest) continue;
                var left = Left.Count;
                await DeleteAsync(kind, item.Namespace(), item.Name(), ct);
                if (Left.Count == left) Swept.Add(Told(kind, item.Namespace(), item.Name()));
            }
        }
    }

    private async Task DeleteAsync(ResourceKind kind, string? ns, string name, CancellationToken ct)
    {
        try
        {
            await client.DeleteAsync(kind, ns, name, ct, kind == Kinds.Pod ? new DeleteOptions { GracePeriodSeconds = 0 } : null);
        }
        catch (KubernetesException gone) when (gone.IsNotFound)
        {
            // Never made, or gone with its namespace.
        }
        catch (Exception e) when (e is KubernetesException or OperationCanceledException)
        {
            Left.Add($"{Told(kind, ns, name)}: {(e is KubernetesException refused ? refused.Message : "it took too long")}");
        }
    }

    private static string Told(ResourceKind kind, string? ns, string name) => $"{kind} {(ns is null ? "" : ns + "/")}{name}";
}
