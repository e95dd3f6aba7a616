using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Text;
using Fabrik.Sandbox.Server;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;

namespace Fabrik.Sandbox.Nodes.Processes;

/// <summary>What an API server asks a kubelet for: logs, and ports of Pods over a WebSocket of v4.channel.k8s.io.</summary>
internal sealed class NodeEndpoint : IAsyncDisposable
{
    private const string Protocol = "v4.channel.k8s.io";
    private static readonly TimeSpan Look = TimeSpan.FromSeconds(1);
    private readonly WebApplication app;
    private readonly PodLogs logs;
    private readonly Func<string, string, int, int?> portOf;

    private NodeEndpoint(WebApplication app, PodLogs logs, Func<string, string, int, int?> portOf) => (this.app, this.logs, this.portOf) = (app, logs, portOf);

    public int Port { get; private set; }

    public static async Task<NodeEndpoint> StartAsync(PodLogs logs, Func<string, string, int, int?> portOf, CancellationToken ct)
    {
        var (_, serving) = Server.Certificates.Make(TimeProvider.System);
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.UseHttps(serving)));
        var web = builder.Build();
        var endpoint = new NodeEndpoint(web, logs, portOf);
        web.UseWebSockets();
        web.Run(endpoint.HandleAsync);
        await web.StartAsync(ct);
        endpoint.Port = new Uri(web.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First()).Port;
        return endpoint;
    }

    public async ValueTask DisposeAsync()
    {
        using var now = new CancellationTokenSource();
        await now.CancelAsync();
        await app.StopAsync(now.Token);
        await app.DisposeAsync();
    }

    private Task HandleAsync(HttpContext http) => (http.Request.Path.Value ?? "").Split('/', StringSplitOptions.RemoveEmptyEntries) switch
    {
        ["containerLogs", var ns, var pod, var container] => LogsAsync(http, ns, pod, container),
        ["portForward", var ns, var pod, ..] when http.WebSockets.IsWebSocketRequest => ForwardAsync(http, ns, pod),
        _ => NotFoundAsync(http),
    };

    private static Task NotFoundAsync(HttpContext http)
    {
        http.Response.StatusCode = 404;
        return Task.CompletedTask;
    }

    private async Task LogsAsync(HttpContext http, string ns, string pod, string container)
    {
        http.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
        var follow = ListQuery.IsTrue(http.Request.Query["follow"]);
        var next = 0L;
        while (true)
        {
            var (lines, after, ended, changed) = logs.Read(ns, pod, container, next);
            next = after;
            if (lines.Count > 0) await http.Response.WriteAsync(string.Concat(lines.Select(line => line.Text + "\n")), http.RequestAborted);
            if (!follow || ended) return;
            await http.Response.Body.FlushAsync(http.RequestAborted);
            try
            {
                await changed.WaitAsync(Look, TimeProvider.System, http.RequestAborted);
            }
            catch (TimeoutException)
            {
                // Nothing new yet.
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    private async Task ForwardAsync(HttpContext http, string ns, string pod)
    {
        if (!int.TryParse(http.Request.Query["port"], NumberStyles.None, CultureInfo.InvariantCulture, out var port) || portOf(ns, pod, port) is not { } own)
        {
            http.Response.StatusCode = 400;
            return;
        }

        using var socket = await http.WebSockets.AcceptWebSocketAsync(Protocol);
        var header = new byte[3];
        BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(1), (ushort)port);
        foreach (var channel in (byte[])[0, 1])
        {
            header[0] = channel;
            await socket.SendAsync(header, WebSocketMessageType.Binary, true, http.RequestAborted);
        }

        using var target = new TcpClient();
        try
        {
            await target.ConnectAsync(IPAddress.Loopback, own, http.RequestAborted);
            await Task.WhenAny(OutAsync(target.GetStream(), socket, http.RequestAborted), InAsync(socket, target.GetStream(), http.RequestAborted));
        }
        catch (SocketException e)
        {
            await socket.SendAsync((byte[])[1, .. Encoding.UTF8.GetBytes($"port {port} of {ns}/{pod}: {e.Message}")], WebSocketMessageType.Binary, true, http.RequestAborted);
        }
        catch (Exception e) when (e is IOException or WebSocketException or OperationCanceledException)
        {
            // One of the two is gone.
        }
    }

    private static async Task OutAsync(NetworkStream from, WebSocket to, CancellationToken ct)
    {
        var buffer = new byte[16 * 1024];
        buffer[0] = 0;
        while (await from.ReadAsync(buffer.AsMemory(1), ct) is > 0 and var count) await to.SendAsync(buffer.AsMemory(0, count + 1), WebSocketMessageType.Binary, true, ct);
        await to.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, ct);
    }

    private static async Task InAsync(WebSocket from, NetworkStream to, CancellationToken ct)
    {
        var buffer = new byte[64 * 1024];
        var first = true;
        while (true)
        {
            var received = await from.ReceiveAsync(buffer.AsMemory(), ct);
            if (received.MessageType == WebSocketMessageType.Close) return;
            var skip = first ? 1 : 0; // the number of the channel, which can only be that of the data
            first = received.EndOfMessage;
            if (received.Count > skip) await to.WriteAsync(buffer.AsMemory(skip, received.Count - skip), ct);
        }
    }
}
