using System.Globalization;
using Fabrik.Reports;

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

    /// <summary>A step of a change, above the line that moves.</summary>
    /// <param name="after">Simulated time since the start.</param>
    public void Tell(HistoryEntry step, TimeSpan after)
    {
        if (terminal.Interactive) terminal.Error.Write("\r\e[2K");
        var why = step.Reasons.Count > 0 ? $": {FirstSentence(step.Reasons[0])}" : "";
        terminal.Out.WriteLine(TableWriter.WithoutControls($"{Clock(after)}  {step.Change} {(step.From == step.To ? "goes on" : $"is {step.To}")}{why}"));
    }

    private static string FirstSentence(string text) => text.IndexOf(". ", StringComparison.Ordinal) is > 0 and var end ? text[..end] : text;

    private static string Clock(TimeSpan after) => after <= TimeSpan.Zero ? "  0:00" : string.Create(CultureInfo.InvariantCulture, $"{(int)after.TotalHours,3}:{after.Minutes:00}");

    public void End()
    {
        if (terminal.Interactive) terminal.Error.WriteLine();
    }
}
