using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fabrik.Sandbox.Nodes.Processes;

public sealed record ProcessNodeOptions
{
    /// <summary>Holds volumes and what containers are told; emptied by whoever made it.</summary>
    public required string Directory { get; init; }

    /// <summary>True where nobody else does it: Pods are bound to the node, claims to volumes. False where the cluster has a scheduler and a controller manager.</summary>
    public bool Schedules { get; init; } = true;

    /// <summary>Where the built processes lie.</summary>
    public string Programs { get; init; } = AppContext.BaseDirectory;

    public ILogger Log { get; init; } = NullLogger.Instance;
}
