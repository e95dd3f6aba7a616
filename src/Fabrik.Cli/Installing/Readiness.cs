using Fabrik.Checks;
using Fabrik.Kubernetes;

namespace Fabrik.Cli.Installing;

/// <summary>Waits until workloads are as they are meant to be, and says what they wait for.</summary>
internal sealed class Readiness(KubernetesClient cluster, TimeProvider clock)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);

    /// <exception cref="CommandException">The time is over; the reasons are those of the Pods.</exception>
    public async Task WaitAsync(IReadOnlyList<(ResourceKind Kind, string Namespace, string Name)> workloads, TimeSpan limit, Action<string> say, CancellationToken ct)
    {
        var began = clock.GetTimestamp();
        while (true)
        {
            var open = new List<(string Namespace, string Name, string Text)>();
            foreach (var (kind, ns, name) in workloads)
                if (Lacking(await cluster.GetAsync(kind, ns, name, ct)) is { } text) open.Add((ns, name, text));
            if (open.Count == 0) return;
            var reasons = new List<string>();
            foreach (var (ns, name, _) in open) reasons.AddRange(await ReasonsAsync(ns, name, ct));
            say(string.Join(", ", open.Select(one => one.Text)) + (reasons.Count > 0 ? $" ({string.Join("; ", reasons.Take(2))})" : ""));
            if (clock.GetElapsedTime(began) > limit)
            {
                throw new CommandException(
                    ExitCode.Timeout, "FAB-1103", $"not ready after {limit.TotalSeconds:0} s: {string.Join(", ", open.Select(one => one.Text))}",
                    reasons.Count > 0 ? string.Join("\n", reasons) : "the Pods do not say why",
                    $"kubectl -n {open[0].Namespace} describe pods -l {Names.Labels.Name}={open[0].Name}; when that is mended, the same command goes on from here");
            }

            await Task.Delay(Pause, clock, ct);
        }
    }

    /// <summary>Null where all replicas are of the newest version and serve.</summary>
    private static string? Lacking(KubeObject workload)
    {
        var json = workload.Json;
        var wanted = json.At("spec", "replicas").ValueKind == System.Text.Json.JsonValueKind.Number ? json.Number("spec", "replicas") : 1;
        var ready = Math.Min(json.Number("status", "readyReplicas"), json.Number("status", "updatedReplicas"));
        var available = workload.Kind == "Deployment" ? json.Number("status", "availableReplicas") : json.Number("status", "readyReplicas");
        var seen = json.Number("status", "observedGeneration") >= json.Number("metadata", "generation");
        var whole = seen && ready >= wanted && available >= wanted && json.Number("status", "replicas") <= wanted;

        // A StatefulSet that has nothing to update does not count as updated.
        if (workload.Kind == "StatefulSet" && seen && json.Text("status", "currentRevision") == json.Text("status", "updateRevision")) whole = json.Number("status", "readyReplicas") >= wanted;
        return whole ? null : $"{workload.Name} {(seen ? Math.Min(ready, available) : 0)}/{wanted}";
    }

    private async Task<List<string>> ReasonsAsync(string ns, string name, CancellationToken ct)
    {
        var found = new List<string>();
        await foreach (var pod in cluster.ListAsync(Kinds.Pod, ns, ct, new ListOptions { LabelSelector = $"{Names.Labels.Name}={name}" }))
        {
            if (pod.Json.Condition("PodScheduled") is { } scheduled && scheduled.Text("status") == "False" && scheduled.Text("message") is { } message) found.Add($"{pod.Name}: {message}");
            foreach (var container in pod.Json.List("status", "containerStatuses"))
            {
                if (container.Text("state", "waiting", "reason") is { } reason && reason is not ("ContainerCreating" or "PodInitializing"))
                    found.Add($"{pod.Name}/{container.Text("name")}: {reason}{(container.Text("state", "waiting", "message") is { Length: > 0 } why ? $", {why}" : "")}");
                else if (container.Text("lastState", "terminated", "reason") is { } ended && container.At("ready").ValueKind == System.Text.Json.JsonValueKind.False)
                    found.Add($"{pod.Name}/{container.Text("name")} ended before: {ended}, exit code {container.Number("lastState", "terminated", "exitCode")}");
            }
        }

        return found;
    }
}
