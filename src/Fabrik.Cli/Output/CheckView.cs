using Fabrik.Checks;

namespace Fabrik.Cli.Output;

/// <summary>Results of checks as text that fits the terminal, category by category as they come.</summary>
internal sealed class CheckView(Terminal terminal, IReadOnlyList<CheckInfo> all)
{
    private const int Indent = 2;
    private const int StatusWidth = 10;
    private const int IdWidth = 10;
    private const int WidestTitle = 64;
    private const int Label = 6;
    private readonly int title = Math.Min(WidestTitle, all.Count == 0 ? 0 : all.Max(info => info.Title.Length));

    public void Category(string name, IReadOnlyList<CheckResult> results)
    {
        if (results.Count == 0) return;
        terminal.Out.WriteLine(terminal.Colours ? Colours.Bold(name) : name);
        foreach (var result in results) Row(result);
        terminal.Out.WriteLine();
    }

    public static void Short(Terminal terminal, IEnumerable<CheckResult> results)
    {
        foreach (var result in results.Where(result => result.Status is not (CheckStatus.Passed or CheckStatus.Skipped)))
            terminal.Out.WriteLine($"{Coloured(terminal, result.Status, Word(result.Status).PadRight(StatusWidth))}{result.Id}  {result.Category}: {result.Title}{(result.Detail is null ? "" : ": " + TableWriter.WithoutControls(result.Detail))}");
    }

    public static void Summary(TextWriter to, CheckBook book)
    {
        var parts = new[] { (CheckStatus.Passed, "passed"), (CheckStatus.Warning, "with a warning"), (CheckStatus.Failed, "failed"), (CheckStatus.Unproven, "unproven"), (CheckStatus.Skipped, "skipped") }
            .Select(one => (Count: book.Count(one.Item1), Word: one.Item2)).Where(one => one.Count > 0).Select(one => $"{one.Count} {one.Word}");
        to.WriteLine($"{book.Results.Count} checks: {string.Join(", ", parts)}");
    }

    private void Row(CheckResult result)
    {
        var head = $"{new string(' ', Indent)}{Coloured(terminal, result.Status, Word(result.Status).PadRight(StatusWidth))}{result.Id.PadRight(IdWidth)}";
        var used = Indent + StatusWidth + IdWidth;
        if (result.Status == CheckStatus.Passed)
        {
            var seen = result.Detail is null ? "" : TableWriter.WithoutControls(result.Detail);
            var room = terminal.Interactive ? terminal.Width - used - title - Indent : int.MaxValue;
            var shown = room < Label ? "" : seen.Length <= room ? seen : string.Concat(seen.AsSpan(0, room - 1), "…");
            terminal.Out.WriteLine((head + (shown.Length == 0 ? result.Title : result.Title.PadRight(title) + new string(' ', Indent) + shown)).TrimEnd());
            return;
        }

        terminal.Out.WriteLine(head + result.Title);
        Part("why:", result.Detail);
        if (result.Status == CheckStatus.Skipped) return;
        Part("next:", result.Next);
        Part("see:", result.Anchor);
    }

    private void Part(string label, string? text)
    {
        if (text is null) return;
        var indent = new string(' ', Indent + StatusWidth);
        var first = true;
        foreach (var line in Wrapped(TableWriter.WithoutControls(text, lines: true), terminal.Interactive ? Math.Max(20, terminal.Width - indent.Length - Label) : int.MaxValue))
        {
            terminal.Out.WriteLine(indent + (first ? label : "").PadRight(Label) + line);
            first = false;
        }
    }

    /// <summary>Words that are longer than a line are left whole: a command must be copied as it is.</summary>
    internal static IEnumerable<string> Wrapped(string text, int width)
    {
        foreach (var paragraph in text.Split('\n'))
        {
            var line = "";
            foreach (var word in paragraph.Split(' '))
            {
                if (line.Length > 0 && line.Length + 1 + word.Length > width)
                {
                    yield return line;
                    line = word;
                }
                else
                {
                    line = line.Length == 0 ? word : $"{line} {word}";
                }
            }

            yield return line;
        }
    }

    private static string Word(CheckStatus status) => status switch
    {
        CheckStatus.Passed => "passed",
        CheckStatus.Warning => "WARNING",
        CheckStatus.Failed => "FAILED",
        CheckStatus.Skipped => "skipped",
        _ => "unproven",
    };

    private static string Coloured(Terminal terminal, CheckStatus status, string text) => !terminal.Colours ? text : status switch
    {
        CheckStatus.Passed => Colours.Green(text),
        CheckStatus.Failed => Colours.Red(text),
        CheckStatus.Warning => Colours.Yellow(text),
        CheckStatus.Unproven => Colours.Cyan(text),
        _ => text,
    };
}
