using System.Text.Json.Nodes;
using Fabrik.Checks;
using Fabrik.Cli.Output;
using Fabrik.Installation;
using Fabrik.Kubernetes;

namespace Fabrik.Cli.Installing;

/// <summary>One object that belongs to Fabrik by its label.</summary>
internal sealed record Owned(ResourceKind Kind, KubeObject Object)
{
    public override string ToString() => $"{Kind} {Object.Key}";
}

/// <summary>
/// Removes everything that has Fabrik's label, the webhook's registration first and definitions last, and asks the cluster afterwards what is left. It needs no installation
/// that is whole: what there is, is found through discovery.
/// </summary>
internal sealed class Uninstaller(KubernetesClient cluster, bool keepData, Steps steps, TimeProvider clock)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);

    /// <summary>Data of these: a reinstalled Fabrik goes on with them.</summary>
    private static readonly string[] Volumes = ["PersistentVolumeClaim"];
    private static readonly string[] Leases = [Names.Objects.Leader, Names.Objects.Webhook];

    /// <summary>Groups that did not answer: what of theirs is left is not known.</summary>
    public IReadOnlyDictionary<string, string> Unanswered { get; private set; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>All objects with the label, in the order in which they are removed.</summary>
    public async Task<IReadOnlyList<Owned>> FindAsync(CancellationToken ct)
    {
        var discovery = await Discovery.ReadAsync(cluster, ct);
        Unanswered = discovery.Unanswered;
        var found = new List<Owned>();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var kind in discovery.Kinds.Where(kind => kind.Can("list") && kind.Can("delete")))
        {
            try
            {
                await foreach (var item in cluster.ListAsync(kind.Kind, null, ct, new ListOptions { LabelSelector = Names.Labels.Ours }))
                    if (seen.Add(item.Uid ?? $"{kind.Kind} {item.Key}")) found.Add(new Owned(kind.Kind, item));
            }
            catch (KubernetesException e) when (e.IsNotFound || e.Code == 405)
            {
                // Its definition went meanwhile.
            }
        }

        return [.. found.OrderBy(item => InstallStages.RemovalOrder(item.Kind.Kind)).ThenBy(item => item.ToString(), StringComparer.Ordinal)];
    }

    /// <summary>In words: what cannot be had back.</summary>
    public async Task<IReadOnlyList<string>> DataAsync(IReadOnlyList<Owned> items, CancellationToken ct)
    {
        var lines = new List<string>();
        var claims = items.Where(item => item.Kind == Kinds.PersistentVolumeClaim).ToList();
        if (claims.Count > 0)
            lines.Add($"{claims.Count} {(claims.Count == 1 ? "volume" : "volumes")}{(keepData ? " stay" : ": runs, decisions and usage that is not delivered yet")} ({string.Join(", ", claims.Select(claim => claim.Object.Key))})");
        foreach (var kind in new[] { Kinds.OptimizationChange, Kinds.OptimizerPolicy })
        {
            var count = await CountAsync(kind, ct);
            if (count > 0) lines.Add($"{count} {kind}");
        }

        foreach (var ns in items.Where(item => item.Kind == Kinds.Namespace))
        {
            var jobs = new List<KubeObject>();
            await foreach (var job in cluster.ListAsync(Kinds.Job, ns.Object.Name, ct)) jobs.Add(job);
            if (jobs.Count > 0) lines.Add(await BusyAsync(ns.Object.Name, ct) is { } busy ? $"namespace {ns.Object.Name} stays, without Fabrik's labels: {busy}" : $"namespace {ns.Object.Name} with {jobs.Count} finished Jobs");
        }

        return lines;
    }

    public async Task RemoveAsync(IReadOnlyList<Owned> items, CancellationToken ct)
    {
        await OptOutAsync(ct);
        foreach (var stage in items.GroupBy(item => Title(item.Kind.Kind), StringComparer.Ordinal))
        {
            var due = stage.ToList();
            await steps.RunAsync(stage.Key, async say =>
            {
                foreach (var item in due)
                {
                    say(item.ToString());
                    await RemoveOneAsync(item, ct);
                }

                return due.Count;
            }, count => count.ToString(System.Globalization.CultureInfo.InvariantCulture));
        }
    }

    /// <summary>Waits until nothing with the label is left, or the time is over.</summary>
    public async Task<IReadOnlyList<Owned>> ProveAsync(TimeSpan limit, CancellationToken ct)
    {
        var began = clock.GetTimestamp();
        return await steps.RunAsync("looking for what is left", async say =>
        {
            while (true)
            {
                var left = (await FindAsync(ct)).Where(item => !Kept(item)).ToList();
                if (left.Count == 0 || clock.GetElapsedTime(began) > limit) return left;
                say($"{left.Count} objects: {string.Join(", ", left.Take(3))}");
                await Task.Delay(Pause, clock, ct);
            }
        });
    }

    /// <summary>With --keep-data: volumes and the namespaces that they are in.</summary>
    public bool Kept(Owned item) => keepData && (Volumes.Contains(item.Kind.Kind) || item.Kind == Kinds.Namespace && item.Object.Name is Names.SystemNamespace or Names.GatewayNamespace);

    private async Task RemoveOneAsync(Owned item, CancellationToken ct)
    {
        if (Kept(item))
        {
            if (item.Kind == Kinds.Namespace)
                foreach (var lease in Leases) await DeleteAsync(Kinds.Lease, item.Object.Name, lease, ct);
            return;
        }

        if (item.Kind == Kinds.Namespace && await BusyAsync(item.Object.Name, ct) is { } busy)
        {
            await LetGoAsync(item, busy, ct);
            return;
        }

        await DeleteAsync(item.Kind, item.Object.Namespace, item.Object.Name, ct);
    }

    private async Task DeleteAsync(ResourceKind kind, string? ns, string name, CancellationToken ct)
    {
        try
        {
            await cluster.DeleteAsync(kind, ns, name, ct, new DeleteOptions { PropagationPolicy = "Background" });
        }
        catch (KubernetesException e) when (e.IsNotFound || e.IsConflict && kind == Kinds.Namespace)
        {
            // Gone already, or on its way.
        }
    }

    /// <summary>Why a namespace may not go: runs are nobody's to end. Null where nothing stands against it.</summary>
    private async Task<string?> BusyAsync(string ns, CancellationToken ct)
    {
        if (ns is Names.SystemNamespace or Names.GatewayNamespace) return null;
        var running = new List<string>();
        await foreach (var job in cluster.ListAsync(Kinds.Job, ns, ct))
            if (!job.Json.List("status", "conditions").Any(condition => condition.Text("type") is "Complete" or "Failed" && condition.Text("status") == "True")) running.Add(job.Name);
        if (running.Count > 0) return $"{running.Count} {(running.Count == 1 ? "Job runs" : "Jobs run")} there ({string.Join(", ", running.Take(3))})";
        var schedules = 0;
        await foreach (var _ in cluster.ListAsync(Kinds.CronJob, ns, ct)) schedules++;
        return schedules > 0 ? $"{schedules} CronJobs are there" : null;
    }

    private async Task LetGoAsync(Owned item, string why, CancellationToken ct)
    {
        var labels = new JsonObject();
        foreach (var label in (string[])[Names.Labels.PartOf, Names.Labels.Enabled, Names.Labels.Gateway]) labels[label] = null;
        await cluster.PatchAsync(Kinds.Namespace, null, item.Object.Name, PatchType.Merge, new JsonObject { ["metadata"] = new JsonObject { ["labels"] = labels } }, ct);
        steps.Note($"namespace {item.Object.Name} stays, without Fabrik's labels: {why}. Remove it later: kubectl delete namespace {item.Object.Name}");
    }

    /// <summary>Takes back the labels that installing set on namespaces; those that others set stay.</summary>
    private async Task OptOutAsync(CancellationToken ct)
    {
        await foreach (var ns in cluster.ListAsync(Kinds.Namespace, null, ct, new ListOptions { LabelSelector = Names.Labels.Enabled }))
        {
            if (!ns.Json.List("metadata", "managedFields").Any(entry => entry.Text("manager") == Names.OptInManager)) continue;
            var nothing = new JsonObject { ["apiVersion"] = "v1", ["kind"] = "Namespace", ["metadata"] = new JsonObject { ["name"] = ns.Name } };
            await cluster.PatchAsync(Kinds.Namespace, null, ns.Name, PatchType.Apply, nothing, ct, new WriteOptions { FieldManager = Names.OptInManager, Force = true });
        }
    }

    private async Task<int> CountAsync(ResourceKind kind, CancellationToken ct)
    {
        var count = 0;
        try
        {
            await foreach (var _ in cluster.ListAsync(kind, null, ct)) count++;
        }
        catch (KubernetesException e) when (e.IsNotFound)
        {
            // Its definition is not there.
        }

        return count;
    }

    private static string Title(string kind) => InstallStages.RemovalOrder(kind) switch
    {
        0 => "webhook unregistered",
        1 or 2 => "policies",
        3 or 4 => "workloads",
        5 => "Pods",
        6 => "certificates",
        8 => "volumes",
        9 => "namespaces",
        10 => "definitions",
        _ => "permissions, settings and Services",
    };
}
