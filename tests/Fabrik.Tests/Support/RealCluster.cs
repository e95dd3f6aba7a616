using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using Fabrik.Kubernetes;

namespace Fabrik.Tests.Support;

/// <summary>The cluster that FABRIK_E2E_KUBECONFIG names, where one is named.</summary>
internal static class RealCluster
{
    public static string? Kubeconfig { get; } = Environment.GetEnvironmentVariable(Names.Variables.EndToEndKubeconfig) is { Length: > 0 } path ? Path.GetFullPath(path) : null;

    /// <summary>
    /// Of this machine, as the cluster's API server and Pods reach it: what FABRIK_E2E_ADDRESS says, else the address from which this machine reaches the API server.
    /// Where that is a loopback address the API server is here, or in a container here whose port is mapped: both reach another address of this machine.
    /// </summary>
    public static async Task<IPAddress> AddressAsync(ClusterConfig cluster, CancellationToken ct)
    {
        if (Environment.GetEnvironmentVariable(Names.Variables.EndToEndAddress) is { Length: > 0 } said)
        {
            return IPAddress.TryParse(said, out var address) ? address : throw new InvalidOperationException($"{Names.Variables.EndToEndAddress} is '{said}', which is no IP address. Next: set it to the address of this machine by which the cluster's Pods reach it.");
        }

        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(cluster.Server.DnsSafeHost, cluster.Server.Port, ct);
        var local = ((IPEndPoint)socket.LocalEndPoint!).Address;
        if (local.IsIPv4MappedToIPv6) local = local.MapToIPv4();
        return IPAddress.IsLoopback(local) ? Other() ?? local : local;
    }

    /// <summary>That of the interface with the way out first.</summary>
    private static IPAddress? Other() => NetworkInterface.GetAllNetworkInterfaces()
        .Where(each => each.OperationalStatus == OperationalStatus.Up && each.NetworkInterfaceType != NetworkInterfaceType.Loopback)
        .Select(each => each.GetIPProperties())
        .OrderByDescending(each => each.GatewayAddresses.Count)
        .SelectMany(each => each.UnicastAddresses)
        .FirstOrDefault(each => each.Address.AddressFamily == AddressFamily.InterNetwork)?.Address;
}
