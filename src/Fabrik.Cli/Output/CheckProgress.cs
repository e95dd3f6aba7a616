namespace Fabrik.Cli.Output;

/// <summary>One line on a terminal that says what is looked at now; nothing elsewhere.</summary>
internal sealed class CheckProgress(Terminal terminal)
{
    private bool shown;

    public void Show(string category, string? waiting)
    {
        if (!terminal.Interactive) return;
        var text = TableWriter.WithoutControls(waiting is null ? $"{category} …" : $"{category} … {waiting}");
        terminal.Error.Write("\r\e[2K" + (text.Length < terminal.Width ? text : string.Concat(text.AsSpan(0, terminal.Width - 2), "…")));
        shown = true;
    }

    public void Clear()
    {
        if (shown) terminal.Error.Write("\r\e[2K");
        shown = false;
    }
}
