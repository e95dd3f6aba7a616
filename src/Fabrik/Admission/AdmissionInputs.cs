using System.Text.Json;
using Fabrik.Experiments;

namespace Fabrik.Admission;

/// <summary>What the cluster says at one moment: the input of <see cref="AdmissionSnapshot.Create"/>. Objects are given as Kubernetes sends them.</summary>
public sealed record AdmissionInputs
{
    public required AssignmentKeys Keys { get; init; }

    /// <summary>Null where there is no LLM gateway: then no Job gets a run token.</summary>
    public GatewayAddress? Gateway { get; init; }

    /// <summary>Of the gate in Pods of runs, where the policy names none.</summary>
    public string GateImage { get; init; } = Names.Images.Gate;

    /// <summary>Null where no policy exists: its defaults hold.</summary>
    public OptimizerPolicy? Policy { get; init; }

    /// <summary>All changes; those that are not running or applied, or lie outside the control namespace, are left out.</summary>
    public IEnumerable<OptimizationChange> Changes { get; init; } = [];
    public IEnumerable<JsonElement> Namespaces { get; init; } = [];
    public IEnumerable<JsonElement> LimitRanges { get; init; } = [];
    public IEnumerable<JsonElement> ResourceQuotas { get; init; } = [];

    /// <summary>Empty where nodes are not known: then no node is a bound.</summary>
    public IEnumerable<JsonElement> Nodes { get; init; } = [];

    /// <summary>Minor version of the API server. From 36 on it lets resources of suspended Jobs be edited.</summary>
    public int KubernetesMinor { get; init; } = 36;
}
