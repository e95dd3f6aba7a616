using Fabrik.Costs;
using Fabrik.CronJobs.Usage;
using Fabrik.Gateway;
using Fabrik.Kubernetes;

namespace Fabrik.CronJobs;

public sealed record CronJobsOptions
{
    public const int DefaultMetricsPort = 9464;
    public const string DefaultDataDirectory = "/var/lib/fabrik";

    public required ClusterConfig Cluster { get; init; }

    /// <summary>Holds the control database.</summary>
    public string DataDirectory { get; init; } = DefaultDataDirectory;

    /// <summary>The keys that the webhook signs assignments with, read at start. Null: every Job is unassigned.</summary>
    public string? AssignmentKeyFile { get; init; }

    /// <summary>Of /livez, /readyz and /metrics. 0 takes any free one.</summary>
    public int MetricsPort { get; init; } = DefaultMetricsPort;

    /// <summary>True where the port is for this machine alone.</summary>
    public bool LoopbackOnly { get; init; }

    /// <summary>Who this replica is in the Lease; one that nobody else has.</summary>
    public string Identity { get; init; } = $"{Environment.MachineName}-{Guid.NewGuid().ToString("N")[..8]}";

    /// <summary>Which Prometheus is asked what runs used; null: none.</summary>
    public PrometheusOptions? Prometheus { get; init; }

    /// <summary>Between two samples of what runs now, from sources without a history; metrics.k8s.io has a new value about that often.</summary>
    public TimeSpan MeasureEvery { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>What resources cost.</summary>
    public PriceBook Prices { get; init; } = PriceBook.Default;

    /// <summary>How long single attempts at models are kept; at least <see cref="LeastCalls"/>.</summary>
    public TimeSpan KeepCalls { get; init; } = DefaultKeepCalls;

    public static readonly TimeSpan DefaultKeepCalls = TimeSpan.FromDays(90);

    /// <summary>What may still be delivered again must be known by then, or it would be counted twice.</summary>
    public static readonly TimeSpan LeastCalls = UsageEventRules.Oldest + TimeSpan.FromDays(1);

    /// <summary>How often the optimizer's tasks run, from the interval that each is meant to have: shorter where time is simulated.</summary>
    public Func<TimeSpan, TimeSpan> Pace { get; init; } = interval => interval;

    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>Time as the cluster's objects are stamped with it: another than <see cref="Clock"/> only where it is simulated.</summary>
    public TimeProvider ClusterClock { get; init; } = TimeProvider.System;
}
