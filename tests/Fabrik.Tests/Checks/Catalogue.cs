using Fabrik.Checks;
using Fabrik.Cli.Commands;
using Fabrik.Cli.Output;

namespace Fabrik.Tests.Checks;

internal static class Catalogue
{
    /// <summary>Every check of the command.</summary>
    public static IReadOnlyList<CheckInfo> All { get; } = CheckCommand.Infos(new Terminal(TextWriter.Null, TextWriter.Null), TimeProvider.System);
}
