using Fabrik.Cli;
using Fabrik.Cli.Output;

namespace Fabrik.Tests.Cli;

/// <summary>Runs the command in this process and keeps what it printed.</summary>
internal sealed record Command(int Code, string Out, string Error)
{
    public static async Task<Command> RunAsync(string[] arguments, Func<string, string?>? variable = null)
    {
        var (output, error) = (new StringWriter(), new StringWriter());
        var terminal = new Terminal(output, error) { Variable = variable ?? (_ => null) };
        var code = await FabrikCommand.RunAsync(arguments, terminal, TimeProvider.System, TestContext.Current.CancellationToken);
        return new Command(code, output.ToString(), error.ToString());
    }
}
