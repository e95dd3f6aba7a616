using System.Text.Json;

namespace Fabrik.Checks;

/// <summary>A certificate's facts.</summary>
/// <param name="Subject">As OpenSSL writes it.</param>
/// <param name="Names">DNS names and addresses it is for.</param>
public sealed record CertificateFacts(string Subject, DateTimeOffset NotBefore, DateTimeOffset NotAfter, IReadOnlyList<string> Names);

/// <summary>The certificate that the webhook serves.</summary>
/// <param name="Source">Where it was seen: presented by the server, or in the Secret.</param>
/// <param name="Trusted">Null: an authority of the caBundle issued it; else why not.</param>
public sealed record ServedCertificate(CertificateFacts Certificate, string Source, string? Trusted);

/// <param name="Bundle">Authorities of the registration's caBundle.</param>
/// <param name="Alike">Whether all entries have the same.</param>
/// <param name="Host">By which name the API server calls the webhook.</param>
public sealed record TlsFacts(Reading<JsonElement> Registration, Reading<IReadOnlyList<CertificateFacts>> Bundle, bool Alike, string Host, Reading<ServedCertificate> Served, DateTimeOffset Now);

/// <summary>Whether the API server can trust what the webhook presents. It does not say when it cannot: Jobs are simply created as they came.</summary>
public static class CertificateChecks
{
    private const string Expiring = "renew it now: fabrik upgrade; without the keeper: fabrik install";
    private static readonly TimeSpan Soon = TimeSpan.FromDays(14);

    public static readonly Category<TlsFacts> Category = new("webhook-tls",
    [
        new("FAB-3061", "the registration says whom to trust", facts => facts.Bundle.Judge(bundle => bundle.Count > 0
            ? Finding.Passed(bundle.Select(one => one.Subject).Few(2))
            : Finding.Failed("its caBundle is empty: the API server trusts no certificate of the webhook", $"the keeper of certificates writes it: kubectl -n {Names.SystemNamespace} logs deployment/{Names.Objects.Webhook}"),
            () => Finding.Failed($"there is no MutatingWebhookConfiguration {Names.Objects.WebhookConfiguration}", "fabrik install"), "fabrik install")),
        new("FAB-3062", "every entry says the same", facts => facts.Alike ? Finding.Passed() : Finding.Failed("entries of the registration have different caBundles: a rotation was cut off", "fabrik install")) { Needs = ["FAB-3061"] },
        new("FAB-3063", "the authority is valid", facts => facts.Bundle.Judge(bundle => bundle.All(one => one.NotAfter <= facts.Now || one.NotBefore > facts.Now)
            ? Finding.Failed($"none of {bundle.Count} is valid now; the last one was until {bundle.Max(one => one.NotAfter):u}", Expiring)
            : bundle.Max(one => one.NotAfter) - facts.Now < Soon ? Finding.Warning($"it is valid until {bundle.Max(one => one.NotAfter):u}", Expiring) : Finding.Passed($"until {bundle.Max(one => one.NotAfter):yyyy-MM-dd}"))) { Needs = ["FAB-3061"] },
        new("FAB-3064", "the certificate that is served was issued by it", facts => facts.Served.Judge(served => served.Trusted is { } why
            ? Finding.Failed($"{served.Source}: {served.Certificate.Subject} is not trusted by the caBundle: {why}", "restart the webhook; if it stays so: fabrik install")
            : Finding.Passed(served.Source), () => Finding.Unproven(facts.Served.Why!))) { Needs = ["FAB-3061"] },
        new("FAB-3065", "it is valid", facts => facts.Served.Judge(served => served.Certificate.NotAfter <= facts.Now
            ? Finding.Failed($"it has expired at {served.Certificate.NotAfter:u}", Expiring)
            : served.Certificate.NotBefore > facts.Now
                ? Finding.Failed($"it is valid only from {served.Certificate.NotBefore:u}: look at the clocks", "fabrik check --category clock")
                : served.Certificate.NotAfter - facts.Now < Soon ? Finding.Warning($"it expires at {served.Certificate.NotAfter:u}", Expiring) : Finding.Passed($"until {served.Certificate.NotAfter:yyyy-MM-dd}"), () => Finding.Unproven(facts.Served.Why!))) { Needs = ["FAB-3064"] },
        new("FAB-3066", "it is for the name by which the API server calls", facts => facts.Served.Judge(served => served.Certificate.Names.Contains(facts.Host, StringComparer.OrdinalIgnoreCase)
            ? Finding.Passed(facts.Host)
            : Finding.Failed($"it is for {served.Certificate.Names.Few()}, and the webhook is called {facts.Host}", "fabrik install"), () => Finding.Unproven(facts.Served.Why!))) { Needs = ["FAB-3064"] },
        new("FAB-3067", "it is renewed in time", facts => facts.Served.Judge(served =>
        {
            var (from, to) = (served.Certificate.NotBefore, served.Certificate.NotAfter);
            return (facts.Now - from) / (to - from) > 0.75 ? Finding.Warning($"three quarters of its time are over, and the keeper renews at two thirds: it does not work", $"kubectl -n {Names.SystemNamespace} get lease {Names.Objects.Webhook} -o yaml") : Finding.Passed($"{(to - facts.Now).TotalDays:0} days left");
        }, () => Finding.Unproven(facts.Served.Why!))) { Needs = ["FAB-3065"] },
    ])
    { Needs = [AccessChecks.Answers], Phase = CheckPhase.After };
}
