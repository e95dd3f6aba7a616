using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;

namespace Fabrik.Tests.EndToEnd;

/// <summary>Where a cluster reaches the processes of the tests.</summary>
internal static class Reach
{
    /// <summary>The address that FABRIK_E2E_ADDRESS names, else the one from which this machine reaches the API server.</summary>
    /// <returns>A loopback address where the API server is on this machine, or only mapped to it: then the variable must name another.</returns>
    public static async Task<IPAddress> OfAsync(Uri server, CancellationToken ct)
    {
        if (Environment.GetEnvironmentVariable(Names.Variables.EndToEndAddress) is { Length: > 0 } named) return IPAddress.Parse(named);
        using var socket = new Socket(SocketType.Dgram, ProtocolType.Udp);
        await socket.ConnectAsync(server.Host, server.Port, ct);
        var address = ((IPEndPoint)socket.LocalEndPoint!).Address;
        return address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
    }

    /// <summary>The same, as an endpoint of a Service may have it: not a loopback address.</summary>
    public static async Task<IPAddress> EndpointAsync(Uri server, CancellationToken ct) => await OfAsync(server, ct) is var address && !IPAddress.IsLoopback(address) ? address
        : NetworkInterface.GetAllNetworkInterfaces()
            .Where(each => each.OperationalStatus == OperationalStatus.Up && each.NetworkInterfaceType != NetworkInterfaceType.Loopback)
            .SelectMany(each => each.GetIPProperties().UnicastAddresses)
            .First(each => each.Address.AddressFamily == AddressFamily.InterNetwork).Address;
}
