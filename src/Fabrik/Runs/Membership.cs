using System.Text.Json.Serialization;
using Fabrik.Experiments;

namespace Fabrik.Runs;

/// <summary>A run counts for a change: a treatment in its one experiment, a control in every experiment it was eligible for, any run in each applied change it ran under.</summary>
public sealed record Membership(string Change, MemberRole Role)
{
    /// <summary>One for each change. A copy and a Job that the webhook missed count for none.</summary>
    public static IReadOnlyList<Membership> Of(Run run)
    {
        MemberRole? drawn = run.Arm switch { Arm.Treatment => MemberRole.Treatment, Arm.Control => MemberRole.Control, _ => null };
        var found = new List<Membership>();
        if (drawn is { } role) found.AddRange(run.Experiments.Select(change => new Membership(change, role)));
        found.AddRange(run.AppliedChanges.Select(change => new Membership(change, MemberRole.Applied)));
        return [.. found.DistinctBy(one => one.Change, StringComparer.Ordinal)];
    }
}

/// <summary>As what a run counts for a change.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<MemberRole>))]
public enum MemberRole
{
    [JsonStringEnumMemberName("treatment")] Treatment,
    [JsonStringEnumMemberName("control")] Control,

    /// <summary>It ran under the change. Its arm may be of another experiment, as treatment of which it tells of both.</summary>
    [JsonStringEnumMemberName("applied")] Applied,

    /// <summary>It counted once and does no longer: an earlier Job turned out to have the same run id.</summary>
    [JsonStringEnumMemberName("withdrawn")] Withdrawn,
}
