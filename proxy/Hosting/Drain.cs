namespace Fabrik.Proxy.Hosting;

/// <summary>On SIGTERM readiness goes first, then callers have time to notice, then the server stops taking requests and ends those it has.</summary>
internal sealed partial class Drain(ProxyOptions options, ILogger<Drain> logger) : IHostedLifecycleService
{
    private volatile bool draining;

    public bool IsDraining => draining;

    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        draining = true;
        if (options.DrainGrace <= TimeSpan.Zero) return;
        Log.Draining(logger, options.DrainGrace.TotalSeconds);
        await Task.Delay(options.DrainGrace, options.Clock, cancellationToken);
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
