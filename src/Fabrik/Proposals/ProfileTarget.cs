using System.Text.Json.Serialization;
using Fabrik.Experiments;

namespace Fabrik.Proposals;

/// <summary>Jobs that can be addressed together and that need about the same: of one CronJob, else of one spec type, else of one specification, in one namespace.</summary>
public sealed record ProfileTarget(string Namespace, string? CronJob, string? SpecType, string? SpecId)
{
    private const string CronJobOwner = "CronJob/";

    /// <summary>Null for a Job that nothing but its own name tells from others.</summary>
    public static ProfileTarget? Of(string ns, string? owner, string? specType, string? specId) =>
        owner is { Length: > 8 } && owner.StartsWith(CronJobOwner, StringComparison.Ordinal) ? new ProfileTarget(ns, owner[CronJobOwner.Length..], null, null)
        : specType is { Length: > 0 } ? new ProfileTarget(ns, null, specType, null)
        : specId is { Length: > 0 } ? new ProfileTarget(ns, null, null, specId)
        : null;

    /// <summary>The same for the same Jobs; a key of the database.</summary>
    [JsonIgnore]
    public string Key { get; } = $"{Namespace}/{(CronJob is not null ? "cronjob" : SpecType is not null ? "type" : "id")}/{CronJob ?? SpecType ?? SpecId}";

    [JsonIgnore]
    public string Name => CronJob ?? SpecType ?? SpecId ?? "";

    public ChangeTarget ToTarget() => new()
    {
        Namespaces = [Namespace],
        CronJob = CronJob,
        LabelSelector = SpecType is not null ? new Dictionary<string, string> { [Names.Labels.SpecType] = SpecType }
            : SpecId is not null ? new Dictionary<string, string> { [Names.Labels.SpecId] = SpecId }
            : new Dictionary<string, string>(),
    };

    /// <summary>Whether a change for this target is for these Jobs, or may be for some of them.</summary>
    public bool MayBeMeantBy(ChangeTarget target)
    {
        if (target.Namespaces.Count > 0 && !target.Namespaces.Contains(Namespace)) return false;
        if (target.CronJob is not null && CronJob is not null && target.CronJob != CronJob) return false;
        return Agrees(Names.Labels.SpecType, SpecType) && Agrees(Names.Labels.SpecId, SpecId);

        bool Agrees(string label, string? own) => own is null || !target.LabelSelector.TryGetValue(label, out var wanted) || wanted == own;
    }

    public override string ToString() => CronJob is not null ? $"CronJob {Namespace}/{CronJob}" : $"{Name} Jobs in {Namespace}";
}
