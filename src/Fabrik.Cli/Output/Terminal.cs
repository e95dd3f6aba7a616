namespace Fabrik.Cli.Output;

/// <summary>Where a command writes: data to <see cref="Out"/>, everything else to <see cref="Error"/>.</summary>
public sealed record Terminal(TextWriter Out, TextWriter Error)
{
    /// <summary>A person reads <see cref="Out"/> as it is written.</summary>
    public bool Interactive { get; init; }

    public bool Colours { get; init; }

    /// <summary>Columns; tables are cut to it only when <see cref="Interactive"/>.</summary>
    public int Width { get; init; } = 120;

    /// <summary>Asks a person and waits for a line; null where nobody sits there, and then nothing may be asked.</summary>
    public Func<string, string?>? Ask { get; init; }

    public Func<string, string?> Variable { get; init; } = Environment.GetEnvironmentVariable;

    public static Terminal System()
    {
        var interactive = !Console.IsOutputRedirected;
        return new Terminal(Console.Out, Console.Error)
        {
            Interactive = interactive,
            Colours = interactive && string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR")) && Environment.GetEnvironmentVariable("TERM") != "dumb",
            Ask = interactive && !Console.IsInputRedirected ? Asked : null,
            Width = interactive ? Math.Max(40, Console.WindowWidth) : 120,
        };
    }

    private static string? Asked(string question)
    {
        Console.Error.Write(question);
        return Console.In.ReadLine();
    }
}
