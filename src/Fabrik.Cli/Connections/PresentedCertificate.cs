using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;

namespace Fabrik.Cli.Connections;

/// <summary>Looks at a server's certificate, whoever issued it. Nothing is sent over the connection.</summary>
internal static class PresentedCertificate
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <param name="name">The name that is asked for.</param>
    /// <exception cref="HttpRequestException">Nothing listens there, or it speaks no TLS.</exception>
    public static async Task<X509Certificate2> AskAsync(string host, int port, string name, CancellationToken cancel)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        patience.CancelAfter(Patience);
        byte[]? presented = null;
        try
        {
            using var socket = new TcpClient();
            await socket.ConnectAsync(host, port, patience.Token);
            await using var tls = new SslStream(socket.GetStream());
            await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions
            {
                TargetHost = name,
#pragma warning disable CA5359 // it is looked at, and judged elsewhere; nothing is sent
                RemoteCertificateValidationCallback = (_, certificate, _, _) =>
                {
                    presented = certificate?.GetRawCertData();
                    return presented is not null;
                },
#pragma warning restore CA5359
            }, patience.Token);
        }
        catch (Exception e) when (presented is null && e is SocketException or IOException or System.Security.Authentication.AuthenticationException)
        {
            throw new HttpRequestException($"{host}:{port} presents no certificate: {e.Message}", e);
        }
        catch (OperationCanceledException e) when (presented is null && !cancel.IsCancellationRequested)
        {
            throw new HttpRequestException($"{host}:{port} did not answer within {Patience.TotalSeconds:0} s", e);
        }

        return X509CertificateLoader.LoadCertificate(presented ?? throw new HttpRequestException($"{host}:{port} presents no certificate"));
    }
}
