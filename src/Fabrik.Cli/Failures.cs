using System.Text.Json;
using System.Text.RegularExpressions;
using Fabrik.Kubernetes;
using Fabrik.Kubernetes.Configuration;

namespace Fabrik.Cli;

/// <summary>Turns what can go wrong outside into what a person can do about it; null for a defect of ours, which shows its stack.</summary>
public static partial class Failures
{
    public static CommandException? Explain(Exception error) => error switch
    {
        CommandException known => known,
        HttpRequestException { InnerException: CommandException or KubernetesException } within => Explain(within.InnerException!),
        KubernetesException refused => Refused(refused),
        KubeconfigException config => new(ExitCode.Error, "FAB-1004", "the cluster's configuration cannot be used", config.Message, "name another file with --kubeconfig or another context with --context; to try Fabrik out without a cluster: fabrik sandbox"),
        HttpRequestException http => new(ExitCode.Error, "FAB-1001", "the server did not answer", http.Message, "check --server or the kubeconfig's cluster, then try again"),
        TimeoutException or TaskCanceledException { InnerException: TimeoutException } => new(ExitCode.Timeout, "FAB-1002", "the server took too long", error.Message, "try again; if it stays so, look at the API's own health: kubectl -n fabrik-system get pods"),
        JsonException json => new(ExitCode.Error, "FAB-1003", "the server's answer is not what this version understands", json.Message, "compare versions: fabrik version"),
        _ => null,
    };

    /// <summary>Kubernetes' word, with 403, for whatever is created in a namespace that goes.</summary>
    private const string Ending = "NamespaceTerminating";

    private static CommandException Refused(KubernetesException error) => error switch
    {
        { IsNotFound: true } => new(ExitCode.NotFound, "FAB-1005", "the cluster does not have it", error.Message, "look at what there is with the command's list; are Fabrik's objects installed here? kubectl get crd optimizationchanges.fabrik.dev"),
        { IsForbidden: true } when error.Causes.FirstOrDefault(cause => cause.Reason == Ending) is { } ending => new(
            ExitCode.Error, "FAB-1121", "a namespace is still being deleted", ending.Message, "wait until it is gone, then the same again: kubectl get namespaces --field-selector status.phase=Terminating"),
        { IsForbidden: true } when Missing().Match(error.Message) is { Success: true } missing => Lacking(error, missing),
        { IsForbidden: true } or { IsUnauthorized: true } => new(ExitCode.Forbidden, "FAB-1006", "the cluster does not allow it", error.Message, "ask for the permission, or use another context with --context"),
        { Reason: KubernetesException.TimedOut } => new(ExitCode.Timeout, "FAB-1007", "the cluster took too long", error.Message, "try again"),
        { Reason: KubernetesException.Unreachable } => new(ExitCode.Error, "FAB-1008", "the cluster cannot be reached", error.Message, "check that it runs and that the kubeconfig names it: kubectl cluster-info"),
        _ => new(ExitCode.Error, "FAB-1009", "the cluster refused the request", error.Message, "read the reason above; kubectl shows the same objects"),
    };

    /// <summary>Who lacks which verb on what, from the API server's own sentence.</summary>
    private static CommandException Lacking(KubernetesException error, Match missing)
    {
        var (verb, resource, group) = (missing.Groups["verb"].Value, missing.Groups["resource"].Value, missing.Groups["group"].Value);
        var full = group.Length == 0 ? resource : $"{resource}.{group}";
        var where = missing.Groups["namespace"] is { Success: true } ns ? $"-n {ns.Value}" : "--all-namespaces";
        return new CommandException(
            ExitCode.Forbidden,
            "FAB-1006",
            "the cluster does not allow it",
            $"{missing.Groups["user"].Value} lacks the verb {verb} on {full} {(missing.Groups["namespace"] is { Success: true } scope ? $"in namespace {scope.Value}" : "at the cluster scope")}: {error.StatusMessage}",
            $"ask an administrator for a role with it, or use another context with --context; then: kubectl auth can-i {verb} {full} {where}");
    }

    [GeneratedRegex("User \"(?<user>[^\"]*)\" cannot (?<verb>[a-z]+) resource \"(?<resource>[^\"]+)\" in API group \"(?<group>[^\"]*)\"(?: in the namespace \"(?<namespace>[^\"]+)\")?", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex Missing();
}
