using Fabrik.Certificates;
using Fabrik.Kubernetes;
using Fabrik.Kubernetes.Serving;
using static Fabrik.Certificates.CertificatePlan;

namespace Fabrik.Webhook.Certificates;

/// <summary>Every replica's own view: the Secret that is served from and whom the webhook configuration trusts. A new certificate is taken for the next handshake.</summary>
internal sealed partial class CertificateWatch : BackgroundService
{
    private readonly ServingCertificate certificate;
    private readonly TimeProvider clock;
    private readonly ILogger logger;
    private readonly KeptObject secretObject;
    private readonly KeptObject registrationObject;
    private readonly Informer secrets;
    private readonly Informer registrations;
    private readonly Lock gate = new();
    private Held? secret;
    private Held? registration;
    private string? refused;
    private volatile string? problem;

    public CertificateWatch(WebhookOptions options, KubernetesClient client, ServingCertificate certificate, ILogger<CertificateWatch> logger)
    {
        (this.certificate, clock, this.logger) = (certificate, options.Clock, logger);
        var all = KeptObject.All(options.TlsSecret!);
        (secretObject, registrationObject) = (all.Single(one => one.Place == Place.WebhookLeaf), all.Single(one => one.Place == Place.Registration));
        secrets = Watch(secretObject, found => secret = found);
        registrations = Watch(registrationObject, found => registration = found);
        problem = Nothing;

        Informer Watch(KeptObject what, Action<Held?> set) => new(client, what.Kind, clock, new InformerOptions
        {
            Namespace = what.Namespace,
            FieldSelector = $"metadata.name={what.Name}", // permissions are by name
            Logger = logger,
            OnEvent = change =>
            {
                lock (gate)
                {
                    set(change.Type == WatchEventType.Deleted ? null : what.Read(change.Object));
                    Reconsider();
                }

                Changed?.Invoke();
            },
        });
    }

    /// <summary>Called after a change of either.</summary>
    public Action? Changed { get; set; }

    /// <summary>Why callers could not verify what is served; null when they can. What was seen once counts until something else is seen, so a broken watch does not take readiness away.</summary>
    public string? Problem => Missing(secrets, secretObject) ?? Missing(registrations, registrationObject) ?? problem;

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.WhenAll(secrets.RunAsync(stoppingToken), registrations.RunAsync(stoppingToken));

    private string Nothing => $"waits for a certificate in Secret {secretObject.Namespace}/{secretObject.Name}, which the replica with Lease {Names.Objects.CertificateKeeper} or cert-manager writes";

    private static string? Missing(Informer informer, KeptObject what) =>
        informer.Synchronised ? null : informer.LastError is { } error ? $"{what.Kind.Kind} {what.Name} cannot be read: {error.Message}" : $"{what.Kind.Kind} {what.Name} is not read yet";

    private void Reconsider()
    {
        if (secret is { } held && held[Keys.Leaf].Length > 0 && held[Keys.Leaf] != certificate.Pem) Offer(held[Keys.Leaf], held[Keys.LeafKey]);
        problem = certificate.Pem is { } served ? ServingChoice.Problem(served, registration) : Nothing;
    }

    private void Offer(string pem, string key)
    {
        var why = !CertificateText.Fits(pem, key) ? "the key is not that of the certificate"
            : !ServingChoice.Takes(certificate.Pem, pem, registration, clock.GetUtcNow()) ? "callers could not verify it, as the caBundle does not hold its authority"
            : null;
        if (why is null)
        {
            certificate.Use(pem, key);
            refused = null;
            Log.Taken(logger, secretObject.Name, certificate.Expires!.Value);
        }
        else if (refused != why)
        {
            refused = why;
            Log.Refused(logger, secretObject.Name, why);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Information, Message = "Serves with the certificate in Secret {Secret}, which ends at {Expires:u}")]
        public static partial void Taken(ILogger logger, string secret, DateTimeOffset expires);

        [LoggerMessage(Level = LogLevel.Error, Message = "The certificate in Secret {Secret} is not taken: {Why}")]
        public static partial void Refused(ILogger logger, string secret, string why);
    }
}
