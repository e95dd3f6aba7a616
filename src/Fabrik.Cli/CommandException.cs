namespace Fabrik.Cli;

/// <summary>An error a person can act on: what happened, why, and the next step, under an id that stays the same across versions.</summary>
public sealed class CommandException(ExitCode code, string id, string what, string why, string next) : Exception(what)
{
    public ExitCode Code { get; } = code;
    public string Id { get; } = id;
    public string Why { get; } = why;
    public string Next { get; } = next;
}
