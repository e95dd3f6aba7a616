using System.Globalization;

namespace Fabrik.Cli.Output;

/// <summary>What a long command does now: one line for each step on the error stream, which on a terminal moves while it lasts.</summary>
public sealed class Steps(Terminal terminal, TimeProvider clock)
{
    private static readonly TimeSpan Quiet = TimeSpan.FromSeconds(15);
    private string shown = "";
    private long toldAt;

    /// <param name="work">Is given a function that says how far it is; its answer stands behind the step's name.</param>
    public async Task<T> RunAsync<T>(string name, Func<Action<string>, Task<T>> work, Func<T, string>? result = null)
    {
        var began = clock.GetTimestamp();
        toldAt = began;
        shown = "";
        Move(name, "");
        T done;
        try
        {
            done = await work(detail => Move(name, detail));
        }
        catch
        {
            Line(name, shown.Length > 0 ? shown : "not done", good: false, began);
            throw;
        }

        Line(name, result?.Invoke(done) ?? "", good: true, began);
        return done;
    }

    public Task RunAsync(string name, Func<Action<string>, Task> work) => RunAsync<string>(name, async say =>
    {
        await work(say);
        return "";
    });

    /// <summary>Something that is no step of its own.</summary>
    public void Note(string text)
    {
        Clear();
        terminal.Error.WriteLine(TableWriter.WithoutControls($"  {text}"));
    }

    private void Move(string name, string detail)
    {
        shown = detail;
        var text = TableWriter.WithoutControls(detail.Length == 0 ? $"… {name}" : $"… {name}: {detail}");
        if (terminal.Interactive)
        {
            Clear();
            terminal.Error.Write(text.Length < terminal.Width ? text : string.Concat(text.AsSpan(0, terminal.Width - 2), "…"));
        }
        else if (detail.Length > 0 && clock.GetElapsedTime(toldAt) >= Quiet)
        {
            // A log that stands still for long looks as if nothing happened.
            toldAt = clock.GetTimestamp();
            terminal.Error.WriteLine(text);
        }
    }

    private void Line(string name, string result, bool good, long began)
    {
        Clear();
        var took = clock.GetElapsedTime(began);
        var mark = good ? "✓" : "✗";
        if (terminal.Colours) mark = good ? Colours.Green(mark) : Colours.Red(mark);
        terminal.Error.WriteLine($"{mark} {TableWriter.WithoutControls(result.Length == 0 ? name : $"{name}: {result}")}{(took >= TimeSpan.FromSeconds(1) ? string.Create(CultureInfo.InvariantCulture, $"  ({took.TotalSeconds:0.0} s)") : "")}");
    }

    private void Clear()
    {
        if (terminal.Interactive) terminal.Error.Write("\r\e[2K");
    }
}
