using System.Text.Json.Serialization;

namespace Fabrik.Experiments;

/// <summary>Where a Job stands. The wire names are those of the label fabrik.dev/variant, except the last two, which are never a label.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<Arm>))]
public enum Arm
{
    [JsonStringEnumMemberName("treatment")] Treatment,
    [JsonStringEnumMemberName("control")] Control,

    /// <summary>Permanent: neither experiments nor applied changes reach it.</summary>
    [JsonStringEnumMemberName("holdout")] Holdout,

    /// <summary>In no experiment; at least one applied change is on the Job.</summary>
    [JsonStringEnumMemberName("applied")] Applied,

    /// <summary>The webhook saw the Job, and it got nothing: no change was for it, or its bucket belongs to an experiment that is not.</summary>
    [JsonStringEnumMemberName("none")] None,

    /// <summary>No valid assignment: the webhook missed the Job, the annotation is not its own, or it records a run token alone.</summary>
    [JsonStringEnumMemberName("unassigned")] Unassigned,
}
