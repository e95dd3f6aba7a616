namespace Fabrik.Experiments;

/// <summary>
/// What a person's word in spec.approval makes of a change. People write the spec alone; the scheduler takes the step within a minute, and the
/// command says beforehand which one it will be.
/// </summary>
public static class PersonDecision
{
    /// <summary>The phase the change is to go to now; null where the word asks for no step.</summary>
    /// <param name="since">When the change came into its phase. An approval from before a rollback does not take the change up again.</param>
    public static Phase? Step(Phase phase, Approval? approval, DateTimeOffset? since) => approval switch
    {
        null => null,
        { Approved: false } => Refused(phase),
        { At: { } at } when phase == Phase.RolledBack && since is { } began && at > began => Phase.Proposed,
        _ => null,
    };

    /// <summary>Where a refusal leads. What Jobs get now is rolled back, everything else is rejected; null where the change has ended.</summary>
    public static Phase? Refused(Phase phase) => phase switch
    {
        Phase.ExperimentRunning or Phase.Applied => Phase.RolledBack,
        Phase.Proposed or Phase.Queued or Phase.Analyzing or Phase.Approved => Phase.Rejected,
        _ => null,
    };
}
