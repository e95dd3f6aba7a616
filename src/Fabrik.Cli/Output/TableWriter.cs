namespace Fabrik.Cli.Output;

/// <summary>One line a row, as kubectl prints: pipes can cut and count it. Only on a terminal are long cells shortened to fit.</summary>
public static class TableWriter
{
    private const int Gap = 3;
    private const int Narrowest = 8;

    public static void Write(Terminal terminal, IReadOnlyList<string> headers, IEnumerable<IReadOnlyList<string>> rows, bool withHeaders = true, IReadOnlyList<Func<string, string>?>? colours = null)
    {
        var lines = rows.Select(row => row.Select(Clean).ToArray()).ToList();
        if (withHeaders) lines.Insert(0, [.. headers]);
        if (lines.Count == 0) return;
        var widths = Enumerable.Range(0, headers.Count).Select(column => lines.Max(line => line[column].Length)).ToArray();
        if (terminal.Interactive) Fit(widths, terminal.Width);
        for (var row = 0; row < lines.Count; row++)
        {
            for (var column = 0; column < widths.Length; column++)
            {
                var text = Shorten(lines[row][column], widths[column]);
                var padded = column == widths.Length - 1 ? text : text.PadRight(widths[column] + Gap);
                var colour = terminal.Colours && !(withHeaders && row == 0) ? colours?[column] : null;
                terminal.Out.Write(colour is null ? padded : colour(text) + padded[text.Length..]);
            }

            terminal.Out.WriteLine();
        }
    }

    private static void Fit(int[] widths, int available)
    {
        while (widths.Sum() + Gap * (widths.Length - 1) > available)
        {
            // Names stand first, and are what the next command is given: they are cut last.
            var widest = widths.Length == 1 ? 0 : Array.IndexOf(widths, widths[1..].Max(), 1);
            if (widths[widest] <= Narrowest) widest = 0;
            if (widths[widest] <= Narrowest) return;
            widths[widest]--;
        }
    }

    private static string Shorten(string text, int width) => text.Length <= width ? text : string.Concat(text.AsSpan(0, width - 1), "…");

    private static string Clean(string? text) => string.IsNullOrEmpty(text) ? "-" : WithoutControls(text);

    /// <summary>Foreign text must not move the cursor; line breaks stay where <paramref name="lines"/> may be several.</summary>
    public static string WithoutControls(string text, bool lines = false) => string.Create(text.Length, (text, lines), (span, from) =>
    {
        for (var index = 0; index < from.text.Length; index++) span[index] = char.IsControl(from.text[index]) && !(from.lines && from.text[index] == '\n') ? ' ' : from.text[index];
    });
}
