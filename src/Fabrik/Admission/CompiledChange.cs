using System.Text;
using System.Text.Json;
using Fabrik.Experiments;
using Fabrik.Gateway;
using Fabrik.Quantities;

namespace Fabrik.Admission;

/// <summary>A change made ready for the request path: parsed amounts, UTF-8 names, values as they stand in JSON.</summary>
internal sealed record CompiledChange
{
    public required string Name { get; init; }

    /// <summary>As it stands in JSON.</summary>
    public required byte[] Label { get; init; }
    public required long Generation { get; init; }

    /// <summary>0, 1 or 2 for an experiment, -1 for an applied change.</summary>
    public required int Slot { get; init; }
    public required double Share { get; init; }

    /// <summary>Which buckets an applied change leaves out, 0 to 6; -1 for none.</summary>
    public required int Holdback { get; init; }
    public required (byte[] Key, byte[] Value)[] Labels { get; init; }
    public required HashSet<string> Namespaces { get; init; }
    public required byte[]? CronJob { get; init; }
    public required byte[][] Containers { get; init; }
    public required ResourceTarget?[] Resources { get; init; }
    public required int? Parallelism { get; init; }
    public required (byte[] Key, byte[] Value)[] NodeSelector { get; init; }
    public required JsonElement[] Tolerations { get; init; }
    public required (byte[] Value, int Rank)? RuntimeClass { get; init; }
    public required (byte[] Name, byte[] Value)[] Environment { get; init; }
    public required int? Ttl { get; init; }

    /// <summary>The gateway makes it, for runs whose token says so: nothing of the Job but its token changes. Null for every other change.</summary>
    public required ModelRewrite? Rewrite { get; init; }

    /// <summary>What a namespace must permit.</summary>
    public required Permissions Needs { get; init; }

    /// <summary>Set where the policy forbids the change wherever it would go.</summary>
    public required string? Forbidden { get; init; }

    /// <summary>Null, and why, where the change cannot be put on any Job by the webhook.</summary>
    public static CompiledChange? Of(OptimizationChange change, PolicySpec policy, out string? problem)
    {
        var treatment = change.Spec.Change;
        problem = null;
        var resources = new ResourceTarget?[ResourceNames.Count];
        resources[(int)ResourceName.Memory] = ResourceTarget.Of(treatment.MemoryRequest, treatment.MemoryLimit, ref problem);
        resources[(int)ResourceName.Cpu] = ResourceTarget.Of(treatment.CpuRequest, treatment.CpuLimit, ref problem);
        resources[(int)ResourceName.EphemeralStorage] = ResourceTarget.Of(treatment.EphemeralStorageRequest, treatment.EphemeralStorageLimit, ref problem);
        if (change.Name.Length is 0 or > 63) problem ??= "its name must have 1 to 63 characters to stand in a label";
        if (change.Spec.Type == ChangeType.Model && (change.Spec.Target.Model is null || treatment.Model is null)) problem ??= "it must name the model that it replaces (target.model) and the one that it gives (change.model)";
        if (treatment.Parallelism < 1) problem ??= "parallelism must be 1 or more";
        if (treatment.TtlSecondsAfterFinished < 0) problem ??= "ttlSecondsAfterFinished must not be negative";
        if (problem is not null) return null;

        var experiment = change.Phase == Phase.ExperimentRunning;
        var compiled = new CompiledChange
        {
            Name = change.Name,
            Label = Json.String(change.Name),
            Generation = change.Metadata.Generation,
            Slot = experiment ? change.Status.Slot ?? -1 : -1,
            Share = change.Status.Share ?? change.Spec.Experiment.Share,
            Holdback = change.Phase == Phase.Applied ? change.Status.Holdback ?? -1 : -1,
            Labels = [.. change.Spec.Target.LabelSelector.Select(pair => (Utf8(pair.Key), Utf8(pair.Value)))],
            Namespaces = change.Spec.Target.Namespaces.ToHashSet(StringComparer.Ordinal),
            CronJob = change.Spec.Target.CronJob is { } cronJob ? Utf8(cronJob) : null,
            Containers = [.. change.Spec.Target.Containers.Select(Utf8)],
            Resources = resources,
            Parallelism = treatment.Parallelism,
            NodeSelector = [.. (treatment.NodeSelector ?? new Dictionary<string, string>()).OrderBy(pair => pair.Key, StringComparer.Ordinal).Select(pair => (Utf8(pair.Key), Json.String(pair.Value)))],
            Tolerations = [.. (treatment.Tolerations ?? []).Where(one => one.ValueKind == JsonValueKind.Object)],
            RuntimeClass = treatment.RuntimeClassName is { } runtime ? (Json.String(runtime), policy.RuntimeClasses.ToList().IndexOf(runtime)) : null,
            Environment = [.. (treatment.Environment ?? new Dictionary<string, string>()).OrderBy(pair => pair.Key, StringComparer.Ordinal).Select(pair => (Utf8(pair.Key), Json.String(pair.Value)))],
            Ttl = treatment.TtlSecondsAfterFinished,
            Rewrite = change.Spec is { Type: ChangeType.Model, Target.Model: { } from, Change.Model: { } to } ? new ModelRewrite(from, to) : null,
            Needs = Kinds(treatment),
            Forbidden = treatment.Environment?.Keys.All(policy.AllowedEnvironment.Contains) == false ? AdmissionReasons.EnvironmentNotAllowed : null,
        };
        return compiled;
    }

    private static Permissions Kinds(Treatment treatment)
    {
        var needs = Permissions.None;
        if ((treatment.MemoryRequest ?? treatment.MemoryLimit) is not null) needs |= Permissions.Memory;
        if ((treatment.CpuRequest ?? treatment.CpuLimit) is not null) needs |= Permissions.Cpu;
        if ((treatment.EphemeralStorageRequest ?? treatment.EphemeralStorageLimit) is not null) needs |= Permissions.EphemeralStorage;
        if (treatment.Parallelism is not null) needs |= Permissions.Parallelism;
        if (treatment.NodeSelector is { Count: > 0 } || treatment.Tolerations is { Count: > 0 }) needs |= Permissions.Scheduling;
        if (treatment.RuntimeClassName is not null) needs |= Permissions.RuntimeClass;
        if (treatment.Environment is { Count: > 0 }) needs |= Permissions.Environment;
        if (treatment.TtlSecondsAfterFinished is not null) needs |= Permissions.Ttl;
        if (treatment.Model is not null) needs |= Permissions.Model;
        return needs;
    }

    private static byte[] Utf8(string text) => Encoding.UTF8.GetBytes(text);
}

/// <summary>Request and limit that a change gives to one resource; at least one of them is set.</summary>
internal sealed record ResourceTarget(Quantity? Request, Quantity? Limit)
{
    public static ResourceTarget? Of(string? request, string? limit, ref string? problem)
    {
        if (request is null && limit is null) return null;
        var target = new ResourceTarget(Amount(request, ref problem), Amount(limit, ref problem));
        if (target.Request > target.Limit) problem ??= $"the request {request} is above the limit {limit}";
        return target;
    }

    private static Quantity? Amount(string? text, ref string? problem)
    {
        if (text is null) return null;
        if (Quantity.TryParse(text, out var amount) && amount.IsPositive) return amount;
        problem ??= $"{text} is not a quantity above zero";
        return null;
    }
}
