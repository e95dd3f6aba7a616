using Microsoft.AspNetCore.Http.Features;

namespace Fabrik.Proxy.Forwarding;

/// <summary>
/// Ends an answer that stands still: on a provider that sends nothing, or on a client that takes nothing of what was sent. The server's own bound
/// for slow clients counts all bytes of a connection, so who has taken much at once could stand still for hours.
/// </summary>
internal sealed class IdleWatch : IDisposable
{
    private readonly Patience patience;
    private readonly CancellationTokenRegistration standing;
    private readonly IHttpRequestLifetimeFeature client;
    private readonly CancellationToken over;
    private readonly TimeSpan idle;
    private CancellationToken gone;
    private volatile bool waitsForClient;

    /// <param name="client">Is cut off when it takes nothing.</param>
    /// <param name="over">When the process ends the calls that it has.</param>
    public IdleWatch(TimeSpan idle, IHttpRequestLifetimeFeature client, CancellationToken over)
    {
        (this.idle, this.client, this.over, patience) = (idle, client, over, new Patience(over));
        standing = patience.Token.UnsafeRegister(static state => ((IdleWatch)state!).StandsStill(), this);
    }

    public TimeSpan Idle => idle;

    /// <summary>Whether it is the process that ends the call.</summary>
    public bool IsOver => over.IsCancellationRequested;

    /// <summary>Whether the client was cut off, as it took nothing.</summary>
    public bool HasCutClient { get; private set; }

    /// <summary>Now the provider has the turn.</summary>
    /// <param name="client">Cancelled when it goes.</param>
    /// <returns>Cancelled when the provider stands still, when the client has gone, or when the process ends.</returns>
    public CancellationToken ForProvider(CancellationToken client)
    {
        gone = client;
        waitsForClient = false;
        patience.Begin(idle, client);
        return patience.Token;
    }

    /// <summary>Now the client has the turn: until the provider's begins, it has not taken what it was given.</summary>
    public void ForClient()
    {
        waitsForClient = true;
        patience.Begin(idle, gone);
    }

    /// <summary>Once.</summary>
    public void Dispose()
    {
        waitsForClient = false;
        standing.Dispose();
        patience.Dispose();
    }

    private void StandsStill()
    {
        if (!waitsForClient || IsOver || gone.IsCancellationRequested) return;
        HasCutClient = true;
        client.Abort();
    }
}
