using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.Kubernetes;
using Fabrik.Sandbox.Controllers;

namespace Fabrik.Sandbox.Nodes;

/// <summary>The state of a Pod at one moment.</summary>
/// <param name="Stage">Changes whenever the status does.</param>
/// <param name="Next">When the next stage begins; null when none follows by itself.</param>
/// <param name="Attempt">Runs of the main container that have begun.</param>
internal sealed record PodMoment(string Stage, JsonObject Status, DateTimeOffset? Next, int Attempt)
{
    public bool Ended => (string?)Status["phase"] is "Succeeded" or "Failed";
}

/// <summary>The life of one Pod on the node, as a function of time: asking late skips what has passed meanwhile.</summary>
internal sealed class PodScript
{
    private static readonly TimeSpan PullTime = TimeSpan.FromSeconds(1), InitTime = TimeSpan.FromSeconds(1), LongestBackoff = TimeSpan.FromMinutes(5);
    private const long IdleBytes = 8 << 20;
    private readonly KubeObject pod;
    private readonly PodNeeds needs;
    private readonly string nodeAddress;
    private readonly DateTimeOffset bound, pulled, running;
    private readonly List<JsonElement> containers, inits;
    private readonly string main;
    private readonly long? memoryLimit, cpuLimit;
    private readonly bool restarts;
    private readonly List<(DateTimeOffset Start, DateTimeOffset End, int ExitCode, string Reason)> attempts = [];

    public PodScript(KubeObject pod, PodNeeds needs, DateTimeOffset bound, string nodeAddress = "127.0.0.1")
    {
        (this.pod, this.needs, this.bound, this.nodeAddress) = (pod, needs, bound, nodeAddress);
        containers = pod.Json.List("spec", "containers").ToList();
        inits = pod.Json.List("spec", "initContainers").ToList();
        var first = containers.Find(container => container.Text("name") == needs.Container);
        if (first.ValueKind == JsonValueKind.Undefined) first = containers.FirstOrDefault();
        main = first.Text("name") ?? "";
        memoryLimit = NodeCapacity.Amount(first.Text("resources", "limits", "memory"));
        cpuLimit = NodeCapacity.Amount(first.Text("resources", "limits", "cpu"), 1000);
        restarts = pod.Json.Text("spec", "restartPolicy") is not "Never";
        pulled = bound + PullTime;
        running = pulled + (InitTime * inits.Count);
    }

    public string Main => main;

    /// <summary>How much of its work is done.</summary>
    public TimeSpan Done(DateTimeOffset now)
    {
        var passed = EvictionOr(now) - running;
        return passed < TimeSpan.Zero ? TimeSpan.Zero : passed < needs.Duration ? passed : needs.Duration;
    }

    public PodMoment At(DateTimeOffset now)
    {
        if (now < pulled) return Waiting("creating", inits.Count > 0 ? "PodInitializing" : "ContainerCreating", null, pulled, now);
        if (needs.Unpullable) return Unpullable(now);
        if (now < running) return Initialising(now);
        if (needs.EvictedAt is { } part && running + (needs.Duration * part) is var evicted && now >= evicted) return Evicted(evicted);
        return Running(now);
    }

    /// <summary>What the containers use from the beginning of an attempt of the main one to its end.</summary>
    public IReadOnlyList<ContainerUse> UsesOf(int attempt)
    {
        var (start, end, _, reason) = AttemptAt(attempt);
        end = EvictionOr(end);

        // The memory of one that is killed for it grows to the limit until then; any other has all it needs when two thirds are done.
        var killed = reason == "OOMKilled" && memoryLimit is not null;
        var (peak, peakAt) = killed ? (memoryLimit!.Value, end) : (Math.Min(needs.Memory ?? IdleBytes, memoryLimit ?? long.MaxValue), start + (needs.Duration * 2 / 3));
        return containers.ConvertAll(container => container.Text("name") == main
            ? new ContainerUse(main, start, end, peakAt, peak, Math.Min(needs.CpuMillis, cpuLimit ?? long.MaxValue))
            : new ContainerUse(container.Text("name") ?? "", running, end, running, IdleBytes, 1));
    }

    private PodMoment Running(DateTimeOffset now)
    {
        var index = 0;
        while (true)
        {
            var (start, end, exitCode, reason) = AttemptAt(index);
            var again = restarts && exitCode != 0;
            if (now < end)
                return Moment($"running-{index}", "Running", MainState(State("running", ("startedAt", start.Stamp())), index, true), EvictionOr(end), index + 1, start);
            if (!again)
                return Moment($"ended-{index}", exitCode == 0 ? "Succeeded" : "Failed", MainState(Terminated(index), index, false), null, index + 1, end);
            var next = AttemptAt(index + 1).Start;
            if (now < next)
            {
                var message = $"back-off {Backoff(index).TotalSeconds:0}s restarting failed container={main} pod={pod.Name}_{pod.Namespace}({pod.Uid})";
                var state = MainState(State("waiting", ("message", message), ("reason", "CrashLoopBackOff")), index + 1, false);
                return Moment($"backoff-{index}", "Running", state, EvictionOr(next), index + 1, end);
            }

            index++;
        }
    }

