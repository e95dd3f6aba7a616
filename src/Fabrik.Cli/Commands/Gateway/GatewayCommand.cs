using System.CommandLine;
using Fabrik.Cli.Output;

namespace Fabrik.Cli.Commands.Gateway;

/// <summary>What concerns calls of models.</summary>
public static class GatewayCommand
{
    public static Command Create(GlobalOptions globals, Terminal terminal, TimeProvider clock)
    {
        var command = new Command("gateway", "See what calls of models cost");
        command.Subcommands.Add(GatewayUsageCommand.Create(globals, terminal, clock));
        return command;
    }
}
