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

/// <summary>Who keeps the certificates.</summary>
/// <param name="Injects">What the registration's annotation has cert-manager take the caBundle from; null where Fabrik keeps it itself.</param>
/// <param name="Certificates">cert-manager's, of those that write the Secrets that Fabrik serves from; missing where the cluster does not serve them.</param>
public sealed record KeeperFacts(string? Injects, Reading<IReadOnlyList<JsonElement>> Certificates);

/// <param name="Bundle">Authorities of the registration's caBundle.</param>
/// <param name="Alike">Whether all entries have the same.</param>
/// <param name="Host">By which name the API server calls the webhook.</param>
public sealed record TlsFacts(Reading<JsonElement> Registration, Reading<IReadOnlyList<CertificateFacts>> Bundle, bool Alike, string Host, Reading<ServedCertificate> Served, KeeperFacts Keeper, DateTimeOffset Now);

/// <summary>Whether the API server can trust what the webhook presents. It does not say when it cannot: Jobs are simply created as they came.</summary>
public static class CertificateChecks
{
    private static readonly string Describe = $"kubectl -n {Names.SystemNamespace} describe certificates,certificaterequests";
    private static readonly TimeSpan Soon = TimeSpan.FromDays(14);

    public static readonly Category<TlsFacts> Category = new("webhook-tls",
    [
        new("FAB-3061", "the registration says whom to trust", facts => facts.Bundle.Judge(bundle => bundle.Count > 0
            ? Finding.Passed(bundle.Select(one => one.Subject).Few(2))
            : Finding.Failed("its caBundle is empty: the API server trusts no certificate of the webhook", Next(facts, $"the keeper of certificates writes it: kubectl -n {Names.SystemNamespace} logs deployment/{Names.Objects.Webhook}", $"cert-manager's cainjector writes it, when its Certificate is ready: {Describe}")),
            () => Finding.Failed($"there is no MutatingWebhookConfiguration {Names.Objects.WebhookConfiguration}", "fabrik install"), "fabrik install")),
        new("FAB-3062", "every entry says the same", facts => facts.Alike ? Finding.Passed() : Finding.Failed("entries of the registration have different caBundles: a rotation was cut off", "fabrik install")) { Needs = ["FAB-3061"] },
        new("FAB-3063", "the authority is valid", facts => facts.Bundle.Judge(bundle => bundle.All(one => one.NotAfter <= facts.Now || one.NotBefore > facts.Now)
            ? Finding.Failed($"none of {bundle.Count} is valid now; the last one was until {bundle.Max(one => one.NotAfter):u}", Renew(facts))
            : bundle.Max(one => one.NotAfter) - facts.Now < Soon ? Finding.Warning($"it is valid until {bundle.Max(one => one.NotAfter):u}", Renew(facts)) : Finding.Passed($"until {bundle.Max(one => one.NotAfter):yyyy-MM-dd}"))) { Needs = ["FAB-3061"] },
        new("FAB-3064", "the certificate that is served was issued by it", facts => facts.Served.Judge(served => served.Trusted is { } why
            ? Finding.Failed($"{served.Source}: {served.Certificate.Subject} is not trusted by the caBundle: {why}", "restart the webhook; if it stays so: fabrik install")
            : Finding.Passed(served.Source), () => Finding.Unproven(facts.Served.Why!))) { Needs = ["FAB-3061"] },
        new("FAB-3065", "it is valid", facts => facts.Served.Judge(served => served.Certificate.NotAfter <= facts.Now
            ? Finding.Failed($"it has expired at {served.Certificate.NotAfter:u}", Renew(facts))
            : served.Certificate.NotBefore > facts.Now
                ? Finding.Failed($"it is valid only from {served.Certificate.NotBefore:u}: look at the clocks", "fabrik check --category clock")
                : served.Certificate.NotAfter - facts.Now < Soon ? Finding.Warning($"it expires at {served.Certificate.NotAfter:u}", Renew(facts)) : Finding.Passed($"until {served.Certificate.NotAfter:yyyy-MM-dd}"), () => Finding.Unproven(facts.Served.Why!))) { Needs = ["FAB-3064"] },
        new("FAB-3066", "it is for the name by which the API server calls", facts => facts.Served.Judge(served => served.Certificate.Names.Contains(facts.Host, StringComparer.OrdinalIgnoreCase)
            ? Finding.Passed(facts.Host)
            : Finding.Failed($"it is for {served.Certificate.Names.Few()}, and the webhook is called {facts.Host}", "fabrik install"), () => Finding.Unproven(facts.Served.Why!))) { Needs = ["FAB-3064"] },
        new("FAB-3067", "it is renewed in time", facts => facts.Served.Judge(served =>
        {
            var (from, to) = (served.Certificate.NotBefore, served.Certificate.NotAfter);
            return (facts.Now - from) / (to - from) > 0.75 ? Finding.Warning($"three quarters of its time are over, and {(facts.Keeper.Injects is null ? "the keeper" : "cert-manager")} renews at two thirds: it does not work", Next(facts, $"kubectl -n {Names.SystemNamespace} get lease {Names.Objects.Webhook} -o yaml", Describe)) : Finding.Passed($"{(to - facts.Now).TotalDays:0} days left");
        }, () => Finding.Unproven(facts.Served.Why!))) { Needs = ["FAB-3065"] },
        new("FAB-3068", "one keeper has it, and can", facts => facts.Registration.Judge(_ => facts.Keeper.Injects is { } from ? ByCertManager(facts.Keeper.Certificates, from) : facts.Keeper.Certificates switch
        {
            { IsRead: true, Value: { Count: > 0 } others } => Finding.Failed(
                $"Fabrik's own keeper and cert-manager's {others.Select(Fields.Name).Few()} write the same Secrets, as the registration has no annotation {Names.Annotations.InjectFrom}", "say who is to: fabrik upgrade --certificates cert-manager, or --certificates own"),
            { State: ReadState.Forbidden or ReadState.Broken } => Finding.Unproven(facts.Keeper.Certificates.Why!),
            _ => Finding.Passed($"Fabrik's own, with Lease {Names.Objects.CertificateKeeper}"),
        })) { Needs = ["FAB-3061"] },
    ])
    { Needs = [AccessChecks.Answers], Phase = CheckPhase.After };

    private static Finding ByCertManager(Reading<IReadOnlyList<JsonElement>> found, string from)
    {
        if (found.State == ReadState.Missing) return Finding.Failed($"the registration is cert-manager's to fill, from {from}, and the cluster does not serve its Certificates", "install cert-manager again, or: fabrik upgrade --certificates own");
        if (!found.IsRead) return Finding.Unproven(found.Why!);
        if (found.Value.FirstOrDefault(one => !one.Holds("Ready")) is { ValueKind: JsonValueKind.Object } open)
            return Finding.Failed($"cert-manager's Certificate {open.Name()} is not ready: {open.Condition("Ready")?.Text("message") ?? "it does not say why"}", Describe);
        return found.Value.Count > 0 ? Finding.Passed($"cert-manager, with {found.Value.Select(Fields.Name).Few()}") : Finding.Warning($"the caBundle comes from {from}, and no Certificate in {Names.SystemNamespace} writes what is served", "docs/certificates.md");
    }

    private static string Renew(TlsFacts facts) => Next(facts, "renew it now: fabrik upgrade; without the keeper: fabrik install", $"cert-manager renews it: {Describe}");

    private static string Next(TlsFacts facts, string own, string certManager) => facts.Keeper.Injects is null ? own : certManager;
}
