namespace Fabrik.Cli;

public enum ExitCode
{
    Ok = 0,
    Error = 1,
    Usage = 2,
    NotFound = 3,
    Forbidden = 4,
    Timeout = 5,

    /// <summary>Of checks: something is not as it should be, and nothing is broken.</summary>
    Warnings = 10,

    /// <summary>Of checks: at least one failed.</summary>
    Failed = 20,
}
