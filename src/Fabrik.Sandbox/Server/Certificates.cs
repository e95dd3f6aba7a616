using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Fabrik.Sandbox.Server;

/// <summary>A certificate authority made at start and the serving certificate for this machine's loopback names.</summary>
public static class Certificates
{
    public static (string CaPem, X509Certificate2 Serving) Make(TimeProvider clock)
    {
        var (caPem, certificatePem, keyPem) = MakePem(clock);
        using var serving = X509Certificate2.CreateFromPem(certificatePem, keyPem);
        // Through PKCS#12 the key becomes one that every platform's TLS accepts.
        return (caPem, X509CertificateLoader.LoadPkcs12(serving.Export(X509ContentType.Pkcs12), password: null));
    }

    /// <summary>The same as files hold them; the key is PKCS#8.</summary>
    /// <param name="address">Another one by which this machine is reached.</param>
    public static (string CaPem, string CertificatePem, string KeyPem) MakePem(TimeProvider clock, IPAddress? address = null)
    {
        // The client checks validity by the wall clock, which a simulated one may be far from.
        var now = clock.GetUtcNow() < TimeProvider.System.GetUtcNow() ? clock.GetUtcNow() : TimeProvider.System.GetUtcNow();
        var (from, until) = (now.AddDays(-1), TimeProvider.System.GetUtcNow().AddYears(10));
        using var caKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var caRequest = new CertificateRequest("CN=fabrik-sandbox-ca", caKey, HashAlgorithmName.SHA256);
        caRequest.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: true, pathLengthConstraint: 0, critical: true));
        caRequest.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign | X509KeyUsageFlags.DigitalSignature, critical: true));
        caRequest.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(caRequest.PublicKey, critical: false));
        using var ca = caRequest.CreateSelfSigned(from, until);

        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=fabrik-sandbox", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        names.AddDnsName("kubernetes.default.svc");
        names.AddIpAddress(IPAddress.Loopback);
        names.AddIpAddress(IPAddress.IPv6Loopback);
        if (address is not null) names.AddIpAddress(address);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: false, hasPathLengthConstraint: false, pathLengthConstraint: 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, critical: true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1")], critical: false));
        using var signed = request.Create(ca, from, until, RandomNumberGenerator.GetBytes(16));
        return (ca.ExportCertificatePem() + "\n", signed.ExportCertificatePem() + "\n", key.ExportPkcs8PrivateKeyPem() + "\n");
    }
}
