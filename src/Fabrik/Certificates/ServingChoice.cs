namespace Fabrik.Certificates;

/// <summary>What one replica serves, by what it sees itself: the Secret and the webhook configuration may reach it in any order.</summary>
public static class ServingChoice
{
    /// <summary>Whether to change to what is offered: never from a certificate that callers can verify to one that they cannot.</summary>
    /// <param name="served">PEM; null where nothing is served yet.</param>
    /// <param name="registration">Null: it is not known whom callers trust.</param>
    public static bool Takes(string? served, string offered, Held? registration, DateTimeOffset now) =>
        served is null || registration is null || IsTrusted(offered, registration) || !IsTrusted(served, registration) || CertificateText.Read(served) is not [var first, ..] || first.Until <= now;

    /// <summary>Why callers could not verify what is served; null when they can.</summary>
    public static string? Problem(string served, Held? registration)
    {
        // Nobody is sent here yet: who installs registers the webhook when it is ready, and not before.
        if (registration is null) return null;
        foreach (var (entry, bundle) in registration.Data)
        {
            if (bundle.Length == 0) return $"entry {entry} of MutatingWebhookConfiguration {Names.Objects.WebhookConfiguration} has no caBundle yet";
            if (!CertificateText.IsUnder(served, bundle)) return $"the caBundle of entry {entry} of MutatingWebhookConfiguration {Names.Objects.WebhookConfiguration} does not hold the authority of the certificate that is served";
        }

        return null;
    }

    private static bool IsTrusted(string served, Held registration) => registration.Data.Values.All(bundle => CertificateText.IsUnder(served, bundle));
}
