using System.Net;
using System.Net.Security;
using System.Net.WebSockets;
using System.Reflection;
using Fabrik.Kubernetes.Configuration;

namespace Fabrik.Kubernetes.Http;

/// <summary>Connections to one API server: pools them, proves who calls, recognises the server.</summary>
internal sealed class Transport : IDisposable
{
    private static readonly string Agent = $"fabrik/{typeof(Transport).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0]}";

    private readonly ClusterConfig config;
    private readonly Credentials credentials;
    private readonly Lock gate = new();
    private readonly string root;
    private Pool pool;

    public Transport(ClusterConfig config, TimeProvider clock)
    {
        // .NET joins the values of a header into one line; the API server takes each line for one group.
        if (config.Impersonate is { } other && (other.Groups.Count > 1 || other.Extra.Values.Any(values => values.Count > 1)))
            throw new KubeconfigException("Impersonating several groups, or several values of one as-user-extra, is not possible with this client. Name one, or use a user that is in all of them.");
        this.config = config;
        credentials = new Credentials(config, clock);
        Trust = new Trust(config);
        root = config.Server.GetLeftPart(UriPartial.Path).TrimEnd('/');
        pool = new Pool(Build(null), null);
    }

    public Trust Trust { get; }

    private sealed record Pool(HttpMessageInvoker Invoker, SslStreamCertificateContext? Certificate);

    /// <summary>Who calls now. May take as long as a person needs to log in.</summary>
    public ValueTask<Credential> CredentialAsync(CancellationToken ct) => credentials.GetAsync(ct);

    /// <summary>What replaces a credential that the server refused; null when there is no other.</summary>
    public ValueTask<Credential?> ReplaceAsync(Credential refused, CancellationToken ct) => credentials.ReplaceAsync(refused, ct);

    /// <summary>Answers as soon as the headers are there.</summary>
    public async Task<HttpResponseMessage> SendAsync(ApiCall call, Credential who, CancellationToken ct)
    {
        using var request = new HttpRequestMessage(call.Method, root + call.Path) { Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionOrLower };
        if (call.Body is { } bytes)
        {
            request.Content = new ReadOnlyMemoryContent(bytes);
            request.Content.Headers.TryAddWithoutValidation("Content-Type", call.ContentType);
        }

        request.Headers.TryAddWithoutValidation("Accept", "application/json");
        request.Headers.TryAddWithoutValidation("User-Agent", Agent);
        request.Headers.Authorization = who.Header;
        request.Headers.Host = config.TlsServerName; // the handler takes the name to expect and to ask for (SNI) from here
        if (config.Impersonate is { } other) Impersonate(request, other);
        return await PoolFor(who.Certificate).SendAsync(request, ct);
    }

    /// <summary>A WebSocket with one subprotocol, on a connection of its own. The caller disposes it, also when this throws.</summary>
    public async Task OpenSocketAsync(ClientWebSocket socket, string path, string subprotocol, Credential who, CancellationToken ct)
    {
        socket.Options.AddSubProtocol(subprotocol);
        socket.Options.CollectHttpResponseDetails = true;
        socket.Options.SetRequestHeader("User-Agent", Agent);
        if (who.Header is { } header) socket.Options.SetRequestHeader("Authorization", header.ToString());
        if (config.TlsServerName is { } name) socket.Options.SetRequestHeader("Host", name);
        if (config.Impersonate is { } other)
        {
            socket.Options.SetRequestHeader("Impersonate-User", other.User);
            if (other.Uid is not null) socket.Options.SetRequestHeader("Impersonate-Uid", other.Uid);
            foreach (var group in other.Groups) socket.Options.SetRequestHeader("Impersonate-Group", group);
        }

        var address = new UriBuilder(root + path) { Scheme = config.Server.Scheme == Uri.UriSchemeHttps ? "wss" : "ws" };
        await socket.ConnectAsync(address.Uri, PoolFor(who.Certificate), ct);
    }

    public void Dispose()
    {
        pool.Invoker.Dispose();
        credentials.Dispose();
    }

    private static void Impersonate(HttpRequestMessage request, Impersonation other)
    {
        request.Headers.TryAddWithoutValidation("Impersonate-User", other.User);
        if (other.Uid is not null) request.Headers.TryAddWithoutValidation("Impersonate-Uid", other.Uid);
        foreach (var group in other.Groups) request.Headers.TryAddWithoutValidation("Impersonate-Group", group);
        foreach (var (key, values) in other.Extra)
        {
            foreach (var value in values) request.Headers.TryAddWithoutValidation("Impersonate-Extra-" + Uri.EscapeDataString(key), value);
        }
    }

    // A connection belongs to the certificate it was made with. What still runs on the old ones may end there: idle ones close by themselves.
    private HttpMessageInvoker PoolFor(SslStreamCertificateContext? certificate)
    {
        lock (gate)
        {
            if (ReferenceEquals(pool.Certificate, certificate)) return pool.Invoker;
            pool = new Pool(Build(certificate), certificate);
            return pool.Invoker;
        }
    }

    private HttpMessageInvoker Build(SslStreamCertificateContext? certificate)
    {
        var handler = new SocketsHttpHandler
        {
            AllowAutoRedirect = false, // would carry the token elsewhere
            UseCookies = false,
            ConnectTimeout = TimeSpan.FromSeconds(10),
            PooledConnectionLifetime = TimeSpan.FromMinutes(10),
            PooledConnectionIdleTimeout = TimeSpan.FromMinutes(2),
            EnableMultipleHttp2Connections = true,
            KeepAlivePingDelay = TimeSpan.FromSeconds(30),
            KeepAlivePingTimeout = TimeSpan.FromSeconds(15),
            MaxResponseHeadersLength = 64, // KiB
            SslOptions = new SslClientAuthenticationOptions
            {
                ClientCertificateContext = certificate,
                RemoteCertificateValidationCallback = (_, presented, chain, errors) => Trust.Verify(presented, chain, errors),
            },
        };
        if (config.ProxyUrl is not null) handler.Proxy = Proxy(config.ProxyUrl);
        else if (config.Server.IsLoopback) handler.UseProxy = false; // HTTPS_PROXY is not for this machine
        return new HttpMessageInvoker(handler);
    }

    private static WebProxy Proxy(Uri url)
    {
        var proxy = new WebProxy(url);
        if (url.UserInfo.Split(':', 2) is [{ Length: > 0 } user, .. var password])
            proxy.Credentials = new NetworkCredential(Uri.UnescapeDataString(user), password.Length == 0 ? "" : Uri.UnescapeDataString(password[0]));
        return proxy;
    }
}
