namespace Fabrik.Gateway;

/// <summary>Whom a call is charged to, as a run's token says. Nothing in it is looked up, so it is all that routing and budgets need of a Job.</summary>
/// <param name="RunId">As the Job's label <c>fabrik.dev/run-id</c> has it.</param>
/// <param name="Namespace">Of the Job.</param>
/// <param name="Project">Of its namespace, or the one that it chose of those; null where there is none.</param>
/// <param name="Arm">As <c>fabrik.dev/variant</c> has it; null where it is in none.</param>
/// <param name="Change">Name of the change that the arm belongs to; null where there is none.</param>
/// <param name="TaskType">The Job's label <c>fabrik.dev/spec-type</c>.</param>
/// <param name="Complexity">The Job's label <c>fabrik.dev/complexity</c>.</param>
/// <param name="ExpiresAt">UTC; from then on the token is refused.</param>
public sealed record RunClaims(string RunId, string Namespace, string? Project, string? Arm, string? Change, string? TaskType, string? Complexity, DateTimeOffset ExpiresAt)
{
    /// <summary>Calls of the run that are made with another model, the first that fits counts. They stand in the token, so that a run has one model for its whole life, whatever is down.</summary>
    public IReadOnlyList<ModelRewrite> Models { get; init; } = [];

    /// <summary>What a call is made with.</summary>
    /// <param name="requested">As the client named it.</param>
    /// <param name="meant">What that stands for in the run's project; the same where it is no alias.</param>
    /// <returns>Null where the call is none of those that are to be rewritten.</returns>
    public string? Rewritten(string requested, string meant)
    {
        foreach (var one in Models)
            if (one.From == requested || one.From == meant) return one.To;
        return null;
    }
}

/// <summary>A model experiment, or one that was rolled out, as a run's calls meet it.</summary>
/// <param name="From">The model that a call asks for.</param>
/// <param name="To">The one that it is made with.</param>
public sealed record ModelRewrite(string From, string To);

/// <summary>What a token is. A caller is told no more than this.</summary>
public enum TokenVerdict
{
    Valid,

    /// <summary>None was sent.</summary>
    Missing,

    /// <summary>Not a token of Fabrik's, cut off, changed, or signed with a key that is not known here.</summary>
    Invalid,

    Expired,

    /// <summary>Its run has ended, or the virtual key was revoked.</summary>
    Ended,

    /// <summary>Of a Job that was only tried: <c>dry-run</c>.</summary>
    DryRun,
}
