using Fabrik.Kubernetes;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fabrik.Sandbox.Controllers;

public sealed record SandboxControllersOptions
{
    public ILogger Log { get; init; } = NullLogger.Instance;
}

/// <summary>
/// The controllers of Jobs, CronJobs, Deployments and StatefulSets, for API servers that have none. They are ordinary clients: every rule of Kubernetes that they
/// follow is written against the API, and they may be stopped and started at any time.
/// </summary>
public static class SandboxControllers
{
    /// <summary>As Kubernetes' own controllers call themselves: policies ask who makes the Pods of a Job.</summary>
    private static readonly Impersonation Manager = new("system:kube-controller-manager", null, ["system:masters"], new Dictionary<string, IReadOnlyList<string>>(StringComparer.Ordinal));

    /// <summary>Runs until cancelled. Durations, back-offs and schedules follow the clock given, which may run faster than real time.</summary>
    public static async Task RunAsync(KubernetesClient client, TimeProvider clock, SandboxControllersOptions? options, CancellationToken ct)
    {
        var log = options?.Log ?? NullLogger.Instance;
        using var own = new KubernetesClient(client.Config with { Impersonate = Manager }, TimeProvider.System);
        var events = new EventRecorder(own, clock, log);
        try
        {
            await Task.WhenAll(
                events.RunAsync(ct),
                new WorkloadController(own, clock, log).RunAsync(ct),
                new JobController(own, clock, events, log).RunAsync(ct),
                new CronJobController(own, clock, events, log).RunAsync(ct));
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            // Asked to stop.
        }
    }
}
