using System.Text.Json;

namespace Fabrik.Cli.Output;

/// <summary>One column of a list; <paramref name="Wide"/> ones appear with -o wide alone.</summary>
public sealed record Column(string Header, Func<JsonElement, string?> Cell, bool Wide = false)
{
    public Func<string, string>? Colour { get; init; }
}
