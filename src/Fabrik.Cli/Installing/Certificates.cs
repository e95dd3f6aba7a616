using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Fabrik.Cli.Installing;

/// <summary>The certificate authority of one installation and the certificates of its two servers, as PEM; keys are PKCS#8.</summary>
internal static class Certificates
{
    private static readonly TimeSpan AuthorityLife = TimeSpan.FromDays(3650), LeafLife = TimeSpan.FromDays(90);

    /// <summary>Clocks of nodes may be behind.</summary>
    private static readonly TimeSpan Skew = TimeSpan.FromHours(1);

    public static (string Certificate, string Key) Authority(DateTimeOffset now)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=fabrik-ca", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: true, pathLengthConstraint: 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, critical: true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
        using var made = request.CreateSelfSigned(now - Skew, now + AuthorityLife);
        return (made.ExportCertificatePem() + "\n", key.ExportPkcs8PrivateKeyPem() + "\n");
    }

    /// <summary>For a Service, and for whoever reaches it through a port of this machine.</summary>
    public static (string Certificate, string Key) Leaf(string service, string ns, string authorityPem, string authorityKey, DateTimeOffset now)
    {
        using var authority = X509Certificate2.CreateFromPem(authorityPem, authorityKey);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={service}.{ns}.svc", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        foreach (var name in (string[])[$"{service}.{ns}.svc", $"{service}.{ns}.svc.cluster.local", $"{service}.{ns}", service, "localhost"]) names.AddDnsName(name);
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: false, hasPathLengthConstraint: false, pathLengthConstraint: 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, critical: true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1")], critical: false));
        request.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromCertificate(authority, includeKeyIdentifier: true, includeIssuerAndSerial: false));
        var until = now + LeafLife < authority.NotAfter ? now + LeafLife : authority.NotAfter;
        using var signed = request.Create(authority, now - Skew, until, RandomNumberGenerator.GetBytes(16));
        return (signed.ExportCertificatePem() + "\n", key.ExportPkcs8PrivateKeyPem() + "\n");
    }

    /// <summary>Whether a certificate is from one of these authorities and ends later than the time given.</summary>
    public static bool IsFrom(string leafPem, string authoritiesPem, DateTimeOffset at)
    {
        try
        {
            using var leaf = X509Certificate2.CreateFromPem(leafPem);
            using var chain = new X509Chain();
            chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
            chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
            chain.ChainPolicy.CustomTrustStore.ImportFromPem(authoritiesPem);
            chain.ChainPolicy.VerificationTime = at.UtcDateTime;
            return chain.Build(leaf);
        }
        catch (CryptographicException)
        {
            return false;
        }
    }

    /// <summary>One line, as the files of keys have it.</summary>
    public static string RandomKey() => Convert.ToBase64String(RandomNumberGenerator.GetBytes(32)) + "\n";
}
