using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Fabrik.Certificates;

/// <summary>One certificate as a value.</summary>
/// <param name="Pem">As it is written by Fabrik: one block and a line feed.</param>
/// <param name="Print">SHA-256 over the whole, in hexadecimal.</param>
public sealed record CertificateFacts(string Pem, string Print, DateTimeOffset From, DateTimeOffset Until, bool IsAuthority, bool ForServers, ImmutableArray<string> Names)
{
    /// <summary>When two thirds of its life have passed.</summary>
    public DateTimeOffset Due => Until - ((Until - From) / 3);
}

/// <summary>PEM from Secrets and caBundles: foreign text, so whatever cannot be read is no certificate.</summary>
public static class CertificateText
{
    /// <summary>What a Secret may hold at most.</summary>
    private const int Longest = 1024 * 1024;
    private const string ServerUse = "1.3.6.1.5.5.7.3.1";

    /// <summary>All certificates of a text, in its order; none where one of them cannot be read.</summary>
    public static ImmutableArray<CertificateFacts> Read(string? pem)
    {
        if (string.IsNullOrWhiteSpace(pem) || pem.Length > Longest) return [];
        var found = new X509Certificate2Collection();
        try
        {
            found.ImportFromPem(pem);
            return [.. found.Select(Facts)];
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            return [];
        }
        finally
        {
            foreach (var one in found) one.Dispose();
        }
    }

    /// <summary>Whether the key belongs to the first certificate.</summary>
    public static bool Fits(string? certificate, string? key)
    {
        if (string.IsNullOrWhiteSpace(certificate) || string.IsNullOrWhiteSpace(key) || certificate.Length > Longest || key.Length > Longest) return false;
        try
        {
            using var both = X509Certificate2.CreateFromPem(certificate, key);
            return both.HasPrivateKey;
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            return false;
        }
    }

    /// <summary>Whether the first certificate of a chain leads to one of the bundle, whatever the time: clocks are judged elsewhere.</summary>
    public static bool IsUnder(string? chain, string? bundle)
    {
        if (string.IsNullOrWhiteSpace(chain) || string.IsNullOrWhiteSpace(bundle) || chain.Length > Longest || bundle.Length > Longest) return false;
        var (own, roots) = (new X509Certificate2Collection(), new X509Certificate2Collection());
        try
        {
            own.ImportFromPem(chain);
            roots.ImportFromPem(bundle);
            if (own.Count == 0 || roots.Count == 0) return false;
            using var path = new X509Chain();
            var policy = path.ChainPolicy;
            (policy.TrustMode, policy.RevocationMode, policy.DisableCertificateDownloads) = (X509ChainTrustMode.CustomRootTrust, X509RevocationMode.NoCheck, true);
            policy.VerificationFlags = X509VerificationFlags.IgnoreNotTimeValid;
            policy.CustomTrustStore.AddRange(roots);
            policy.ExtraStore.AddRange(own);
            var holds = path.Build(own[0]);
            foreach (var element in path.ChainElements) element.Certificate.Dispose();
            return holds;
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            return false;
        }
        finally
        {
            foreach (var one in own.Concat(roots)) one.Dispose();
        }
    }

    private static CertificateFacts Facts(X509Certificate2 from) => new(
        from.ExportCertificatePem() + "\n",
        from.GetCertHashString(HashAlgorithmName.SHA256),
        new DateTimeOffset(from.NotBefore.ToUniversalTime()),
        new DateTimeOffset(from.NotAfter.ToUniversalTime()),
        from.Extensions.OfType<X509BasicConstraintsExtension>().Any(constraints => constraints.CertificateAuthority),
        !from.Extensions.OfType<X509EnhancedKeyUsageExtension>().Any() || from.Extensions.OfType<X509EnhancedKeyUsageExtension>().Any(use => use.EnhancedKeyUsages[ServerUse] is not null),
        [.. from.Extensions.OfType<X509SubjectAlternativeNameExtension>().SelectMany(names => names.EnumerateDnsNames())]);
}
