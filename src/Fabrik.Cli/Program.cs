using Fabrik.Cli;
using Fabrik.Cli.Output;

return await FabrikCommand.RunAsync(args, Terminal.System(), TimeProvider.System);
