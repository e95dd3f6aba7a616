using System.CommandLine;
using Fabrik.Cli.Output;

namespace Fabrik.Cli.Commands;

/// <summary>What the optimizer does, and what people say to it.</summary>
public static class OptimizerCommand
{
    public static Command Create(GlobalOptions globals, Terminal terminal, TimeProvider clock)
    {
        var command = new Command("optimizer", "See what the optimizer does, decide, take back, pause, and set its policy");
        command.Subcommands.Add(StatusCommand.Create(globals, terminal, clock));
        command.Subcommands.Add(ChangesCommand.Create(globals, terminal, clock));
        command.Subcommands.Add(DecideCommand.Rollback(globals, terminal, clock));
        command.Subcommands.Add(HistoryCommand.Create(globals, terminal, clock));
        command.Subcommands.Add(PolicyCommands.Pause(globals, terminal, clock));
        command.Subcommands.Add(PolicyCommands.Resume(globals, terminal, clock));
        command.Subcommands.Add(PolicyCommands.Config(globals, terminal, clock));
        return command;
    }
}
