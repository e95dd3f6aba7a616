using System.Collections.Concurrent;
using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Fabrik.Kubernetes;
using Fabrik.Sandbox.Controllers;

namespace Fabrik.Sandbox.Nodes.Processes;

/// <summary>
/// What a controller and kube-proxy do for Services: an EndpointSlice for each Service and Pod, as each Pod has ports of its own, and a relay for each Service that one of
/// the processes calls. API servers refuse loopback addresses in slices, so the machine's own address stands there.
/// </summary>
internal sealed class ServiceEndpoints(KubernetesClient client) : IDisposable
{
    private readonly ConcurrentDictionary<(string Namespace, string Service, int Port), Lazy<(TcpListener Listener, int Port)>> relays = new();
    private readonly CancellationTokenSource stopping = new();

    /// <summary>The first address by which this machine is reached, such as 192.0.2.2; loopback where it has no network.</summary>
    public static IPAddress Address { get; } = NetworkInterface.GetAllNetworkInterfaces()
        .Where(network => network.OperationalStatus == OperationalStatus.Up && network.NetworkInterfaceType != NetworkInterfaceType.Loopback)
        .SelectMany(network => network.GetIPProperties().UnicastAddresses)
        .Select(address => address.Address)
        .FirstOrDefault(address => address.AddressFamily == AddressFamily.InterNetwork) ?? IPAddress.Loopback;

    public async Task WriteAsync(KubeObject pod, IReadOnlyDictionary<int, int> ports, bool ready, bool terminating, CancellationToken ct)
    {
        await foreach (var service in client.ListAsync(Kinds.Service, pod.Namespace, ct))
        {
            var selector = service.Json.Map("spec", "selector").ToList();
            if (selector.Count == 0 || selector.Any(label => pod.Label(label.Name) != label.Value.GetString())) continue;
            var isPublished = ready || service.Json.Says("spec", "publishNotReadyAddresses");
            var slice = new JsonObject
            {
                ["apiVersion"] = "discovery.k8s.io/v1",
                ["kind"] = "EndpointSlice",
                ["metadata"] = new JsonObject
                {
                    ["name"] = $"{service.Name}-{pod.Name}",
                    ["labels"] = new JsonObject { ["kubernetes.io/service-name"] = service.Name, ["endpointslice.kubernetes.io/managed-by"] = "fabrik-node" },
                    ["ownerReferences"] = new JsonArray(new JsonObject { ["apiVersion"] = "v1", ["kind"] = "Pod", ["name"] = pod.Name, ["uid"] = pod.Uid }),
                },
                ["addressType"] = "IPv4",
                ["endpoints"] = new JsonArray(new JsonObject
                {
                    ["addresses"] = new JsonArray(Address.ToString()),
                    ["conditions"] = new JsonObject { ["ready"] = isPublished, ["serving"] = ready, ["terminating"] = terminating },
                    ["targetRef"] = new JsonObject { ["kind"] = "Pod", ["name"] = pod.Name, ["namespace"] = pod.Namespace, ["uid"] = pod.Uid },
                }),
                ["ports"] = new JsonArray([.. service.Json.List("spec", "ports").Select(port => Port(pod, port, ports)).OfType<JsonNode>()]),
            };
            await client.PatchAsync(Kinds.EndpointSlice, pod.Namespace, $"{service.Name}-{pod.Name}", PatchType.Apply, slice, ct, new WriteOptions { FieldManager = "fabrik-node", Force = true });
        }
    }

    /// <summary>A port of this machine that leads to a Pod of the Service that is ready at the time of a connection.</summary>
    public int Relay(string ns, string service, int port) => relays.GetOrAdd((ns, service, port), key => new(() =>
    {
        var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        _ = AcceptAsync(listener, key);
        return (listener, ((IPEndPoint)listener.LocalEndpoint).Port);
    })).Value.Port;

    public void Dispose()
    {
        stopping.Cancel();
        foreach (var relay in relays.Values) relay.Value.Listener.Dispose();
    }

    private static JsonObject? Port(KubeObject pod, System.Text.Json.JsonElement port, IReadOnlyDictionary<int, int> ports)
    {
        var target = port.At("targetPort");
        var number = target.ValueKind == System.Text.Json.JsonValueKind.Number ? target.GetInt32()
            : pod.Json.List("spec", "containers").SelectMany(container => container.List("ports")).FirstOrDefault(one => one.Text("name") == target.GetString()).Int("containerPort") ?? 0;
        return ports.TryGetValue(number, out var own) ? new JsonObject { ["name"] = port.Text("name") ?? "", ["port"] = own, ["protocol"] = "TCP" } : null;
    }

    private async Task AcceptAsync(TcpListener listener, (string Namespace, string Service, int Port) key)
    {
        try
        {
            while (true) _ = PassAsync(await listener.AcceptTcpClientAsync(stopping.Token), key);
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The node ends.
        }
    }

    private async Task PassAsync(TcpClient caller, (string Namespace, string Service, int Port) key)
    {
        using (caller)
        {
            try
            {
                if (await FindAsync(key) is not { } target) return;
                using var called = new TcpClient();
                await called.ConnectAsync(target, stopping.Token);
                var (near, far) = (caller.GetStream(), called.GetStream());
                await Task.WhenAny(near.CopyToAsync(far, stopping.Token), far.CopyToAsync(near, stopping.Token));
            }
            catch (Exception e) when (e is OperationCanceledException or SocketException or IOException or KubernetesException)
            {
                // The caller sees a connection that closes.
            }
        }
    }

    private async Task<IPEndPoint?> FindAsync((string Namespace, string Service, int Port) key)
    {
        var service = await client.GetAsync(Kinds.Service, key.Namespace, key.Service, stopping.Token);
        var name = service.Json.List("spec", "ports").FirstOrDefault(port => port.Int("port") == key.Port).Text("name") ?? "";
        await foreach (var slice in client.ListAsync(Kinds.EndpointSlice, key.Namespace, stopping.Token, new ListOptions { LabelSelector = $"kubernetes.io/service-name={key.Service}" }))
        {
            var ready = slice.Json.List("endpoints").FirstOrDefault(endpoint => endpoint.Says("conditions", "ready")).List("addresses").FirstOrDefault();
            if (ready.ValueKind != System.Text.Json.JsonValueKind.String || slice.Json.List("ports").FirstOrDefault(port => (port.Text("name") ?? "") == name).Int("port") is not { } port) continue;
            return new IPEndPoint(IPAddress.Parse(ready.GetString()!), port);
        }

        return null;
    }
}
