using System.Net;
using System.Net.Sockets;

namespace Fabrik.Sandbox.Nodes.Processes;

internal static class FreePort
{
    /// <summary>Free a moment ago; whoever is told of it takes it soon.</summary>
    public static int Take()
    {
        using var listener = new TcpListener(IPAddress.Any, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
