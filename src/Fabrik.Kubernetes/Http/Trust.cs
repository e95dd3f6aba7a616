using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Fabrik.Kubernetes.Configuration;

namespace Fabrik.Kubernetes.Http;

/// <summary>Whether a server certificate was issued by the cluster's own authority. The host name is always verified.</summary>
internal sealed class Trust(ClusterConfig config)
{
    private static readonly Oid ServerAuthentication = new("1.3.6.1.5.5.7.3.1");
    private readonly Lock gate = new();
    private X509Certificate2Collection? anchors;
    private DateTime written;

    /// <summary>Why the last certificate was refused: the exception of a failed handshake does not say.</summary>
    public string? Refusal { get; private set; }

    public bool Verify(X509Certificate? certificate, X509Chain? received, SslPolicyErrors errors)
    {
        try
        {
            Refusal = Problem(certificate, received, errors);
        }
        catch (Exception e) when (e is KubeconfigException or CryptographicException or IOException or UnauthorizedAccessException)
        {
            Refusal = $"the cluster's certificate authority cannot be read: {e.Message.TrimEnd('.')}";
        }

        return Refusal is null;
    }

    private string? Problem(X509Certificate? certificate, X509Chain? received, SslPolicyErrors errors)
    {
        if (config.InsecureSkipTlsVerify) return null;
        if (certificate is not X509Certificate2 leaf) return "the server presented no certificate";
        if (errors.HasFlag(SslPolicyErrors.RemoteCertificateNameMismatch))
            return $"the certificate is for {Names(leaf)}, not for {config.TlsServerName ?? config.Server.Host} (tls-server-name can name another)";
        if ((config.CertificateAuthority ?? config.CertificateAuthorityFile) is null)
            return errors == SslPolicyErrors.None ? null : $"no authority known to this machine issued {leaf.Subject}; give the cluster's with certificate-authority-data";

        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.ApplicationPolicy.Add(ServerAuthentication);
        // An anchor need not be self-signed; that one of them is in the chain is checked below.
        chain.ChainPolicy.VerificationFlags = X509VerificationFlags.AllowUnknownCertificateAuthority;
        var trusted = Anchors();
        chain.ChainPolicy.CustomTrustStore.AddRange(trusted);
        chain.ChainPolicy.ExtraStore.AddRange(trusted);
        if (received is not null) chain.ChainPolicy.ExtraStore.AddRange(received.ChainPolicy.ExtraStore);
        if (!chain.Build(leaf)) return $"the certificate of {leaf.Subject} is not valid: {string.Join("; ", chain.ChainStatus.Select(status => status.StatusInformation.Trim()).Distinct(StringComparer.Ordinal))}";
        return chain.ChainElements.Any(element => trusted.Any(anchor => anchor.RawDataMemory.Span.SequenceEqual(element.Certificate.RawDataMemory.Span)))
            ? null
            : $"{leaf.Subject} was not issued by the cluster's certificate authority ({string.Join(", ", trusted.Select(anchor => anchor.Subject).Take(3))})";
    }

    private X509Certificate2Collection Anchors()
    {
        lock (gate)
        {
            var changed = config.CertificateAuthority is null ? File.GetLastWriteTimeUtc(config.CertificateAuthorityFile!) : default;
            if (anchors is not null && changed == written) return anchors;
            var found = new X509Certificate2Collection();
            try
            {
                found.ImportFromPem(config.CertificateAuthority ?? BoundedFile.Text(config.CertificateAuthorityFile!));
            }
            catch (Exception e) when (anchors is not null && e is IOException or CryptographicException or UnauthorizedAccessException)
            {
                return anchors; // in the middle of a rotation
            }

            if (found.Count == 0) throw new KubeconfigException($"The certificate authority {config.CertificateAuthorityFile ?? "of the configuration"} has no PEM certificate.");
            written = changed;
            return anchors = found;
        }
    }

    private static string Names(X509Certificate2 leaf)
    {
        var names = leaf.Extensions.OfType<X509SubjectAlternativeNameExtension>().SelectMany(extension =>
            extension.EnumerateDnsNames().Concat(extension.EnumerateIPAddresses().Select(address => address.ToString()))).Take(8).ToList();
        return names.Count > 0 ? string.Join(", ", names) : leaf.Subject;
    }
}
