using System.Collections.Immutable;
using Fabrik.Certificates;
using Fabrik.Kubernetes;

namespace Fabrik.Webhook.Certificates;

/// <summary>The one replica that leads keeps certificates and signing keys: reads all, takes the next step, and again. Whoever else leads for a moment can do no harm, as each write is bound to the version that was read.</summary>
internal sealed partial class CertificateKeeper(WebhookOptions options, KubernetesClient client, CertificateWatch watch, WebhookMetrics metrics, ILogger<CertificateKeeper> logger) : BackgroundService
{
    private static readonly TimeSpan Retry = TimeSpan.FromSeconds(5);
    private readonly ImmutableArray<KeptObject> objects = KeptObject.All(options.TlsSecret!);
    private readonly SemaphoreSlim woken = new(0, 1);
    private (string Fingerprint, long Since) stands = ("", 0);
    private string said = "";

    public override void Dispose()
    {
        woken.Dispose();
        base.Dispose();
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken)
    {
        watch.Changed = Wake;
        return new LeaderElector(client, options.Clock, new LeaderElectorOptions
        {
            Namespace = Names.SystemNamespace,
            Name = Names.Objects.CertificateKeeper,
            Identity = options.Identity,
            Logger = logger,
        }).RunAsync(KeepAsync, stoppingToken);
    }

    private async Task KeepAsync(CancellationToken ct)
    {
        try
        {
            stands = ("", 0);
            while (true)
            {
                var pause = await TurnAsync(ct);
                if (pause > TimeSpan.Zero) await PauseAsync(pause, ct);
            }
        }
        finally
        {
            metrics.Ends = [];
        }
    }

    private async Task PauseAsync(TimeSpan pause, CancellationToken ct)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(ct);
        await Task.WhenAny(woken.WaitAsync(stop.Token), Task.Delay(pause, options.Clock, stop.Token));
        await stop.CancelAsync();
        ct.ThrowIfCancellationRequested();
    }

    /// <summary>One look and at most one write; how long to wait until the next.</summary>
    private async Task<TimeSpan> TurnAsync(CancellationToken ct)
    {
        try
        {
            var (state, versions) = await ReadAsync(ct);
            metrics.Ends = [.. CertificatePlan.Ends(state)];
            var fingerprint = state.Fingerprint();
            if (stands.Fingerprint != fingerprint) stands = (fingerprint, options.Clock.GetTimestamp());
            var now = options.Clock.GetUtcNow();
            var step = CertificatePlan.Next(state, now, options.Clock.GetElapsedTime(stands.Since), options.CertificateTimes);
            if (step.Action == CertificateAction.Wait)
            {
                if (said != step.Reason) Log.Waits(logger, step.Reason);
                said = step.Reason;
                // A step that is due in no time waits for the clock to tick on.
                return step.Again < TimeSpan.FromMilliseconds(20) ? TimeSpan.FromMilliseconds(20) : step.Again;
            }

            var kept = objects.Single(one => one.Place == step.Place);
            await kept.WriteAsync(client, CertificateWriting.Of(step, state, now, options.CertificateTimes), versions[step.Place], ct);
            metrics.Kept(step);
            Log.Done(logger, step.Action, $"{kept.Kind.Kind} {kept.Name}", step.Reason);
            said = "";
            return TimeSpan.Zero;
        }
        catch (KubernetesException e) when (e.IsConflict || e.IsNotFound)
        {
            // Somebody wrote in between: what is there now decides.
            Log.Overtaken(logger, e.Message);
            return TimeSpan.FromMilliseconds(50);
        }
        catch (Exception e) when (e is not OperationCanceledException || !ct.IsCancellationRequested)
        {
            metrics.KeepingFailed();
            if (said != e.Message) Log.Failed(logger, e.Message);
            said = e.Message;
            return Retry;
        }
    }

    private async Task<(CertificateState State, Dictionary<Place, string> Versions)> ReadAsync(CancellationToken ct)
    {
        var (places, versions) = (ImmutableDictionary.CreateBuilder<Place, Held>(), new Dictionary<Place, string>());
        foreach (var place in CertificateState.ReadingOrder)
        {
            var kept = objects.Single(one => one.Place == place);
            try
            {
                var found = await client.GetAsync(kept.Kind, kept.Namespace, kept.Name, ct);
                places[kept.Place] = kept.Read(found);
                versions[kept.Place] = found.ResourceVersion!;
            }
            catch (KubernetesException e) when (e.IsNotFound || (e.IsForbidden && kept.Namespace == Names.GatewayNamespace))
            {
                // Not there, so nothing to keep; where there is no gateway there is no permission either.
            }
        }

        return (new CertificateState(places.ToImmutable()), versions);
    }

    private void Wake()
    {
        try
        {
            if (woken.CurrentCount == 0) woken.Release();
        }
        catch (Exception e) when (e is SemaphoreFullException or ObjectDisposedException)
        {
            // Somebody else did in the same moment, or the process is going.
        }
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Information, Message = "Certificates: {Reason}")]
        public static partial void Waits(ILogger logger, string reason);

        [LoggerMessage(Level = LogLevel.Information, Message = "Certificates: {Action} in {What}, as {Reason}")]
        public static partial void Done(ILogger logger, CertificateAction action, string what, string reason);

        [LoggerMessage(Level = LogLevel.Information, Message = "Certificates: looks again, as somebody else wrote ({Why})")]
        public static partial void Overtaken(ILogger logger, string why);

        [LoggerMessage(Level = LogLevel.Error, Message = "Certificates cannot be kept: {Why}; tries again")]
        public static partial void Failed(ILogger logger, string why);
    }
}
