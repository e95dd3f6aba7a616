using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Fabrik.Certificates;
using Fabrik.Checks;
using Fabrik.Cli.Installing;
using Fabrik.Kubernetes;
using Fabrik.Tests.Manifests;
using static Fabrik.Certificates.CertificatePlan;

namespace Fabrik.Tests.Installation;

/// <summary>
/// cert-manager as a cluster sees it: its two kinds, issuers that sign themselves or have an authority in a Secret, Certificates whose Secrets it fills by server-side apply and renews, conditions,
/// and the caBundle of what asks for it by annotation. It deletes no Secret.
/// </summary>
internal sealed class PlayedCertManager : IAsyncDisposable
{
    public const string Refusal = "The certificate request has failed to complete and will be retried: the signer is on holiday";
    private const string CertificateName = Names.Annotations.CertificateName, IssuerName = "cert-manager.io/issuer-name";
    private readonly KubernetesClient client;
    private readonly bool works;
    private readonly CancellationTokenSource stopping = new();
    private readonly ConcurrentDictionary<string, bool> asked = new(StringComparer.Ordinal);
    private readonly Task playing;

    private PlayedCertManager(KubernetesClient client, bool works)
    {
        (this.client, this.works) = (client, works);
        playing = PlayAsync();
    }

    /// <param name="works">False: its controller takes note of everything and makes nothing.</param>
    public static async Task<PlayedCertManager> StartAsync(InstalledCluster cluster, bool works = true)
    {
        await ForeignKinds.DefineAsync(cluster.Client, Kinds.Issuer, Schema("""{"selfSigned":{"type":"object"},"ca":{"type":"object","required":["secretName"],"properties":{"secretName":{"type":"string"}}}}"""));
        await ForeignKinds.DefineAsync(cluster.Client, Kinds.Certificate, Schema("""
            {"secretName":{"type":"string"},"secretTemplate":{"type":"object","properties":{"labels":{"type":"object","additionalProperties":{"type":"string"}},"annotations":{"type":"object","additionalProperties":{"type":"string"}}}},
             "isCA":{"type":"boolean"},"commonName":{"type":"string"},"duration":{"type":"string"},"renewBefore":{"type":"string"},"dnsNames":{"type":"array","items":{"type":"string"}},
             "privateKey":{"type":"object","properties":{"algorithm":{"type":"string","enum":["RSA","ECDSA","Ed25519"]},"encoding":{"type":"string","enum":["PKCS1","PKCS8"]},"rotationPolicy":{"type":"string","enum":["Never","Always"]},"size":{"type":"integer"}}},
             "usages":{"type":"array","items":{"type":"string","enum":["signing","digital signature","content commitment","key encipherment","key agreement","data encipherment","cert sign","crl sign","server auth","client auth"]}},
             "issuerRef":{"type":"object","required":["name"],"properties":{"group":{"type":"string"},"kind":{"type":"string"},"name":{"type":"string"}}}}
            """, "secretName", "issuerRef"));
        return new PlayedCertManager(cluster.Connect(), works);
    }

    /// <summary>As when its time has come; an authority keeps its key, as its policy says.</summary>
    public Task RenewAsync(string certificate)
    {
        asked[certificate] = true;
        return Wait.UntilAsync($"Certificate {certificate} to be renewed", () => Task.FromResult(!asked.ContainsKey(certificate)));
    }

    public async ValueTask DisposeAsync()
    {
        await stopping.CancelAsync();
        await playing;
        foreach (var kind in (ResourceKind[])[Kinds.Certificate, Kinds.Issuer]) await client.DeleteAsync(Kinds.CustomResourceDefinition, null, $"{kind.Plural}.{kind.Group}", default);
        client.Dispose();
        stopping.Dispose();
    }

