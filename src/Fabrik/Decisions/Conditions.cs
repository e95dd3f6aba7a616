using Fabrik.Experiments;

namespace Fabrik.Decisions;

/// <summary>Conditions of a status, one of each type.</summary>
public static class Conditions
{
    public static IReadOnlyList<Condition> With(IReadOnlyList<Condition> conditions, string type, string status, string reason, string? message, long generation, DateTimeOffset now)
    {
        var before = conditions.FirstOrDefault(one => one.Type == type);
        return
        [
            .. Without(conditions, type),
            new Condition
            {
                Type = type,
                Status = status,
                Reason = reason,
                Message = message,
                ObservedGeneration = generation,
                LastTransitionTime = before?.Status == status && before.Reason == reason ? before.LastTransitionTime ?? now : now,
            },
        ];
    }

    public static IReadOnlyList<Condition> Without(IReadOnlyList<Condition> conditions, string type) => [.. conditions.Where(one => one.Type != type)];

    public static bool NeedsApproval(ChangeStatus status) => status.Conditions.Any(one => one.Type == Names.Conditions.ApprovalRequired && one.Status == "True");

    /// <summary>When the change came into its phase, where its status tells.</summary>
    public static DateTimeOffset? Since(ChangeStatus status) => status.Conditions.FirstOrDefault(one => one.Type == Names.Conditions.PhaseReached)?.LastTransitionTime;
}
