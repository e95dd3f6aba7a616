using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Microsoft.Extensions.Logging;

namespace Fabrik.Kubernetes.Serving;

/// <summary>A certificate with its key, ready for handshakes. Connections keep the certificate they began with.</summary>
public sealed class ServingCertificate : IDisposable
{
    private readonly WatchedFiles? files;
    private volatile InUse? current;

    /// <summary>Without one until somebody gives it: <see cref="Use(string, string)"/>.</summary>
    public ServingCertificate()
    {
    }

    /// <summary>tls.crt and tls.key of a directory, as they are and as they change. Files that are not there yet are waited for: a Secret may be mounted before it is filled.</summary>
    /// <exception cref="CertificateException">What is there cannot be used.</exception>
    public ServingCertificate(string directory, TimeProvider clock, ILogger logger)
    {
        try
        {
            files = new WatchedFiles(
                [Path.Combine(directory, "tls.crt"), Path.Combine(directory, "tls.key")], content => Use(Encoding.UTF8.GetString(content[0]), Encoding.UTF8.GetString(content[1])), clock, logger,
                $"the certificate that is served with; {Names.Variables.TlsDirectory} names a directory with tls.crt and tls.key in PEM form");
        }
        catch (Exception e)
        {
            throw new CertificateException($"there is no usable certificate: {e.Message}; {Names.Variables.TlsDirectory} must name a directory with tls.crt and tls.key in PEM form", e);
        }
    }

    /// <summary>The same object until the certificate changes, so that TLS sessions can be resumed.</summary>
    /// <exception cref="AuthenticationException">There is none yet: the handshake fails.</exception>
    public SslServerAuthenticationOptions Current => current?.Options ?? throw new AuthenticationException("there is no certificate to serve with yet");

    /// <summary>When the leaf ends; null while there is none.</summary>
    public DateTimeOffset? Expires => current?.Expires;

    /// <summary>The leaf and what stands below it; null while there is none.</summary>
    public string? Pem => current?.Pem;

    /// <summary>For every handshake from now on.</summary>
    /// <exception cref="Exception">It cannot be used; the one before stays.</exception>
    public void Use(string pem, string key)
    {
        // Not disposed when replaced: open connections still hold them.
        var leaf = X509Certificate2.CreateFromPem(pem, key);
        var chain = new X509Certificate2Collection();
        chain.ImportFromPem(pem);
        var options = new SslServerAuthenticationOptions
        {
            ServerCertificateContext = SslStreamCertificateContext.Create(leaf, chain, offline: true),
            ApplicationProtocols = [SslApplicationProtocol.Http2, SslApplicationProtocol.Http11],
        };
        current = new InUse(options, new DateTimeOffset(leaf.NotAfter.ToUniversalTime()), pem);
    }

    public void Dispose() => files?.Dispose();

    private sealed record InUse(SslServerAuthenticationOptions Options, DateTimeOffset Expires, string Pem);
}