    private (DateTimeOffset Start, DateTimeOffset End, int ExitCode, string Reason) AttemptAt(int index)
    {
        while (attempts.Count <= index)
        {
            var start = attempts.Count == 0 ? running : attempts[^1].End + Backoff(attempts.Count - 1);
            var (length, exitCode, reason) = needs.Attempt(attempts.Count, memoryLimit);
            // A restart without any time passed would never let go of the processor.
            attempts.Add((start, start + (length > TimeSpan.Zero ? length : TimeSpan.FromMilliseconds(1)), exitCode, reason));
        }

        return attempts[index];
    }

    /// <summary>The first restart comes at once, the following ones after 10 s, 20 s and so on.</summary>
    private static TimeSpan Backoff(int restart)
    {
        if (restart == 0) return TimeSpan.FromSeconds(1);
        var delay = TimeSpan.FromSeconds(10 * Math.Pow(2, Math.Min(restart - 1, 10)));
        return delay < LongestBackoff ? delay : LongestBackoff;
    }

    private DateTimeOffset EvictionOr(DateTimeOffset next) =>
        needs.EvictedAt is { } part && running + (needs.Duration * part) is var evicted && evicted < next ? evicted : next;

    private PodMoment Unpullable(DateTimeOffset now)
    {
        var image = containers[0].Text("image");
        if (containers[0].Text("imagePullPolicy") == "Never")
            return Waiting("never", "ErrImageNeverPull", $"Container image \"{image}\" is not present with pull policy of Never", null, now);
        var backoff = pulled + TimeSpan.FromSeconds(10);
        return now < backoff
            ? Waiting("pull", "ErrImagePull", $"failed to pull and unpack image \"{image}\": failed to resolve reference \"{image}\": not found", backoff, now)
            : Waiting("pullbackoff", "ImagePullBackOff", $"Back-off pulling image \"{image}\"", null, now);
    }

    private PodMoment Initialising(DateTimeOffset now)
    {
        var current = (int)((now - pulled) / InitTime);
        return Moment($"init-{current}", "Pending", _ => Container(State("waiting", ("reason", "PodInitializing")), 0, false, null), pulled + (InitTime * (current + 1)), 0, pulled, current);
    }

    private PodMoment Waiting(string stage, string reason, string? message, DateTimeOffset? next, DateTimeOffset now)
    {
        var state = message is null ? State("waiting", ("reason", reason)) : State("waiting", ("message", message), ("reason", reason));
        return Moment(stage, "Pending", _ => Container((JsonObject)state.DeepClone(), 0, false, null), next, 0, now < pulled ? bound : pulled, inits.Count > 0 ? -1 : null);
    }

    private PodMoment Evicted(DateTimeOffset at)
    {
        var moment = Moment("evicted", "Failed", _ => Container(State("terminated", ("containerID", Id(main)), ("exitCode", 137), ("finishedAt", at.Stamp()), ("reason", "Error"), ("startedAt", running.Stamp())), 0, false, null), null, 1, at);
        moment.Status["reason"] = "Evicted";
        moment.Status["message"] = $"The node was low on resource: memory. Container {main} was using more than its request.";
        moment.Status["conditions"]!.AsArray().Insert(0, Condition("DisruptionTarget", true, at, "TerminationByKubelet", (string?)moment.Status["message"]));
        return moment;
    }

    /// <summary>The main container in this state; the others run beside it until the Pod ends.</summary>
    private Func<string, JsonObject> MainState(JsonObject state, int restartCount, bool up) => name =>
    {
        if (name == main) return Container(state, restartCount, up, restartCount > 0 ? Terminated(restartCount - 1) : null);
        var last = attempts[^1];
        var ended = !up && state.ContainsKey("terminated");
        return Container(
            ended
                ? State("terminated", ("containerID", Id(name)), ("exitCode", 0), ("finishedAt", last.End.Stamp()), ("reason", "Completed"), ("startedAt", running.Stamp()))
                : State("running", ("startedAt", running.Stamp())),
            0, !ended, null);
    };

    private JsonObject Terminated(int attempt)
    {
        var (start, end, exitCode, reason) = attempts[attempt];
        return State("terminated", ("containerID", Id($"{main}/{attempt}")), ("exitCode", exitCode), ("finishedAt", end.Stamp()), ("reason", reason), ("startedAt", start.Stamp()));
    }

