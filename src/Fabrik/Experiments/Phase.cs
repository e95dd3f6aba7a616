using System.Text.Json.Serialization;

namespace Fabrik.Experiments;

/// <summary>Life of a change; <see cref="ChangeRules"/> says which steps exist.</summary>
[JsonConverter(typeof(WordConverter<Phase>))]
public enum Phase
{
    [JsonStringEnumMemberName("proposed")] Proposed,
    [JsonStringEnumMemberName("queued")] Queued,
    [JsonStringEnumMemberName("experiment_running")] ExperimentRunning,
    [JsonStringEnumMemberName("analyzing")] Analyzing,
    [JsonStringEnumMemberName("approved")] Approved,
    [JsonStringEnumMemberName("rejected")] Rejected,
    [JsonStringEnumMemberName("applied")] Applied,
    [JsonStringEnumMemberName("rolled_back")] RolledBack,
}
