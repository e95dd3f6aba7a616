using System.CommandLine;
using Fabrik.Cli.Output;

namespace Fabrik.Cli.Commands.Gateway;

/// <summary>What concerns calls of models.</summary>
public static class GatewayCommand
{
    public static Command Create(GlobalOptions globals, Terminal terminal, TimeProvider clock)
    {
        var command = new Command("gateway", "Calls of models: whether they can be made, what they cost, how far their budgets are used, at which prices, and who else may make them");
        command.Subcommands.Add(GatewayStatusCommand.Create(globals, terminal, clock));
        command.Subcommands.Add(GatewayTestCommand.Create(globals, terminal, clock));
        command.Subcommands.Add(GatewayUsageCommand.Create(globals, terminal, clock));
        command.Subcommands.Add(GatewayBudgetsCommand.Create(globals, terminal, clock));
        command.Subcommands.Add(GatewayPricesCommand.Create(globals, terminal, clock));
        command.Subcommands.Add(GatewayKeysCommand.Create(globals, terminal, clock));
        return command;
    }
}
