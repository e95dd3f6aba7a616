using System.Text.Json;

namespace Fabrik.Checks;

/// <param name="Config">The API server's address, from the kubeconfig.</param>
/// <param name="Version">What /version answers.</param>
/// <param name="Took">How long that took.</param>
/// <param name="User">The caller's name.</param>
/// <param name="Ready">What /readyz says; its text where it is not "ok".</param>
public sealed record AccessFacts(Reading<string> Config, Reading<JsonElement> Version, TimeSpan Took, Reading<string> User, Reading<string> Ready);

/// <summary>Whether there is a cluster to speak of, and who speaks.</summary>
public static class AccessChecks
{
    public const string Answers = "FAB-3002";

    private static readonly TimeSpan Slow = TimeSpan.FromSeconds(1);

    public static readonly Category<AccessFacts> Category = new("cluster-access",
    [
        new("FAB-3001", "the kubeconfig can be used", facts => facts.Config.IsRead
            ? Finding.Passed(facts.Config.Value)
            : Finding.Failed(facts.Config.Why!, "name another file with --kubeconfig or another context with --context: kubectl config get-contexts")),
        new(Answers, "the API server answers", facts => facts.Version.IsRead && facts.Version.Value.Text("gitVersion") is { } version
            ? Finding.Passed(version)
            : Finding.Failed(facts.Version.Why ?? "what answers is no Kubernetes API server", "kubectl cluster-info")) { Needs = ["FAB-3001"] },
        new("FAB-3003", "the caller is known to it", facts => facts.User.Judge(
            user => user == "system:anonymous" ? Finding.Failed("the kubeconfig has no credentials: the API server takes the caller for system:anonymous", "log in again, or choose another context: kubectl config get-contexts") : Finding.Passed(user),
            next: "kubectl auth whoami")) { Needs = [Answers] },
        new("FAB-3004", "it says of itself that it is ready", facts => facts.Ready.Judge(
            text => text.Trim() == "ok" ? Finding.Passed() : Finding.Warning($"/readyz says: {text}", "kubectl get --raw '/readyz?verbose'"),
            next: "kubectl get --raw '/readyz?verbose'")) { Needs = [Answers] },
        new("FAB-3005", "it answers within a second", facts => facts.Took < Slow
            ? Finding.Passed($"{facts.Took.TotalMilliseconds:0} ms")
            : Finding.Warning($"the shortest of its answers took {facts.Took.TotalSeconds:0.0} s; every Job that is created waits for it and for the webhook", "kubectl get --raw '/readyz?verbose'")) { Needs = [Answers] },
    ]);
}
