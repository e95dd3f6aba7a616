using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Fabrik.Sandbox.Controllers;
using Fabrik.Sandbox.Nodes;

namespace Fabrik.Sandbox.Worlds;

/// <summary>Understands the few commands that people try things out with: sleep, true, false, echo, exit, alone or in sh -c.</summary>
internal static partial class CommandGuess
{
    public static PodNeeds Apply(JsonElement container, PodNeeds needs)
    {
        var words = container.List("command").Concat(container.List("args")).Select(word => word.GetString() ?? "").ToList();
        var shell = words.Count >= 3 && words[0].Split('/')[^1] is "sh" or "bash" or "ash" && words[1] is "-c" or "-ec" or "-euc";
        var script = shell ? words[2] : string.Join(' ', words);
        if (script.Length > 4096) return needs;
        var seconds = 0.0;
        int? exitCode = null;
        var log = "";
        foreach (var command in script.Split([";", "&&", "\n"], StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            if (exitCode is > 0) break;
            if (Sleep().Match(command) is { Success: true } sleep) seconds += double.Parse(sleep.Groups["n"].Value, CultureInfo.InvariantCulture) * Unit(sleep.Groups["unit"].Value);
            else if (Exit().Match(command) is { Success: true } exit) exitCode = int.Parse(exit.Groups["n"].Value, CultureInfo.InvariantCulture) & 255;
            else if (command is "false") exitCode = 1;
            else if (Echo().Match(command) is { Success: true } echo) log += echo.Groups["text"].Value.Trim('"', '\'') + "\n";
        }

        return needs with
        {
            Duration = TimeSpan.FromSeconds(Math.Clamp(seconds, 1, 10_000_000)),
            ExitCode = exitCode ?? 0,
            Log = log.Length > 0 ? log : null,
        };
    }

    private static double Unit(string unit) => unit switch { "m" => 60, "h" => 3600, "d" => 86400, _ => 1 };

    [GeneratedRegex("^sleep (?<n>[0-9]{1,7}(\\.[0-9]{1,6})?)(?<unit>[smhd]?)$", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex Sleep();

    [GeneratedRegex("^exit (?<n>[0-9]{1,3})$", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex Exit();

    [GeneratedRegex("^echo +(?<text>.*)$", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex Echo();
}
