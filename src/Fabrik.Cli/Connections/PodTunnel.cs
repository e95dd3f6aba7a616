using Fabrik.Checks;
using Fabrik.Kubernetes;

namespace Fabrik.Cli.Connections;

/// <summary>The command's own port-forward: connections to whichever Pod's container of a component is ready, whatever the others beside it are.</summary>
/// <param name="component">Value of the label app.kubernetes.io/name.</param>
/// <param name="port">Name of the container's port.</param>
public sealed class PodTunnel(KubernetesClient cluster, string ns, string component, string port)
{
    /// <summary>Whether an address is that of a Service, which only Pods can reach.</summary>
    public static bool IsInCluster(string? address) =>
        Uri.TryCreate(address, UriKind.Absolute, out var uri) && (uri.Host.EndsWith(".svc", StringComparison.Ordinal) || uri.Host.EndsWith(".svc.cluster.local", StringComparison.Ordinal));

    /// <exception cref="CommandException">No Pod is ready, or the way to it is barred.</exception>
    public async ValueTask<Stream> OpenAsync(CancellationToken ct)
    {
        var (pod, number) = await FindAsync(ct);
        try
        {
            return await cluster.PortForwardAsync(ns, pod, number, ct);
        }
        catch (KubernetesException e) when (e.Code is not (401 or 403))
        {
            throw new CommandException(
                ExitCode.Error, "FAB-1113", $"no connection to {component} in the cluster", e.Message,
                $"try it by hand: kubectl -n {ns} port-forward pod/{pod} {number}; a proxy between here and the API server may refuse WebSockets");
        }
    }

    private async Task<(string Pod, int Port)> FindAsync(CancellationToken ct)
    {
        var seen = 0;
        await foreach (var pod in cluster.ListAsync(Kinds.Pod, ns, ct, new ListOptions { LabelSelector = $"{Names.Labels.Name}={component}" }))
        {
            seen++;
            if (pod.DeletionTimestamp is not null) continue;
            var ready = pod.Json.List("status", "containerStatuses").Where(status => status.Says("ready")).Select(status => status.Text("name")).ToHashSet(StringComparer.Ordinal);
            foreach (var container in pod.Json.List("spec", "containers").Where(container => pod.Json.Holds("Ready") || ready.Contains(container.Text("name"))))
                foreach (var one in container.List("ports"))
                    if (one.Text("name") == port) return (pod.Name, one.GetProperty("containerPort").GetInt32());
        }

        throw new CommandException(
            ExitCode.Error, "FAB-1114", $"{component} does not serve", seen == 0 ? $"there is no Pod with the label {Names.Labels.Name}={component} in namespace {ns}" : $"none of its {seen} Pods in namespace {ns} is ready",
            seen == 0 ? "fabrik install" : $"kubectl -n {ns} describe pods -l {Names.Labels.Name}={component}");
    }
}
