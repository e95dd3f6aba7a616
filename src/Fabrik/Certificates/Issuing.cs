using System.Collections.Immutable;
using System.Globalization;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Fabrik.Certificates;

/// <summary>A certificate and its private key, both PEM; the key is PKCS#8.</summary>
public sealed record IssuedCertificate(string Certificate, string Key);

/// <summary>Makes certificates: ECDSA on P-256, which every TLS client takes.</summary>
public static class Issuing
{
    /// <summary>All names under which Pods and API servers reach a Service, and the one of a port-forward.</summary>
    public static ImmutableArray<string> NamesOf(string service, string ns) => [service, $"{service}.{ns}", $"{service}.{ns}.svc", $"{service}.{ns}.svc.cluster.local", "localhost"];

    public static IssuedCertificate Authority(DateTimeOffset now, CertificateTimes times)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        // Two authorities are trusted side by side while one replaces the other: they differ by name.
        var name = string.Create(CultureInfo.InvariantCulture, $"CN=fabrik-ca {now.UtcDateTime:yyyy-MM-dd} {RandomNumberGenerator.GetHexString(8, lowercase: true)}");
        var request = new CertificateRequest(name, key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: true, pathLengthConstraint: 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, critical: true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
        using var made = request.CreateSelfSigned(now - CertificateTimes.Before(times.AuthorityLife), now + times.AuthorityLife);
        return new IssuedCertificate(made.ExportCertificatePem() + "\n", key.ExportPkcs8PrivateKeyPem() + "\n");
    }

    /// <param name="names">DNS names it is valid for, the first also its subject.</param>
    /// <exception cref="CryptographicException">The authority cannot sign.</exception>
    public static IssuedCertificate Leaf(IssuedCertificate authority, IReadOnlyList<string> names, DateTimeOffset now, CertificateTimes times)
    {
        using var issuer = X509Certificate2.CreateFromPem(authority.Certificate, authority.Key);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={names[0]}", key, HashAlgorithmName.SHA256);
        var alternatives = new SubjectAlternativeNameBuilder();
        foreach (var name in names) alternatives.AddDnsName(name);
        request.CertificateExtensions.Add(alternatives.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: false, hasPathLengthConstraint: false, pathLengthConstraint: 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, critical: true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1")], critical: false));
        request.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromCertificate(issuer, includeKeyIdentifier: true, includeIssuerAndSerial: false));
        var (first, last) = (new DateTimeOffset(issuer.NotBefore.ToUniversalTime()), new DateTimeOffset(issuer.NotAfter.ToUniversalTime()));
        var (from, until) = (now - CertificateTimes.Before(times.LeafLife), now + times.LeafLife);
        using var made = request.Create(issuer, from < first ? first : from, until > last ? last : until, Serial());
        return new IssuedCertificate(made.ExportCertificatePem() + "\n", key.ExportPkcs8PrivateKeyPem() + "\n");
    }

    private static byte[] Serial()
    {
        var serial = RandomNumberGenerator.GetBytes(16);
        serial[0] = (byte)(serial[0] & 0x7f | 0x40); // positive, and of full length
        return serial;
    }
}
