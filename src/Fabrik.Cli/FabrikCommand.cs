using System.CommandLine;
using Fabrik.Cli.Commands;
using Fabrik.Cli.Commands.Gateway;
using Fabrik.Cli.Output;

namespace Fabrik.Cli;

/// <summary>The command tree, and the one place where an error becomes a message and an exit code.</summary>
public static class FabrikCommand
{
    public static async Task<int> RunAsync(string[] args, Terminal terminal, TimeProvider clock, CancellationToken cancel = default)
    {
        var parsed = Create(terminal, clock).Parse(HistoryCommand.Spelled(args));
        if (parsed.Errors.Count > 0)
        {
            foreach (var error in parsed.Errors) terminal.Error.WriteLine($"error: {error.Message}");
            terminal.Error.WriteLine($"next:  {Invocation(parsed)} --help");
            return (int)ExitCode.Usage;
        }

        var invocation = new InvocationConfiguration { EnableDefaultExceptionHandler = false, Output = terminal.Out, Error = terminal.Error };
        try
        {
            return await parsed.InvokeAsync(invocation, cancel);
        }
        catch (Exception error) when (Failures.Explain(error) is { } explained)
        {
            terminal.Error.WriteLine($"error {explained.Id}: {TableWriter.WithoutControls(explained.Message)}");
            terminal.Error.WriteLine($"why:  {TableWriter.WithoutControls(explained.Why, lines: true)}");
            terminal.Error.WriteLine($"next: {TableWriter.WithoutControls(explained.Next)}");
            return (int)explained.Code;
        }
    }

    public static RootCommand Create(Terminal terminal, TimeProvider clock)
    {
        var root = new RootCommand("Fabrik makes ordinary Kubernetes Jobs cheaper, faster and more reliable without anyone editing them.");
        var globals = new GlobalOptions();
        globals.AddTo(root);
        root.Subcommands.Add(InitCommand.Create(globals, terminal, clock));
        root.Subcommands.Add(InstallCommand.Create(globals, terminal, clock));
        root.Subcommands.Add(InstallCommand.CreateUpgrade(globals, terminal, clock));
        root.Subcommands.Add(UninstallCommand.Create(globals, terminal, clock));
        root.Subcommands.Add(RunCommand.Create(globals, terminal, clock));
        root.Subcommands.Add(RunsCommand.CreateShow(globals, terminal, clock));
        root.Subcommands.Add(DestroyCommand.Create(globals, terminal, clock));
        root.Subcommands.Add(RunsCommand.Create(globals, terminal, clock));
        root.Subcommands.Add(ChangesCommand.Create(globals, terminal, clock));
        root.Subcommands.Add(OptimizerCommand.Create(globals, terminal, clock));
        root.Subcommands.Add(ExperimentsCommand.Create(globals, terminal, clock));
        root.Subcommands.Add(GatewayCommand.Create(globals, terminal, clock));
        root.Subcommands.Add(CheckCommand.Create(globals, terminal, clock));
        root.Subcommands.Add(NamespaceCommand.Create(globals, terminal, clock));
        root.Subcommands.Add(AuditCommand.Create(globals, terminal, clock));
        root.Subcommands.Add(SandboxCommand.Create(terminal, clock));
        root.Subcommands.Add(CompletionCommand.Create(terminal));
        root.Subcommands.Add(VersionCommand.Create(globals, terminal, clock));
        return root;
    }

    private static string Invocation(ParseResult parsed)
    {
        var names = new List<string>();
        for (var command = parsed.CommandResult; command is not null; command = command.Parent as System.CommandLine.Parsing.CommandResult)
            names.Insert(0, command.Command is RootCommand ? "fabrik" : command.Command.Name);
        return string.Join(' ', names);
    }
}
