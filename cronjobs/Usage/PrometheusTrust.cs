using System.Net;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Fabrik.CronJobs.Usage;

/// <summary>Connections to Prometheus, and whose certificate they accept.</summary>
internal static class PrometheusTrust
{
    private static readonly Oid ServerAuthentication = new("1.3.6.1.5.5.7.3.1");

    public static SocketsHttpHandler Handler(PrometheusOptions options)
    {
        var handler = new SocketsHttpHandler
        {
            AllowAutoRedirect = false, // would carry the credentials elsewhere
            UseCookies = false,
            AutomaticDecompression = DecompressionMethods.GZip,
            ConnectTimeout = TimeSpan.FromSeconds(5),
            PooledConnectionLifetime = TimeSpan.FromMinutes(10), // the authority's file is read with each new connection
            UseProxy = !options.Url.IsLoopback,
        };
        if (options.CaFile is { } file) handler.SslOptions.RemoteCertificateValidationCallback = (_, presented, chain, errors) => Verify(file, presented, chain, errors);
        return handler;
    }

    private static bool Verify(string file, X509Certificate? presented, X509Chain? received, SslPolicyErrors errors)
    {
        if (presented is not X509Certificate2 leaf || errors.HasFlag(SslPolicyErrors.RemoteCertificateNameMismatch)) return false;
        try
        {
            using var chain = new X509Chain();
            chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
            chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
            chain.ChainPolicy.ApplicationPolicy.Add(ServerAuthentication);
            chain.ChainPolicy.CustomTrustStore.ImportFromPemFile(file);
            if (received is not null) chain.ChainPolicy.ExtraStore.AddRange(received.ChainPolicy.ExtraStore);
            return chain.Build(leaf);
        }
        catch (Exception e) when (e is CryptographicException or IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
