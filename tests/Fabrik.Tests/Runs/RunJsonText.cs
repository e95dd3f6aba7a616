using System.Text.Json;
using Fabrik.Runs;

namespace Fabrik.Tests.Runs;

/// <summary>Runs as text that a person can read and compare.</summary>
internal static class RunJsonText
{
    private static readonly RunJson Indented = new(new JsonSerializerOptions(RunJson.Default.Options) { WriteIndented = true, IndentSize = 2 });

    public static string Of(Run run) => JsonSerializer.Serialize(run, Indented.Run) + "\n";

    public static string Of(IEnumerable<Run> runs) => string.Concat(runs.OrderBy(run => run.Id, StringComparer.Ordinal).Select(Of));
}
