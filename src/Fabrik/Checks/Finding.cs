namespace Fabrik.Checks;

/// <summary>How a check came out. What was not looked at is skipped; what was looked at and shows nothing either way is unproven: neither is a pass.</summary>
public enum CheckStatus
{
    Passed,
    Warning,
    Failed,
    Skipped,
    Unproven,
}

/// <summary>What one look has shown.</summary>
/// <param name="Detail">The cause, or what was seen where all is well.</param>
/// <param name="Next">One command or step; null where nothing is to be done.</param>
public sealed record Finding(CheckStatus Status, string? Detail = null, string? Next = null)
{
    public static Finding Passed(string? seen = null) => new(CheckStatus.Passed, seen);

    public static Finding Warning(string why, string next) => new(CheckStatus.Warning, why, next);

    public static Finding Failed(string why, string next) => new(CheckStatus.Failed, why, next);

    public static Finding Skipped(string why) => new(CheckStatus.Skipped, why);

    public static Finding Unproven(string why, string? next = null) => new(CheckStatus.Unproven, why, next);
}
