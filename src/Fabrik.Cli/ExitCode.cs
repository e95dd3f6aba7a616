namespace Fabrik.Cli;

public enum ExitCode
{
    Ok = 0,
    Error = 1,
    Usage = 2,
    NotFound = 3,
    Forbidden = 4,
    Timeout = 5,
}
