using System.Net.WebSockets;
using Fabrik.Sandbox.Discovery;
using Fabrik.Sandbox.Store;
using Microsoft.AspNetCore.Http;

namespace Fabrik.Sandbox.Server;

/// <summary>pods/portforward: the WebSocket is passed on to the node of the Pod, unread, as an API server does.</summary>
public sealed class PodForwarding(Cluster cluster, CancellationToken stopping)
{
    private const string Protocol = "v4.channel.k8s.io";

    public async Task ForwardAsync(HttpContext http, ApiRequest request)
    {
        var pod = cluster.Store.Get(BuiltInTypes.Pod, request.Namespace, request.Name)?.Read() ?? throw ApiException.NotFound(BuiltInTypes.Pod, request.Name);
        if (!http.WebSockets.IsWebSocketRequest) throw ApiException.BadRequest("Upgrade request required");
        if (!http.WebSockets.WebSocketRequestedProtocols.Contains(Protocol)) throw ApiException.BadRequest($"the sandbox forwards ports over {Protocol} only");
        if (pod.Text("spec", "nodeName") is not { Length: > 0 } name) throw ApiException.BadRequest($"pod {request.Name} does not have a host assigned");
        var node = cluster.Store.Get(BuiltInTypes.Node, null, name)?.Read();
        if (node.Number("status", "daemonEndpoints", "kubeletEndpoint", "Port") is not { } port || port == 0) throw ApiException.BadRequest($"node {name} only plays its Pods; there is nothing to forward to");

        using var linked = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, stopping);
        using var far = new ClientWebSocket();
        far.Options.AddSubProtocol(Protocol);
#pragma warning disable CA5359 // nor does an API server that was given no authority of its kubelets
        far.Options.RemoteCertificateValidationCallback = (_, _, _, _) => true;
#pragma warning restore CA5359
        try
        {
            await far.ConnectAsync(new Uri($"wss://127.0.0.1:{port}/portForward/{request.Namespace}/{request.Name}?port={Uri.EscapeDataString(http.Request.Query["ports"].ToString())}"), linked.Token);
        }
        catch (WebSocketException e)
        {
            throw ApiException.Internal($"error dialing backend: {e.Message}");
        }

        using var near = await http.WebSockets.AcceptWebSocketAsync(Protocol);
        try
        {
            await Task.WhenAny(PassAsync(near, far, linked.Token), PassAsync(far, near, linked.Token));
        }
        catch (Exception e) when (e is WebSocketException or OperationCanceledException)
        {
            // One of the two has gone.
        }
    }

    private static async Task PassAsync(WebSocket from, WebSocket to, CancellationToken ct)
    {
        var buffer = new byte[64 * 1024];
        while (true)
        {
            var received = await from.ReceiveAsync(buffer.AsMemory(), ct);
            if (received.MessageType == WebSocketMessageType.Close)
            {
                await to.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, ct);
                return;
            }

            await to.SendAsync(buffer.AsMemory(0, received.Count), received.MessageType, received.EndOfMessage, ct);
        }
    }
}
