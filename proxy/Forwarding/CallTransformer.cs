using Fabrik.Proxy.Calls;
using Yarp.ReverseProxy.Forwarder;

namespace Fabrik.Proxy.Forwarding;

/// <summary>What of a request's headers reaches the provider, and of an answer's the client.</summary>
internal sealed class CallTransformer(Call call) : HttpTransformer
{
    /// <summary>The caller's credentials and what names an account; what frames one connection; what tells where the caller sits.</summary>
    private static readonly HashSet<string> Withheld = new(StringComparer.OrdinalIgnoreCase)
    {
        "Authorization", "x-api-key", "Proxy-Authorization", "Cookie", "OpenAI-Organization", "OpenAI-Project",
        "Host", "Connection", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding", "TE", "Trailer", "Upgrade", "Expect", "Accept-Encoding", "Content-Length", "Content-Type", "Content-Encoding",
        Names.Headers.Provider, "Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "traceparent", "tracestate", "baggage",
    };

    private static readonly HashSet<string> Hidden = new(StringComparer.OrdinalIgnoreCase)
    {
        "openai-organization", "openai-project", "anthropic-organization-id", "Set-Cookie", "cf-ray", "cf-cache-status", "alt-svc", "Server", "Strict-Transport-Security",
    };

    /// <summary>Stands for whichever provider the handler beneath asks.</summary>
    public const string Prefix = "http://provider/";

    private static readonly Uri Anywhere = new(Prefix);

    /// <summary>Nothing is put into the forwarder's request: each attempt makes its own.</summary>
    public override ValueTask TransformRequestAsync(HttpContext httpContext, HttpRequestMessage proxyRequest, string destinationPrefix, CancellationToken cancellationToken)
    {
        proxyRequest.RequestUri = Anywhere;
        proxyRequest.Options.Set(Call.Key, call);
        return default;
    }

    public static void CopyHeaders(IHeaderDictionary from, HttpRequestMessage to)
    {
        foreach (var (name, values) in from)
        {
            if (Withheld.Contains(name) || name.StartsWith(':')) continue;
            if (values.Count == 1) to.Headers.TryAddWithoutValidation(name, values[0]);
            else to.Headers.TryAddWithoutValidation(name, (IEnumerable<string>)values);
        }

        to.Headers.TryAddWithoutValidation("Accept-Encoding", "identity");
    }

    public override async ValueTask<bool> TransformResponseAsync(HttpContext httpContext, HttpResponseMessage? proxyResponse, CancellationToken cancellationToken)
    {
        var copies = await base.TransformResponseAsync(httpContext, proxyResponse, cancellationToken);
        foreach (var name in Hidden) httpContext.Response.Headers.Remove(name);
        if (proxyResponse?.Content is not WholeContent whole) return copies;

        // In one piece with the headers, which saves the forwarder's copying and a second packet.
        httpContext.Response.ContentLength = whole.Body.Length;
        await httpContext.Response.Body.WriteAsync(whole.Body, cancellationToken);
        return false;
    }
}
