using Fabrik.Kubernetes;

namespace Fabrik.Api;

public sealed record ApiOptions
{
    public const int DefaultPort = 8443;
    public const string DefaultDataDirectory = "/var/lib/fabrik";

    /// <summary>Where callers are reviewed.</summary>
    public required ClusterConfig Cluster { get; init; }

    /// <summary>Holds the control database.</summary>
    public string DataDirectory { get; init; } = DefaultDataDirectory;

    /// <summary>Holds tls.crt and tls.key, read again when they change. Null: plain HTTP, on the loopback interface only.</summary>
    public string? TlsDirectory { get; init; }

    /// <summary>True where the port is for this machine alone.</summary>
    public bool LoopbackOnly { get; init; }

    /// <summary>0 takes any free one.</summary>
    public int Port { get; init; } = DefaultPort;

    public TimeProvider Clock { get; init; } = TimeProvider.System;
}
