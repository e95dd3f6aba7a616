namespace Fabrik.Cli.Output;

/// <summary>ANSI colours; used only where <see cref="Terminal.Colours"/> says so.</summary>
public static class Colours
{
    public static string Phase(string text) => text switch
    {
        "applied" or "approved" => Green(text),
        "rejected" or "rolled_back" => Red(text),
        "experiment_running" or "analyzing" => Cyan(text),
        _ => text,
    };

    public static string Outcome(string text) => text switch
    {
        "succeeded" => Green(text),
        "running" => Cyan(text),
        _ => Red(text),
    };

    public static string Arm(string text) => text switch
    {
        "treatment" => Cyan(text),
        "unassigned" => Yellow(text),
        _ => text,
    };

    /// <summary>One character of a chart of evidence.</summary>
    public static string Mark(char mark) => mark switch
    {
        'W' => Green("W"),
        'N' => Cyan("N"),
        'H' => Red("H"),
        '*' => Bold("*"),
        _ => mark.ToString(),
    };

    public static string Green(string text) => $"\e[32m{text}\e[0m";

    public static string Red(string text) => $"\e[31m{text}\e[0m";

    public static string Yellow(string text) => $"\e[33m{text}\e[0m";

    public static string Cyan(string text) => $"\e[36m{text}\e[0m";

    public static string Bold(string text) => $"\e[1m{text}\e[0m";
}