    private async Task PlayAsync()
    {
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                await foreach (var issuer in client.ListAsync(Kinds.Issuer, null, stopping.Token)) await IssuerAsync(issuer);
                await foreach (var certificate in client.ListAsync(Kinds.Certificate, null, stopping.Token)) await CertificateAsync(certificate);
                await foreach (var registration in client.ListAsync(Kinds.MutatingWebhookConfiguration, null, stopping.Token)) await InjectAsync(registration);
                await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, stopping.Token);
            }
            catch (KubernetesException e) when (e.IsConflict || e.IsNotFound)
            {
                // Somebody wrote or deleted in between.
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                // Asked to stop.
            }
        }
    }

    private async Task IssuerAsync(KubeObject issuer)
    {
        var authority = issuer.Json.Text("spec", "ca", "secretName") is { } name ? await client.FindAsync(Kinds.Secret, issuer.Namespace, name, default) : null;
        var able = works && (issuer.Json.At("spec", "ca").ValueKind == System.Text.Json.JsonValueKind.Undefined || authority?.Data(Keys.Leaf) is not null);
        await ReadyAsync(Kinds.Issuer, issuer, able, able ? "Signing CA verified" : "Error getting keypair for CA issuer: no data for \"tls.crt\" in secret");
    }

    private async Task CertificateAsync(KubeObject certificate)
    {
        var (spec, ns) = (certificate.Json.At("spec"), certificate.Namespace!);
        var issuer = await client.FindAsync(Kinds.Issuer, ns, spec.Text("issuerRef", "name")!, default);
        if (!works || issuer is null || !issuer.Json.Holds("Ready"))
        {
            await ReadyAsync(Kinds.Certificate, certificate, false, works ? "Issuing certificate as Secret does not contain a certificate" : Refusal);
            return;
        }

        var secret = await client.FindAsync(Kinds.Secret, ns, spec.Text("secretName")!, default);
        var good = secret?.Data(Keys.Leaf) is not null && secret.Data(Keys.Authority) is not null && CertificateText.Fits(secret.Data(Keys.Leaf), secret.Data(Keys.LeafKey))
            && secret.Annotation(CertificateName) == certificate.Name && secret.Annotation(IssuerName) == issuer.Name;
        if (!good || asked.ContainsKey(certificate.Name)) await IssueAsync(certificate, issuer, secret);
        asked.TryRemove(certificate.Name, out _);
        await ReadyAsync(Kinds.Certificate, certificate, true, "Certificate is up to date and has not expired");
    }

    private async Task IssueAsync(KubeObject certificate, KubeObject issuer, KubeObject? secret)
    {
        var (spec, ns, now) = (certificate.Json.At("spec"), certificate.Namespace!, TimeProvider.System.GetUtcNow());
        var (made, authority) = ((IssuedCertificate?)null, "");
        if (issuer.Json.Text("spec", "ca", "secretName") is { } name)
        {
            var signing = await client.GetAsync(Kinds.Secret, ns, name, default);
            authority = signing.Data(Keys.Leaf)!;
            made = Issuing.Leaf(new IssuedCertificate(authority, signing.Data(Keys.LeafKey)!), [.. spec.List("dnsNames").Select(one => one.GetString()!)], now, CertificateTimes.Default);
        }
        else
        {
            made = Root(spec.Text("commonName")!, spec.Text("privateKey", "rotationPolicy") == "Never" && secret?.Annotation(CertificateName) == certificate.Name ? secret.Data(Keys.LeafKey) : null, now);
            authority = made.Certificate;
        }

        var labels = new JsonObject { ["controller.cert-manager.io/fao"] = "true" };
        foreach (var label in spec.At("secretTemplate", "labels") is { ValueKind: System.Text.Json.JsonValueKind.Object } template ? template.EnumerateObject().ToList() : []) labels[label.Name] = label.Value.GetString();
        await client.PatchAsync(Kinds.Secret, ns, spec.Text("secretName")!, PatchType.Apply, new JsonObject
        {
            ["apiVersion"] = "v1",
            ["kind"] = "Secret",
            ["metadata"] = new JsonObject { ["name"] = spec.Text("secretName"), ["labels"] = labels, ["annotations"] = new JsonObject { [CertificateName] = certificate.Name, [IssuerName] = issuer.Name } },
            ["type"] = secret?.Json.Text("type") ?? "kubernetes.io/tls",
            ["data"] = new JsonObject { [Keys.Leaf] = Objects.Base64(made.Certificate), [Keys.LeafKey] = Objects.Base64(made.Key), [Keys.Authority] = Objects.Base64(authority) },
        }, default, new WriteOptions { FieldManager = "cert-manager-certificates-issuing", Force = true });
    }

    /// <param name="pem">The key that is kept; null: a new one.</param>
    private static IssuedCertificate Root(string name, string? pem, DateTimeOffset now)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        if (pem is not null) key.ImportFromPem(pem);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: false, pathLengthConstraint: 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, critical: true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
        using var made = request.CreateSelfSigned(now, now.AddHours(87600));
        return new IssuedCertificate(made.ExportCertificatePem() + "\n", key.ExportPkcs8PrivateKeyPem() + "\n");
    }

    /// <summary>As its cainjector, which takes no Secret that the Certificate has not written.</summary>
    private async Task InjectAsync(KubeObject registration)
    {
        if (registration.Annotation(Names.Annotations.InjectFrom)?.Split('/') is not [var ns, var name]) return;
        if (await client.FindAsync(Kinds.Certificate, ns, name, default) is not { } certificate) return;
        var secret = await client.FindAsync(Kinds.Secret, ns, certificate.Json.Text("spec", "secretName")!, default);
        if (secret?.Annotation(CertificateName) != name || secret.Data(Keys.Authority) is not { } authority || registration.Bundles().All(bundle => bundle == authority)) return;
        var node = registration.ToNode();
        foreach (var entry in node["webhooks"]!.AsArray()) entry!["clientConfig"]!["caBundle"] = Objects.Base64(authority);
        await client.ReplaceAsync(Kinds.MutatingWebhookConfiguration, null, registration.Name, node, default, new WriteOptions { FieldManager = "cainjector" });
    }

    private async Task ReadyAsync(ResourceKind kind, KubeObject item, bool ready, string message)
    {
        var generation = item.Json.Whole("metadata", "generation") ?? 0;
        if (item.Json.Condition("Ready") is { } now && now.Text("status") == (ready ? "True" : "False") && now.Whole("observedGeneration") == generation) return;
        var condition = new JsonObject { ["type"] = "Ready", ["status"] = ready ? "True" : "False", ["reason"] = ready ? "Ready" : "Failed", ["message"] = message, ["observedGeneration"] = generation };
        await client.PatchAsync(kind, item.Namespace, item.Name, PatchType.Merge, new JsonObject { ["status"] = new JsonObject { ["conditions"] = new JsonArray(condition) } }, default, new WriteOptions { FieldManager = "cert-manager", Subresource = "status" });
    }

    private static JsonObject Schema(string spec, params string[] required) => JsonNode.Parse($$$"""
        {"type":"object","required":["spec"],"properties":{"apiVersion":{"type":"string"},"kind":{"type":"string"},"metadata":{"type":"object"},
         "spec":{"type":"object","required":[{{{string.Join(',', required.Select(one => $"\"{one}\""))}}}],"properties":{{{spec}}} },
         "status":{"type":"object","x-kubernetes-preserve-unknown-fields":true} } }
        """)!.AsObject();
}
