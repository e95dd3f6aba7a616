using Microsoft.Extensions.ObjectPool;

namespace Fabrik.Proxy.Forwarding;

/// <summary>A time-out that also ends when the client goes, or the process; its timer is used again by later calls.</summary>
internal sealed class Patience : IDisposable
{
    private static readonly ObjectPool<CancellationTokenSource> Pool = new DefaultObjectPoolProvider { MaximumRetained = 1024 }.Create(new Policy());
    private readonly CancellationTokenSource source = Pool.Get();
    private readonly CancellationTokenRegistration closing;
    private CancellationTokenRegistration registration;
    private CancellationToken linked;

    /// <param name="over">When the process ends the calls that it has.</param>
    public Patience(CancellationToken over) => closing = over.UnsafeRegister(static state => ((CancellationTokenSource)state!).Cancel(), source);

    public CancellationToken Token => source.Token;

    /// <summary>From now on.</summary>
    public void Begin(TimeSpan time, CancellationToken client)
    {
        if (linked != client)
        {
            registration.Dispose();
            linked = client;
            registration = client.UnsafeRegister(static state => ((CancellationTokenSource)state!).Cancel(), source);
        }

        source.CancelAfter(time);
    }

    /// <summary>Once, when nothing waits with the token any more.</summary>
    public void Dispose()
    {
        closing.Dispose();
        registration.Dispose(); // waits for a cancellation that is under way
        Pool.Return(source);
    }

    private sealed class Policy : PooledObjectPolicy<CancellationTokenSource>
    {
        public override CancellationTokenSource Create() => new();

        public override bool Return(CancellationTokenSource obj) => obj.TryReset();
    }
}
