using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Fabrik.Kubernetes.Serving;

/// <summary>On SIGTERM readiness goes first, then callers have time to notice, then the server stops taking requests and ends those it has.</summary>
public sealed partial class Drain(TimeSpan grace, TimeProvider clock, ILogger<Drain> logger) : IHostedLifecycleService
{
    private volatile bool draining;

    public bool IsDraining => draining;

    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        draining = true;
        if (grace <= TimeSpan.Zero) return;
        Log.Draining(logger, grace.TotalSeconds);
        await Task.Delay(grace, clock, cancellationToken);
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Information, Message = "Not ready any more; takes requests for {Seconds} s yet")]
        public static partial void Draining(ILogger logger, double seconds);
    }
}
