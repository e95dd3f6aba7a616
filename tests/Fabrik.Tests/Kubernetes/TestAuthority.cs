using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Fabrik.Tests.Kubernetes;

/// <summary>A certificate authority for one test.</summary>
public sealed class TestAuthority
{
    // Certificates are checked against the machine's clock, so their times are around it.
    private readonly DateTimeOffset now = TimeProvider.System.GetUtcNow();
    private readonly X509Certificate2 certificate;

    public TestAuthority(string name, TestAuthority? parent = null)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, false));
        if (parent is null)
        {
            certificate = request.CreateSelfSigned(now.AddDays(-3), now.AddDays(1));
        }
        else
        {
            using var signed = request.Create(parent.certificate, now.AddDays(-2), now.AddHours(20), RandomNumberGenerator.GetBytes(8));
            certificate = signed.CopyWithPrivateKey(key);
        }
    }

    public string Pem => certificate.ExportCertificatePem();

    /// <summary>A leaf with its key, as PEM and loaded.</summary>
    public (X509Certificate2 Certificate, string Pem, string Key) Issue(string name, bool forServer = true, int fromDays = 0, int toHours = 10, params string[] dns)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(forServer ? "1.3.6.1.5.5.7.3.1" : "1.3.6.1.5.5.7.3.2")], false));
        var names = new SubjectAlternativeNameBuilder();
        foreach (var one in dns)
        {
            if (IPAddress.TryParse(one, out var address)) names.AddIpAddress(address);
            else names.AddDnsName(one);
        }

        if (dns.Length > 0) request.CertificateExtensions.Add(names.Build());
        using var signed = request.Create(certificate, now.AddDays(fromDays).AddMinutes(-1), now.AddHours(toHours), RandomNumberGenerator.GetBytes(8));
        using var whole = signed.CopyWithPrivateKey(key);
        return (X509CertificateLoader.LoadPkcs12(whole.Export(X509ContentType.Pkcs12), null), signed.ExportCertificatePem(), key.ExportPkcs8PrivateKeyPem());
    }
}
