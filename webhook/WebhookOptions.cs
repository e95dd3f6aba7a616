using Fabrik.Certificates;
using Fabrik.Kubernetes;

namespace Fabrik.Webhook;

public sealed record WebhookOptions
{
    public const int DefaultPort = 9443;
    public static readonly TimeSpan DefaultDrainGrace = TimeSpan.FromSeconds(5);

    /// <summary>Of a process: some hundreds of reviews on half a core, and no start is later than two seconds for it.</summary>
    public static readonly TimeSpan DefaultWarmUp = TimeSpan.FromSeconds(1);

    /// <summary>Where changes, policy and namespaces are watched.</summary>
    public required ClusterConfig Cluster { get; init; }

    /// <summary>Secret in the control plane's namespace with tls.crt and tls.key, read through the API. Then certificates and keys are kept as well, by the replica that leads. Null: <see cref="TlsDirectory"/> counts, and nobody keeps them.</summary>
    public string? TlsSecret { get; init; }

    /// <summary>Holds tls.crt and tls.key, read again when they change.</summary>
    public string? TlsDirectory { get; init; }

    /// <summary>Who this replica is in the Lease; one that nobody else has.</summary>
    public string Identity { get; init; } = $"{Environment.MachineName}-{Guid.NewGuid().ToString("N")[..8]}";

    /// <summary>How long certificates live, where this replica keeps them.</summary>
    public CertificateTimes CertificateTimes { get; init; } = CertificateTimes.Default;

    /// <summary>Keys that sign assignments, one a line, the newest first; read again when it changes.</summary>
    public required string AssignmentKeyFile { get; init; }

    /// <summary>Where runs reach the LLM gateway: an absolute http or https address without query. Null: no Job gets a run token.</summary>
    public Uri? GatewayUrl { get; init; }

    /// <summary>Keys that sign run tokens, as the gateway has them too; needed with <see cref="GatewayUrl"/>, read again when it changes.</summary>
    public string? RunTokenKeyFile { get; init; }

    /// <summary>Of the gate in Pods of runs, where the policy names none.</summary>
    public string GateImage { get; init; } = Names.Images.Gate;

    /// <summary>HTTPS: reviews, health and metrics. 0 takes any free one.</summary>
    public int Port { get; init; } = DefaultPort;

    /// <summary>Plain HTTP beside it, for health and metrics alone. Null: none.</summary>
    public int? MetricsPort { get; init; }

    /// <summary>True where the ports are for this machine alone.</summary>
    public bool LoopbackOnly { get; init; }

    /// <summary>How long requests are still taken after readiness has gone, so that every caller has seen it.</summary>
    public TimeSpan DrainGrace { get; init; } = DefaultDrainGrace;

    /// <summary>How long this replica reviews Jobs of its own before it says that it is ready. Zero where nobody waits for its first answers.</summary>
    public TimeSpan WarmUp { get; init; }

    public TimeProvider Clock { get; init; } = TimeProvider.System;
}