    /// <param name="init">The init container that runs now; -1 before the first; null when all are done.</param>
    private PodMoment Moment(string stage, string phase, Func<string, JsonObject> state, DateTimeOffset? next, int attempt, DateTimeOffset since, int? init = null)
    {
        var ended = phase is "Succeeded" or "Failed";
        var statuses = containers.ConvertAll(container => Complete(container, state(container.Text("name") ?? "")));
        var ready = statuses.TrueForAll(status => (bool)status["ready"]!);
        var why = ended ? phase == "Succeeded" ? "PodCompleted" : "PodFailed" : ready ? null : "ContainersNotReady";
        var status = new JsonObject
        {
            ["conditions"] = new JsonArray(
                Condition("PodReadyToStartContainers", !ended && stage != "creating", since, null),
                Condition("Initialized", init is null, init is null ? running : bound, phase == "Succeeded" ? "PodCompleted" : init is null ? null : "ContainersNotInitialized"),
                Condition("Ready", ready, since, why),
                Condition("ContainersReady", ready, since, why),
                Condition("PodScheduled", true, bound, null)),
            ["containerStatuses"] = new JsonArray([.. statuses]),
            ["hostIP"] = nodeAddress,
            ["hostIPs"] = new JsonArray(new JsonObject { ["ip"] = nodeAddress }),
            ["observedGeneration"] = 1,
            ["phase"] = phase,
            ["startTime"] = bound.Stamp(),
        };
        if (inits.Count > 0) status["initContainerStatuses"] = new JsonArray([.. inits.Select((container, index) => Complete(container, InitState(index, init)))]);
        if (stage != "creating")
        {
            var address = $"10.88.{(int)(Draw.Uniform(pod.Uid + "/a") * 256)}.{1 + (int)(Draw.Uniform(pod.Uid + "/b") * 254)}";
            status["podIP"] = address;
            status["podIPs"] = new JsonArray(new JsonObject { ["ip"] = address });
        }

        return new PodMoment(stage, status, next, attempt);
    }

    private JsonObject InitState(int index, int? current)
    {
        var start = pulled + (InitTime * index);
        if (current is { } now && index > now) return Container(State("waiting", ("reason", "PodInitializing")), 0, false, null);
        if (index == current) return Container(State("running", ("startedAt", start.Stamp())), 0, false, null);
        var id = Id(inits[index].Text("name") ?? "");
        return Container(State("terminated", ("containerID", id), ("exitCode", 0), ("finishedAt", (start + InitTime).Stamp()), ("reason", "Completed"), ("startedAt", start.Stamp())), 0, true, null);
    }

    private static JsonObject State(string kind, params ReadOnlySpan<(string Name, JsonNode? Value)> fields)
    {
        var inner = new JsonObject();
        foreach (var (name, value) in fields) inner[name] = value;
        return new JsonObject { [kind] = inner };
    }

    private static JsonObject Container(JsonObject state, int restartCount, bool up, JsonObject? last) => new()
    {
        ["lastState"] = last ?? [],
        ["ready"] = up,
        ["restartCount"] = restartCount,
        ["started"] = up && state.ContainsKey("running"),
        ["state"] = state,
    };

    private JsonObject Complete(JsonElement container, JsonObject status)
    {
        var (name, image) = (container.Text("name") ?? "", container.Text("image") ?? "");
        status["name"] = name;
        status["image"] = image;
        var begun = !status["state"]!.AsObject().ContainsKey("waiting") || (int)status["restartCount"]! > 0;
        status["imageID"] = begun ? $"sha256:{Hash(image)}" : "";
        if (begun)
        {
            var run = name == main ? $"{name}/{(int)status["restartCount"]!}" : name;
            status["containerID"] = (string?)status["state"]!["terminated"]?["containerID"] ?? Id(run);
        }

        if (container.At("resources").Copy() is JsonObject resources)
        {
            status["resources"] = resources;
            if (resources["requests"] is { } requests) status["allocatedResources"] = requests.DeepClone();
        }

        return status;
    }

    private static JsonObject Condition(string type, bool value, DateTimeOffset since, string? reason, string? message = null)
    {
        var condition = new JsonObject { ["lastProbeTime"] = null, ["lastTransitionTime"] = since.Stamp() };
        if (message is not null) condition["message"] = message;
        condition["observedGeneration"] = 1;
        if (reason is not null) condition["reason"] = reason;
        condition["status"] = value ? "True" : "False";
        condition["type"] = type;
        return condition;
    }

    private string Id(string container) => $"containerd://{Hash($"{pod.Uid}/{container}")}";

    private static string Hash(string of) =>
        Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(of)));
}
