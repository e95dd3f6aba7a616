namespace Fabrik.Reports;

/// <summary>A step of a change, or a decision on it.</summary>
/// <param name="From">Phase before; null where none was left.</param>
/// <param name="To">Phase after, or the decision.</param>
/// <param name="Actor">Who: the scheduler, or a person's name as the cluster knows it.</param>
public sealed record HistoryEntry(DateTimeOffset At, string Change, string? From, string To, string? Actor, IReadOnlyList<string> Reasons);

/// <summary>An emergency rollback that a person is to look at.</summary>
/// <param name="ReviewBy">An hour after the rollback.</param>
/// <param name="ReviewedAt">Null while nobody has.</param>
public sealed record IncidentReport(string Id, string Change, DateTimeOffset At, string Trigger, string Reason, DateTimeOffset? ReviewBy, DateTimeOffset? ReviewedAt);
