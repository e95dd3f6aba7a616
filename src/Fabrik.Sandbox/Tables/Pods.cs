using System.Text.Json.Nodes;
using Fabrik.Sandbox.Schema;

namespace Fabrik.Sandbox.Tables;

/// <summary>What a Pod's row says about its containers.</summary>
internal static class Pods
{
    public sealed record Summary(string Ready, string Status, string Restarts);

    public static Summary View(JsonObject pod, DateTimeOffset now)
    {
        var spec = pod["spec"] as JsonObject ?? [];
        var status = pod["status"] as JsonObject ?? [];
        var sidecars = spec["initContainers"].Objects().Where(container => container["restartPolicy"].String() == "Always").Select(container => container["name"].String()).ToHashSet();
        var total = spec["containers"].Objects().Count() + sidecars.Count;
        var reason = status["reason"].String() is { Length: > 0 } said ? said : status["phase"].String() ?? "";
        if (Condition(status, "PodScheduled") is { } scheduled && scheduled["reason"].String() == "SchedulingGated") reason = "SchedulingGated";

        var ready = 0;
        long restarts = 0, sidecarRestarts = 0;
        DateTimeOffset? lastRestart = null, lastSidecarRestart = null;
        var starting = false;
        var at = 0;
        foreach (var container in status["initContainerStatuses"].Objects())
        {
            var sidecar = sidecars.Contains(container["name"].String());
            restarts += container["restartCount"].Long() ?? 0;
            lastRestart = Later(lastRestart, container);
            if (sidecar)
            {
                sidecarRestarts += container["restartCount"].Long() ?? 0;
                lastSidecarRestart = Later(lastSidecarRestart, container);
            }

            var terminated = container.At("state", "terminated") as JsonObject;
            if (terminated?["exitCode"].Long() == 0)
            {
                at++;
                continue;
            }

            if (sidecar && container["started"].Bool() == true)
            {
                if (container["ready"].Bool() == true) ready++;
                at++;
                continue;
            }

            reason = terminated is not null ? "Init:" + Ended(terminated)
                : container.At("state", "waiting", "reason").String() is { Length: > 0 } waiting and not "PodInitializing" ? "Init:" + waiting
                : $"Init:{at}/{spec["initContainers"].Objects().Count()}";
            starting = true;
            break;
        }

        if (!starting || Condition(status, "Initialized")?["status"].String() == "True")
        {
            (restarts, lastRestart) = (sidecarRestarts, lastSidecarRestart);
            var running = false;
            foreach (var container in status["containerStatuses"].Objects().Reverse())
            {
                restarts += container["restartCount"].Long() ?? 0;
                lastRestart = Later(lastRestart, container);
                if (container.At("state", "waiting", "reason").String() is { Length: > 0 } waiting) reason = waiting;
                else if (container.At("state", "terminated") is JsonObject terminated) reason = Ended(terminated);
                else if (container["ready"].Bool() == true && container.At("state", "running") is not null)
                {
                    running = true;
                    ready++;
                }
            }

            if (reason == "Completed" && running) reason = Condition(status, "Ready")?["status"].String() == "True" ? "Running" : "NotReady";
        }

        if (pod.At("metadata", "deletionTimestamp") is not null)
        {
            if (status["reason"].String() == "NodeLost") reason = "Unknown";
            else if (status["phase"].String() is not ("Succeeded" or "Failed")) reason = "Terminating";
        }

        var ago = restarts > 0 && lastRestart is { } when ? $"{restarts} ({Ages.Print(now - when)} ago)" : $"{restarts}";
        return new($"{ready}/{total}", reason, ago);
    }

    public static string ReadinessGates(JsonObject pod)
    {
        var gates = pod.At("spec", "readinessGates").Objects().ToArray();
        if (gates.Length == 0) return "<none>";
        var status = pod["status"] as JsonObject ?? [];
        return $"{gates.Count(gate => Condition(status, gate["conditionType"].String() ?? "")?["status"].String() == "True")}/{gates.Length}";
    }

    /// <summary>Told apart by clients that hide finished Pods; null for Pods that are not finished.</summary>
    public static JsonArray? RowConditions(JsonObject pod) => pod.At("status", "phase").String() switch
    {
        "Succeeded" => Completed("Succeeded", "The pod has completed successfully."),
        "Failed" => Completed("Failed", "The pod failed."),
        _ => null,
    };

    private static JsonArray Completed(string reason, string message) =>
        [new JsonObject { ["type"] = "Completed", ["status"] = "True", ["reason"] = reason, ["message"] = message }];

    private static JsonObject? Condition(JsonObject status, string type) => status["conditions"].Objects().FirstOrDefault(condition => condition["type"].String() == type);

    private static string Ended(JsonObject terminated) => terminated["reason"].String() is { Length: > 0 } reason ? reason
        : terminated["signal"].Long() is not (null or 0) and var signal ? $"Signal:{signal}" : $"ExitCode:{terminated["exitCode"].Long() ?? 0}";

    private static DateTimeOffset? Later(DateTimeOffset? time, JsonObject container) =>
        Ages.Read(container.At("lastState", "terminated", "finishedAt")) is { } finished && !(finished < time) ? finished : time;
}
