using System.Net;
using System.Net.WebSockets;
using Fabrik.Kubernetes.Configuration;

namespace Fabrik.Kubernetes.Http;

/// <summary>What: "get jobs.batch ci/hello", for messages. Repeatable: doing it twice is the same as once.</summary>
internal sealed record ApiCall(string What, HttpMethod Method, string Path, bool Repeatable)
{
    public ReadOnlyMemory<byte>? Body { get; init; }
    public string? ContentType { get; init; }

    /// <summary>Bytes of a good answer.</summary>
    public int Limit { get; init; } = 16 << 20;

    /// <summary>Longer answers are cut rather than refused.</summary>
    public bool Cut { get; init; }
}

/// <summary>One exchange with the API server: timeouts, retries, bounds, and every failure as a <see cref="KubernetesException"/>.</summary>
internal sealed class ApiConnection(ClusterConfig config, TimeProvider clock) : IDisposable
{
    private const int Attempts = 5;
    private const int ErrorLimit = 256 << 10;
    private static readonly TimeSpan LongestRetryAfter = TimeSpan.FromSeconds(30);
    private readonly Transport transport = new(config, clock);

    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(30);

    public Action<string>? OnWarning { get; set; }

    /// <summary>The whole answer. The caller disposes it.</summary>
    public async Task<PooledBody> CallAsync(ApiCall call, CancellationToken ct)
    {
        return await RetriedAsync(call, async (who, stop) =>
        {
            using var response = await AnswerAsync(call, who, stop);
            return await PooledBody.ReadAsync(response.Content, call.Limit, call.Cut, stop)
                ?? throw new KubernetesException($"{call.What}: the answer is larger than {call.Limit >> 20} MiB. Ask for less (page size, selectors).") { Code = (int)response.StatusCode, Reason = "TooLarge" };
        }, ct);
    }

    /// <summary>The beginning of an answer without end: no retries, and only the wait for the headers is bounded.</summary>
    public async Task<HttpResponseMessage> OpenAsync(ApiCall call, CancellationToken ct) => await AsCallerAsync(call, (who, stop) => AnswerAsync(call, who, stop), ct);

    /// <summary>Only the handshake is bounded. The caller disposes the socket.</summary>
    public async Task<ClientWebSocket> OpenSocketAsync(ApiCall call, string subprotocol, CancellationToken ct) => await AsCallerAsync(call, async (who, stop) =>
    {
        var socket = new ClientWebSocket();
        try
        {
            await transport.OpenSocketAsync(socket, call.Path, subprotocol, who, stop);
            return socket;
        }
        catch (WebSocketException e)
        {
            var code = (int)socket.HttpStatusCode;
            socket.Dispose();
            throw new KubernetesException(code > 0 ? $"{call.What}: the server answered {code} instead of opening a connection" : $"{call.What}: {Trouble(e)}", e) { Code = code, Reason = code > 0 ? "" : KubernetesException.Unreachable };
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }, ct);

    public void Dispose() => transport.Dispose();

    private async Task<T> RetriedAsync<T>(ApiCall call, Func<Credential, CancellationToken, Task<T>> exchange, CancellationToken ct)
    {
        var backoff = new Backoff(TimeSpan.FromMilliseconds(250), TimeSpan.FromSeconds(5));
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await AsCallerAsync(call, exchange, ct);
            }
            catch (KubernetesException e) when (attempt < Attempts && Worthwhile(call, e))
            {
                // Everybody was told the same time: spread behind it.
                var wait = backoff.Next();
                await Task.Delay(e.RetryAfter is { } asked && asked > TimeSpan.Zero ? asked + wait : wait, clock, ct);
            }
        }
    }

    private static bool Worthwhile(ApiCall call, KubernetesException e)
    {
        if (e.RetryAfter > LongestRetryAfter) return false;
        return e.Code switch
        {
            // Refused before anything happened.
            (int)HttpStatusCode.TooManyRequests => call.Repeatable || e.RetryAfter is not null,
            (int)HttpStatusCode.BadGateway or (int)HttpStatusCode.ServiceUnavailable or (int)HttpStatusCode.GatewayTimeout => call.Repeatable && !e.ResourceVersionTooLarge,
            0 => call.Method == HttpMethod.Get && e.Reason == KubernetesException.Unreachable && e.InnerException is not HttpRequestException { HttpRequestError: HttpRequestError.SecureConnectionError or HttpRequestError.NameResolutionError },
            _ => false,
        };
    }

    // Credentials are fetched outside of the time for the request: a plugin may ask a person.
    private async Task<T> AsCallerAsync<T>(ApiCall call, Func<Credential, CancellationToken, Task<T>> exchange, CancellationToken ct)
    {
        try
        {
            var who = await transport.CredentialAsync(ct);
            try
            {
                return await BoundedAsync(call, stop => exchange(who, stop), ct);
            }
            catch (KubernetesException e) when (e.IsUnauthorized)
            {
                if (await transport.ReplaceAsync(who, ct) is not { } other) throw;
                return await BoundedAsync(call, stop => exchange(other, stop), ct);
            }
        }
        catch (KubeconfigException e)
        {
            throw new KubernetesException($"{call.What}: {e.Message}", e) { Reason = KubernetesException.NoCredentials };
        }
    }

    private async Task<T> BoundedAsync<T>(ApiCall call, Func<CancellationToken, Task<T>> exchange, CancellationToken ct)
    {
        using var timeout = new CancellationTokenSource(Timeout, clock);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(ct, timeout.Token);
        try
        {
            return await exchange(stop.Token);
        }
        catch (OperationCanceledException e) when (!ct.IsCancellationRequested)
        {
            throw new KubernetesException($"{call.What}: {config.Server} did not answer within {Timeout.TotalSeconds:0} s. Check its load and the network.", e) { Reason = KubernetesException.TimedOut };
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            throw new KubernetesException($"{call.What}: {Trouble(e)}", e) { Reason = KubernetesException.Unreachable };
        }
    }

    private string Trouble(Exception e)
    {
        var cause = e.GetBaseException().Message.TrimEnd('.');
        return (e as HttpRequestException)?.HttpRequestError switch
        {
            HttpRequestError.SecureConnectionError => $"no trusted connection to {config.Server}: {transport.Trust.Refusal ?? cause}. Check certificate-authority and tls-server-name of the cluster.",
            HttpRequestError.NameResolutionError => $"the name {config.Server.Host} is not known: {cause}. Check the server address.",
            HttpRequestError.ProxyTunnelError => $"the proxy {config.ProxyUrl?.GetLeftPart(UriPartial.Path)} does not lead to {config.Server}: {cause}. Check proxy-url, HTTPS_PROXY and NO_PROXY.",
            HttpRequestError.ConnectionError => $"{config.Server} cannot be reached: {cause}. Check that it runs and that the address is right.",
            _ => $"the connection to {config.Server} broke: {cause}.",
        };
    }

    private async Task<HttpResponseMessage> AnswerAsync(ApiCall call, Credential who, CancellationToken ct)
    {
        var response = await transport.SendAsync(call, who, ct);
        try
        {
            if (OnWarning is { } warned && response.Headers.TryGetValues("Warning", out var headers))
            {
                foreach (var text in headers.SelectMany(Warnings.Parse)) warned(text);
            }

            if (response.IsSuccessStatusCode) return response;
            using var body = await PooledBody.ReadAsync(response.Content, ErrorLimit, cut: true, ct);
            throw Statuses.FromResponse(call.What, response, body!.Memory, clock.GetUtcNow());
        }
        catch
        {
            response.Dispose();
            throw;
        }
    }
}
