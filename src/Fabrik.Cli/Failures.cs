using System.Text.Json;

namespace Fabrik.Cli;

/// <summary>Turns what can go wrong outside into what a person can do about it; null for a defect of ours, which shows its stack.</summary>
public static class Failures
{
    public static CommandException? Explain(Exception error) => error switch
    {
        CommandException known => known,
        HttpRequestException http => new(ExitCode.Error, "FAB-1001", "the server did not answer", http.Message, "check --server or the kubeconfig's cluster, then try again"),
        TimeoutException or TaskCanceledException { InnerException: TimeoutException } => new(ExitCode.Timeout, "FAB-1002", "the server took too long", error.Message, "try again; if it stays so, look at the API's own health: kubectl -n fabrik-system get pods"),
        JsonException json => new(ExitCode.Error, "FAB-1003", "the server's answer is not what this version understands", json.Message, "compare versions: fabrik version"),
        _ => null,
    };
}
