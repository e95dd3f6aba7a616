using System.Net.Http.Headers;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Fabrik.Kubernetes;
using Microsoft.AspNetCore.Http;

namespace Fabrik.Tests.Kubernetes;

/// <summary>A network path to an API server that can be cut before a request arrives, or before its answer does.</summary>
public sealed class Relay : IAsyncDisposable
{
    private readonly HttpClient http;
    private readonly string token;
    private FakeApiServer front = null!;

    private Relay(ClusterConfig server)
    {
        token = server.Token!;
        var trust = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        trust.CustomTrustStore.ImportFromPem(server.CertificateAuthority);
        http = new HttpClient(new SocketsHttpHandler { SslOptions = { CertificateChainPolicy = trust } }) { BaseAddress = server.Server };
    }

    public ClusterConfig Config => front.Config;

    /// <summary>Called with each request; what it returns says where the path is cut.</summary>
    public Func<HttpRequest, Cut> Where { get; set; } = _ => Cut.Nowhere;

    /// <summary>Requests that are answered with "forbidden" and never arrive.</summary>
    public Func<HttpRequest, bool> Refuse { get; set; } = _ => false;

    /// <summary>Called once the path has been cut.</summary>
    public Action WhenCut { get; set; } = () => { };

    public static async Task<Relay> StartAsync(ClusterConfig server)
    {
        var relay = new Relay(server);
        relay.front = await FakeApiServer.StartAsync(relay.AnswerAsync);
        return relay;
    }

    public async ValueTask DisposeAsync()
    {
        await front.DisposeAsync();
        http.Dispose();
    }

    private async Task AnswerAsync(HttpContext context)
    {
        if (Refuse(context.Request))
        {
            await FakeCluster.Fail(context, 403, "Forbidden", "not allowed");
            return;
        }

        var cut = Where(context.Request);
        if (cut == Cut.BeforeTheRequest)
        {
            WhenCut();
            context.Abort();
            return;
        }

        using var request = new HttpRequestMessage(new HttpMethod(context.Request.Method), context.Request.Path + context.Request.QueryString.ToString());
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        if (context.Items["body"] is string { Length: > 0 } body)
        {
            request.Content = new ByteArrayContent(Encoding.UTF8.GetBytes(body));
            request.Content.Headers.TryAddWithoutValidation("Content-Type", context.Request.ContentType);
        }

        using var answer = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, context.RequestAborted);
        if (cut == Cut.BeforeTheAnswer)
        {
            WhenCut();
            context.Abort();
            return;
        }

        context.Response.StatusCode = (int)answer.StatusCode;
        context.Response.ContentType = "application/json";
        try
        {
            await answer.Content.CopyToAsync(context.Response.Body, context.RequestAborted); // a watch never ends
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // Who watched has gone.
        }
    }
}

public enum Cut
{
    Nowhere,
    BeforeTheRequest,
    BeforeTheAnswer,
}
