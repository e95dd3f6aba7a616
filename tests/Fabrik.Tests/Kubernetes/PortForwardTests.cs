using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Fabrik.Kubernetes;
using Fabrik.Sandbox.Nodes.Processes;
using Fabrik.Sandbox.Server;

namespace Fabrik.Tests.Kubernetes;

public sealed class PortForwardTests : IAsyncDisposable
{
    private readonly TcpListener echo = new(IPAddress.Loopback, 0);
    private SandboxServer? server;
    private NodeEndpoint? node;

    [Fact]
    public async Task Bytes_come_back_as_they_went_and_in_their_order()
    {
        using var client = await PodAsync(8443);
        var sent = RandomNumberGenerator.GetBytes(300_000);
        await using var stream = await client.PortForwardAsync("default", "web", 8443, TestContext.Current.CancellationToken);

        var writing = stream.WriteAsync(sent, TestContext.Current.CancellationToken).AsTask();
        var received = new byte[sent.Length];
        await stream.ReadExactlyAsync(received, TestContext.Current.CancellationToken);
        await writing;

        received.AsSpan().SequenceEqual(sent).ShouldBeTrue();
    }

    [Fact]
    public async Task Why_a_port_of_the_Pod_cannot_be_reached_is_told()
    {
        using var client = await PodAsync(8443);
        echo.Stop();
        await using var stream = await client.PortForwardAsync("default", "web", 8443, TestContext.Current.CancellationToken);

        var error = await Should.ThrowAsync<IOException>(async () => await stream.ReadExactlyAsync(new byte[1], TestContext.Current.CancellationToken));

        error.Message.ShouldContain("port 8443 of Pod default/web cannot be reached");
    }

    [Fact]
    public async Task A_Pod_that_is_not_there_is_not_found()
    {
        using var client = await PodAsync(8443);

        (await Should.ThrowAsync<KubernetesException>(() => client.PortForwardAsync("default", "other", 8443, TestContext.Current.CancellationToken))).Code.ShouldBe(404);
    }

    public async ValueTask DisposeAsync()
    {
        echo.Dispose();
        if (node is not null) await node.DisposeAsync();
        if (server is not null) await server.DisposeAsync();
    }

    /// <summary>A Pod named web whose port leads to a listener that sends back what it gets.</summary>
    private async Task<KubernetesClient> PodAsync(int port)
    {
        var cancel = TestContext.Current.CancellationToken;
        echo.Start();
        var own = ((IPEndPoint)echo.LocalEndpoint).Port;
        _ = EchoAsync();
        node = await NodeEndpoint.StartAsync(new PodLogs(), (_, _, asked) => asked == port ? own : null, cancel);
        server = await SandboxServer.StartAsync(new SandboxServerOptions(), cancel);
        var client = new KubernetesClient(new ClusterConfig { Server = server.Url, CertificateAuthority = server.CaPem, Token = server.AdminToken }, TimeProvider.System);
        await client.CreateAsync(Kinds.Node, null, new JsonObject { ["apiVersion"] = "v1", ["kind"] = "Node", ["metadata"] = new JsonObject { ["name"] = "n" } }, cancel);
        var status = new JsonObject { ["status"] = new JsonObject { ["daemonEndpoints"] = new JsonObject { ["kubeletEndpoint"] = new JsonObject { ["Port"] = node.Port } } } };
        await client.PatchAsync(Kinds.Node, null, "n", PatchType.Merge, status, cancel, new WriteOptions { Subresource = "status" });
        await client.CreateAsync(Kinds.Pod, "default", new JsonObject
        {
            ["apiVersion"] = "v1",
            ["kind"] = "Pod",
            ["metadata"] = new JsonObject { ["name"] = "web" },
            ["spec"] = new JsonObject { ["nodeName"] = "n", ["containers"] = new JsonArray(new JsonObject { ["name"] = "main", ["image"] = "web" }) },
        }, cancel);
        return client;
    }

    private async Task EchoAsync()
    {
        try
        {
            using var caller = await echo.AcceptTcpClientAsync(TestContext.Current.CancellationToken);
            await caller.GetStream().CopyToAsync(caller.GetStream(), TestContext.Current.CancellationToken);
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException or ObjectDisposedException or IOException)
        {
            // The test ends.
        }
    }
}
