namespace Fabrik.Proxy.Hosting;

/// <summary>Once no call is taken any more, those that are open have some time to end by themselves; what is left of them then is ended in words.</summary>
internal sealed class Closing(ProxyOptions options) : IHostedLifecycleService, IDisposable
{
    private readonly CancellationTokenSource over = new(Timeout.InfiniteTimeSpan, options.Clock);

    /// <summary>Cancelled when that time is over.</summary>
    public CancellationToken Over => over.Token;

    /// <summary>Comes after the drain's, as services stop in the reverse of the order in which they were added.</summary>
    public Task StoppingAsync(CancellationToken cancellationToken)
    {
        over.CancelAfter(options.StreamGrace);
        return Task.CompletedTask;
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public void Dispose() => over.Dispose();
}
