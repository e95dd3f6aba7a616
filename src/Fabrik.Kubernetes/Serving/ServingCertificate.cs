using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Microsoft.Extensions.Logging;

namespace Fabrik.Kubernetes.Serving;

/// <summary>tls.crt and tls.key of a directory, ready for handshakes. Connections keep the certificate they began with.</summary>
public sealed class ServingCertificate : IDisposable
{
    private readonly WatchedFiles files;
    private volatile SslServerAuthenticationOptions? current;
    private DateTimeOffset expires;

    /// <exception cref="CertificateException">There is no usable certificate yet.</exception>
    public ServingCertificate(string directory, TimeProvider clock, ILogger logger)
    {
        try
        {
            files = new WatchedFiles([Path.Combine(directory, "tls.crt"), Path.Combine(directory, "tls.key")], Use, clock, logger);
        }
        catch (Exception e)
        {
            throw new CertificateException($"there is no usable certificate: {e.Message}; {Names.Variables.TlsDirectory} must name a directory with tls.crt and tls.key in PEM form", e);
        }
    }

    /// <summary>The same object until the certificate changes, so that TLS sessions can be resumed.</summary>
    public SslServerAuthenticationOptions Current => current!;

    /// <summary>When the leaf ends.</summary>
    public DateTimeOffset Expires => expires;

    public void Dispose() => files.Dispose();

    private void Use(byte[][] content)
    {
        var (pem, key) = (Encoding.UTF8.GetString(content[0]), Encoding.UTF8.GetString(content[1]));
        // Not disposed when replaced: open connections still hold them.
        var leaf = X509Certificate2.CreateFromPem(pem, key);
        var chain = new X509Certificate2Collection();
        chain.ImportFromPem(pem);
        current = new SslServerAuthenticationOptions
        {
            ServerCertificateContext = SslStreamCertificateContext.Create(leaf, chain, offline: true),
            ApplicationProtocols = [SslApplicationProtocol.Http2, SslApplicationProtocol.Http11],
        };
        expires = new DateTimeOffset(leaf.NotAfter.ToUniversalTime());
    }
}
