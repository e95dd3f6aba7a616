using System.Text;

namespace Fabrik.Cli.Connections;

/// <summary>Parameters as Fabrik's API takes them.</summary>
internal static class ApiQuery
{
    /// <summary>Those that have a value.</summary>
    public static string Of(params (string Name, string? Value)[] parameters)
    {
        var text = new StringBuilder();
        foreach (var (name, value) in parameters)
            if (value is not null) text.Append(text.Length == 0 ? string.Empty : "&").Append(name).Append('=').Append(Uri.EscapeDataString(value));
        return text.ToString();
    }

    /// <param name="since">A span back from now, or a time.</param>
    /// <param name="option">What it was given to.</param>
    public static string? Since(string? since, TimeProvider clock, string option = "--since")
    {
        if (since is null) return null;
        if (since.Length > 1 && double.TryParse(since.AsSpan(0, since.Length - 1), out var number) && number is >= 0 and <= 1e6)
        {
            TimeSpan? span = since[^1] switch { 's' => TimeSpan.FromSeconds(number), 'm' => TimeSpan.FromMinutes(number), 'h' => TimeSpan.FromHours(number), 'd' => TimeSpan.FromDays(Math.Min(number, 20_000)), _ => null };
            if (span is not null) return (clock.GetUtcNow() - span.Value).ToString("O");
        }

        return DateTimeOffset.TryParse(since, out var time) ? time.ToUniversalTime().ToString("O") : throw new CommandException(ExitCode.Usage, "FAB-1014", $"'{since}' is neither a span nor a time", "a span is a number and s, m, h or d; a time is like 2026-11-20T12:00:00Z", $"correct {option}");
    }
}
