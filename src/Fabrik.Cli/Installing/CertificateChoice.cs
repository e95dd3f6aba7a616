using Fabrik.Installation;
using Fabrik.Kubernetes;
using static Fabrik.Certificates.CertificatePlan;

namespace Fabrik.Cli.Installing;

/// <summary>What a cluster says of who keeps Fabrik's certificates.</summary>
/// <param name="Served">Whether it has cert-manager's kinds.</param>
/// <param name="Injects">What the registration's annotation names, such as fabrik-system/fabrik-webhook; null where it has none.</param>
/// <param name="Begun">Fabrik's Certificate is there, perhaps without the annotation yet.</param>
/// <param name="Authority">There is an authority of Fabrik's own.</param>
/// <param name="Registered">Jobs are sent to the webhook.</param>
internal sealed record CertificateFindings(bool Served, string? Injects, bool Begun, bool Authority, bool Registered)
{
    public static async Task<CertificateFindings> ReadAsync(KubernetesClient cluster, CancellationToken ct)
    {
        var served = await Discovery.FindAsync(cluster, Kinds.Certificate.ApiVersion, Kinds.Certificate.Kind, ct) is not null && await Discovery.FindAsync(cluster, Kinds.Issuer.ApiVersion, Kinds.Issuer.Kind, ct) is not null;
        var registration = await FindAsync(Kinds.MutatingWebhookConfiguration, null, Names.Objects.WebhookConfiguration);
        return new CertificateFindings(
            served, registration?.Annotation(Names.Annotations.InjectFrom) ?? registration?.Annotation(Names.Annotations.InjectFromSecret),
            served && await FindAsync(Kinds.Certificate, Names.SystemNamespace, Names.Objects.WebhookCertificate) is not null,
            (await FindAsync(Kinds.Secret, Names.SystemNamespace, Names.Objects.AuthoritySecret))?.Data(Keys.Authority) is not null, registration is not null);

        async Task<KubeObject?> FindAsync(ResourceKind kind, string? ns, string name)
        {
            try
            {
                return await cluster.FindAsync(kind, ns, name, ct);
            }
            catch (KubernetesException e) when (e.IsForbidden)
            {
                // Whoever may not read this may not install either, and is told so with everything else that is missing.
                return null;
            }
        }
    }
}

/// <summary>Who is to keep the certificates. Nobody is changed unless he is named.</summary>
/// <param name="Keeper">Fabrik itself, or cert-manager: <see cref="InstallSettings.Own"/>, <see cref="InstallSettings.CertManager"/>.</param>
internal sealed record CertificateChoice(string Keeper, CertificateFindings Found)
{
    public const string Certificate = $"{Names.SystemNamespace}/{Names.Objects.WebhookCertificate}";

    /// <param name="asked">As the settings say it.</param>
    public static CertificateChoice Of(string asked, CertificateFindings found)
    {
        if (asked != InstallSettings.Auto) return new CertificateChoice(asked, found);
        if (found.Injects is not null || found.Begun) return new CertificateChoice(InstallSettings.CertManager, found);
        return new CertificateChoice(found.Served && !found.Authority ? InstallSettings.CertManager : InstallSettings.Own, found);
    }

    public bool IsCertManager => Keeper == InstallSettings.CertManager;

    /// <summary>The annotation names something that is not of these manifests: who wrote it keeps it.</summary>
    public bool Foreign => IsCertManager && Found.Injects is not null and not Certificate;

    /// <summary>Certificates under an authority of Fabrik's own are served, and cert-manager is to follow it.</summary>
    public bool MovesToCertManager => IsCertManager && Found is { Authority: true, Injects: null, Registered: true };

    /// <summary>cert-manager has written here, and is to write no more.</summary>
    public bool MovesToOwn => !IsCertManager && (Found.Begun || Found.Injects is not null);
}
