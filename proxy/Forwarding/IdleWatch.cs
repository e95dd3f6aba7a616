using Microsoft.AspNetCore.Http.Features;

namespace Fabrik.Proxy.Forwarding;

/// <summary>
/// Ends an answer that stands still: on a provider that sends nothing, or on a client that takes nothing of what was sent. The server's own bound
/// for slow clients counts all bytes of a connection, so who has taken much at once could stand still for hours.
/// </summary>
internal sealed class IdleWatch : IDisposable
{
    private readonly CancellationTokenSource source = new();
    private readonly CancellationTokenRegistration closing;
    private readonly IHttpRequestLifetimeFeature client;
    private readonly CancellationToken over;
    private readonly TimeSpan idle;
    private CancellationTokenRegistration registration;
    private CancellationToken registered;
    private volatile bool waitsForClient;

    /// <param name="client">Is cut off when it takes nothing.</param>
    /// <param name="over">When the process ends the calls that it has.</param>
    public IdleWatch(TimeSpan idle, IHttpRequestLifetimeFeature client, CancellationToken over)
    {
        (this.idle, this.client, this.over) = (idle, client, over);
        source.Token.UnsafeRegister(static state => ((IdleWatch)state!).StandsStill(), this);
        closing = over.UnsafeRegister(static state => ((CancellationTokenSource)state!).Cancel(), source);
    }

    public TimeSpan Idle => idle;

    /// <summary>Whether it is the process that ends the call.</summary>
    public bool IsOver => over.IsCancellationRequested;

    /// <summary>Whether the client was cut off, as it took nothing.</summary>
    public bool HasCutClient { get; private set; }

    /// <summary>Now the provider has the turn.</summary>
    /// <returns>Cancelled when it stands still, when the client has gone, or when the process ends.</returns>
    public CancellationToken ForProvider(CancellationToken gone)
    {
        if (registered != gone)
        {
            registration.Dispose();
            registered = gone;
            registration = gone.UnsafeRegister(static state => ((CancellationTokenSource)state!).Cancel(), source);
        }

        waitsForClient = false;
        source.CancelAfter(idle);
        return source.Token;
    }

    /// <summary>Now the client has the turn: until the provider's begins, it has not taken what it was given.</summary>
    public void ForClient()
    {
        waitsForClient = true;
        source.CancelAfter(idle);
    }

    public void Dispose()
    {
        waitsForClient = false;
        registration.Dispose();
        closing.Dispose();
        source.Dispose();
    }

    private void StandsStill()
    {
        if (!waitsForClient || IsOver || registered.IsCancellationRequested) return;
        HasCutClient = true;
        client.Abort();
    }
}
