namespace Fabrik.Cli.Output;

/// <summary>One line that moves on a terminal; a new line at every tenth elsewhere, so that a log stays short.</summary>
public sealed class DemoProgress(Terminal terminal)
{
    private const int BarWidth = 30;
    private int told = -1;

    public void Show(int submitted, int finished, int total)
    {
        if (total == 0) return;
        var tenth = 10 * finished / total;
        if (!terminal.Interactive)
        {
            if (tenth == told) return;
            told = tenth;
            terminal.Error.WriteLine($"submitted {submitted} of {total} Jobs, {finished} finished");
            return;
        }

        var full = BarWidth * finished / total;
        var waiting = Math.Max(0, BarWidth * submitted / total - full);
        terminal.Error.Write($"\r\e[2K{new string('█', full)}{new string('▒', waiting)}{new string('·', Math.Max(0, BarWidth - full - waiting))}  submitted {submitted} of {total} Jobs, {finished} finished");
    }

    public void End()
    {
        if (terminal.Interactive) terminal.Error.WriteLine();
    }
}
