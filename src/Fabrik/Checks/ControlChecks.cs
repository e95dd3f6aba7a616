using System.Text.Json;

namespace Fabrik.Checks;

/// <param name="Pods">With Fabrik's label, in its own namespaces.</param>
/// <param name="Answers">"ok" where the API answered the caller.</param>
/// <param name="Budgets">PodDisruptionBudgets with Fabrik's label.</param>
public sealed record ControlFacts(InstalledObjects Installation, Reading<IReadOnlyList<JsonElement>> Pods, Reading<string> Answers, Reading<IReadOnlyList<JsonElement>> Budgets);

/// <summary>Whether Fabrik's processes run and answer.</summary>
public static class ControlChecks
{
    public const string Answers = "FAB-3206";
    private const int ManyRestarts = 5;

    public static readonly Category<ControlFacts> Category = new("control",
    [
        new("FAB-3201", "every replica of the webhook is ready", facts => facts.Installation.Workload(facts.Installation.Webhook, $"Deployment {Names.SystemNamespace}/{Names.Objects.Webhook}", Rolled)),
        new("FAB-3202", "API and scheduler are ready", facts => facts.Installation.Workload(facts.Installation.Control, $"StatefulSet {Names.SystemNamespace}/{Names.Objects.Control}", Rolled)),
        new("FAB-3203", "no container is restarted again and again", facts => Pods(facts, pods => Statuses(pods).Where(one => one.Status.Text("state", "waiting", "reason") == "CrashLoopBackOff" || one.Status.Whole("restartCount") >= ManyRestarts).ToList() is { Count: > 0 } crashing
            ? Finding.Failed(crashing.Select(one => $"{one.Pod.Name()}/{one.Status.Text("name")}: {one.Status.Whole("restartCount")} restarts, the last with {Ended(one.Status)}").Few(), Logs(crashing[0]))
            : Finding.Passed($"{pods.Count} Pods"))),
        new("FAB-3204", "every image was pulled", facts => Pods(facts, pods => Statuses(pods).Where(one => one.Status.Text("state", "waiting", "reason") is "ImagePullBackOff" or "ErrImagePull" or "InvalidImageName" or "ErrImageNeverPull").ToList() is { Count: > 0 } missing
            ? Finding.Failed(missing.Select(one => $"{one.Status.Text("image")}: {one.Status.Text("state", "waiting", "message") ?? one.Status.Text("state", "waiting", "reason")}").Distinct(StringComparer.Ordinal).Few(2), "name a registry that the nodes reach in an overlay: images")
            : Finding.Passed())),
        new("FAB-3205", "every Pod found a node", facts => Pods(facts, pods => pods.Where(pod => pod.Condition("PodScheduled") is { } scheduled && scheduled.Text("status") == "False").ToList() is { Count: > 0 } waiting
            ? Finding.Failed($"{waiting[0].Name()}: {waiting[0].Condition("PodScheduled")!.Value.Text("message")}", $"kubectl -n {waiting[0].Namespace()} describe pod {waiting[0].Name()}")
            : Finding.Passed())),
        new(Answers, "Fabrik's API answers this user", facts => facts.Answers.Judge(text => Finding.Passed(text), () => Finding.Failed(facts.Answers.Why!, "fabrik install"), $"kubectl -n {Names.SystemNamespace} logs {Names.Objects.Control}-0 -c api --tail=50")),
        new("FAB-3207", "the command is told where API and gateway are", facts => facts.Installation.Discovery.Judge(
            map => new[] { "server", "certificate-authority-data" }.Where(key => string.IsNullOrEmpty(map.Text("data", key))).ToList() is { Count: > 0 } missing
                ? Finding.Warning($"ConfigMap {Names.SystemNamespace}/{Names.Objects.ApiDiscovery} has no {string.Join(" and no ", missing)}", "name the API with --server; fabrik install writes the ConfigMap")
                : Finding.Passed(map.Text("data", "server")),
            () => Finding.Failed($"there is no ConfigMap {Names.SystemNamespace}/{Names.Objects.ApiDiscovery}", "fabrik install"))),
        new("FAB-3208", "the webhook's replicas are on different nodes", facts => Pods(facts, pods =>
        {
            var nodes = pods.Where(pod => pod.Label("app.kubernetes.io/name") == Names.Objects.Webhook).Select(pod => pod.Text("spec", "nodeName")).OfType<string>().ToList();
            return nodes.Count > 1 && nodes.Distinct(StringComparer.Ordinal).Count() == 1 ? Finding.Warning($"all {nodes.Count} are on {nodes[0]}: with it goes the webhook, and Jobs are created as they came", $"kubectl -n {Names.SystemNamespace} rollout restart deployment/{Names.Objects.Webhook}") : Finding.Passed($"{nodes.Count} replicas");
        })) { Needs = ["FAB-3201"] },
        new("FAB-3209", "a node can be drained", facts => facts.Installation.Outside is { } outside ? Finding.Skipped(outside) : facts.Budgets.Judge(budgets =>
            budgets.Where(budget => budget.Whole("status", "disruptionsAllowed") == 0 && budget.Whole("status", "expectedPods") > 0).Select(Fields.Name).ToList() is { Count: > 0 } stuck
                ? Finding.Warning($"{stuck.Few()} lets no Pod go: kubectl drain waits", $"kubectl get pdb -A -l {Names.Labels.Ours}")
                : Finding.Passed())),
    ])
    { Needs = [AccessChecks.Answers], Phase = CheckPhase.After };

    /// <summary>Of a Deployment or StatefulSet: all replicas are of the newest form, and ready.</summary>
    internal static Finding Rolled(JsonElement workload)
    {
        var (wanted, ready, updated) = (workload.Whole("spec", "replicas") ?? 1, workload.Whole("status", "readyReplicas") ?? 0, workload.Whole("status", "updatedReplicas") ?? 0);
        var next = $"kubectl -n {workload.Namespace()} get pods -l {Names.Labels.Name}={workload.Name()}";
        if (workload.Whole("metadata", "generation") > (workload.Whole("status", "observedGeneration") ?? 0)) return Finding.Failed("the cluster has not looked at its last change yet", next);
        return ready == 0 ? Finding.Failed($"none of {wanted} replicas is ready", next)
            : ready < wanted ? Finding.Failed($"{ready} of {wanted} replicas are ready", next)
            : updated < wanted ? Finding.Warning($"{updated} of {wanted} replicas are of the newest form", next)
            : Finding.Passed($"{ready} of {wanted}");
    }

    private static Finding Pods(ControlFacts facts, Func<IReadOnlyList<JsonElement>, Finding> judge) => facts.Installation.Outside is { } outside ? Finding.Skipped(outside) : facts.Pods.Judge(pods => pods.Count == 0 ? Finding.Failed("there is no Pod of Fabrik", "fabrik install") : judge(pods));

    private static IEnumerable<(JsonElement Pod, JsonElement Status)> Statuses(IEnumerable<JsonElement> pods) => pods.SelectMany(pod => pod.List("status", "initContainerStatuses").Concat(pod.List("status", "containerStatuses")).Select(status => (pod, status)));

    private static string Ended(JsonElement status) => status.At("lastState", "terminated") is { ValueKind: JsonValueKind.Object } ended ? $"{ended.Text("reason")}, exit code {ended.Whole("exitCode")}" : "no reason given";

    private static string Logs((JsonElement Pod, JsonElement Status) one) => $"kubectl -n {one.Pod.Namespace()} logs {one.Pod.Name()} -c {one.Status.Text("name")} --previous";
}
