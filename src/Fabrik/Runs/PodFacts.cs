using System.Text.Json;

namespace Fabrik.Runs;

/// <summary>
/// What was ever learned of one Pod, from its states and from Events. Merging keeps the most that any of them said, so neither the order
/// of arrival nor a repetition nor the Pod's deletion changes the sum.
/// </summary>
public sealed record PodFacts
{
    /// <summary>It got a node.</summary>
    public bool Scheduled { get; init; }

    /// <summary>The scheduler said at least once that no node fits.</summary>
    public bool Refused { get; init; }
    public bool Succeeded { get; init; }
    public bool Failed { get; init; }
    public int Restarts { get; init; }

    /// <summary>When the first of its ordinary containers was started.</summary>
    public DateTimeOffset? StartedAt { get; init; }

    /// <summary>How often the kubelet reported a container as started; tells restarts where no state of the Pod was seen.</summary>
    public int StartedEvents { get; init; }
    public bool OomKilled { get; init; }

    /// <summary>Why no container could start: ErrImagePull, CreateContainerConfigError.</summary>
    public string? Waiting { get; init; }

    /// <summary>Why the cluster took it away: Evicted, PreemptionByScheduler, DeletionByTaintManager.</summary>
    public string? Disruption { get; init; }
    public DateTimeOffset? DisruptedAt { get; init; }

    /// <summary>What it ran with: where the Job says nothing, the LimitRange of its namespace has given its defaults. Null where no state of it was seen.</summary>
    public RunResources? Resources { get; init; }

    /// <summary>Its ordinary containers; more than the Job's where somebody puts one into every Pod. 0 where no state of it was seen.</summary>
    public int Containers { get; init; }

    /// <summary>The container end that tells most: the last one that failed, else the last one.</summary>
    public ContainerEnd? End { get; init; }

    internal static PodFacts Read(JsonElement pod)
    {
        var status = pod.Get("status");
        var facts = new PodFacts
        {
            Scheduled = pod.Get("spec").Text("nodeName") is not null,
            Succeeded = status.Text("phase") == "Succeeded",
            Failed = status.Text("phase") == "Failed",
            Resources = RunResources.OfPod(pod.Get("spec")),
            Containers = pod.Get("spec").Items("containers").Count(),
        };
        if (status.Text("reason") is "Evicted" or "Preempting" or "NodeShutdown" or "NodeLost" or "Terminated" or "NodeAffinity")
            facts = facts with { Disruption = status.Text("reason") };
        foreach (JsonElement? condition in status.Items("conditions"))
        {
            var on = condition.Text("status") == "True";
            facts = condition.Text("type") switch
            {
                "PodScheduled" when on => facts with { Scheduled = true },
                "PodScheduled" when condition.Text("reason") == "Unschedulable" => facts with { Refused = true },
                "DisruptionTarget" when on => facts with { Disruption = facts.Disruption ?? condition.Text("reason") ?? "DisruptionTarget", DisruptedAt = condition.Time("lastTransitionTime") },
                _ => facts,
            };
        }

        foreach (JsonElement? container in status.Items("containerStatuses")) facts = facts with { StartedAt = Json.Earlier(facts.StartedAt, Started(container)) };
        foreach (JsonElement? container in status.Items("initContainerStatuses").Concat(status.Items("containerStatuses")))
        {
            var (now, before) = (ContainerEnd.Read(container.Get("state")), ContainerEnd.Read(container.Get("lastState")));
            facts = facts with
            {
                Restarts = facts.Restarts + Math.Max(0, container.Number("restartCount") ?? 0),
                OomKilled = facts.OomKilled || now is { Reason: "OOMKilled" } || before is { Reason: "OOMKilled" },
                Waiting = Json.Greater(facts.Waiting, WaitingReason(container.Get("state").Get("waiting").Text("reason"))),
                End = ContainerEnd.Merge(facts.End, ContainerEnd.Merge(now, before)),
            };
        }

        return facts;
    }

    /// <summary>What an Event about a Pod tells, or null where it tells nothing that is kept.</summary>
    internal static PodFacts? ReadEvent(JsonElement @event) => @event.Text("reason") switch
    {
        "Scheduled" => new PodFacts { Scheduled = true },
        "FailedScheduling" => new PodFacts { Refused = true },
        "Started" => new PodFacts { Scheduled = true, StartedEvents = EventFacts.Count(@event) },
        "Evicted" or "Preempted" or "Preempting" or "TaintManagerEviction" or "NodeShutdown" =>
            new PodFacts { Disruption = @event.Text("reason"), DisruptedAt = EventFacts.Time(@event) },
        "ErrImageNeverPull" or "FailedMount" or "FailedCreatePodSandBox" or "InspectFailed" => new PodFacts { Waiting = @event.Text("reason") },
        "Failed" when @event.Text("message") is { } message && message.StartsWith("Error: ", StringComparison.Ordinal) && !message.AsSpan(7).Contains(' ') =>
            new PodFacts { Waiting = WaitingReason(message[7..]) },
        _ => null,
    };

    internal static PodFacts Merge(PodFacts a, PodFacts b) => new()
    {
        Scheduled = a.Scheduled || b.Scheduled,
        Refused = a.Refused || b.Refused,
        Succeeded = a.Succeeded || b.Succeeded,
        Failed = a.Failed || b.Failed,
        Restarts = Math.Max(a.Restarts, b.Restarts),
        StartedAt = Json.Earlier(a.StartedAt, b.StartedAt),
        StartedEvents = Math.Max(a.StartedEvents, b.StartedEvents),
        OomKilled = a.OomKilled || b.OomKilled,
        Waiting = Json.Greater(a.Waiting, b.Waiting),
        Disruption = Json.Greater(a.Disruption, b.Disruption),
        DisruptedAt = Json.Later(a.DisruptedAt, b.DisruptedAt),
        Resources = RunResources.Greater(a.Resources, b.Resources),
        Containers = Math.Max(a.Containers, b.Containers),
        End = ContainerEnd.Merge(a.End, b.End),
    };

    internal DateTimeOffset EndedAt => Json.Later(End?.At, DisruptedAt) ?? DateTimeOffset.MinValue;

    private static DateTimeOffset? Started(JsonElement? container) => new[] { container.Get("state"), container.Get("lastState") }
        .SelectMany(state => new[] { state.Get("running"), state.Get("terminated") }).Select(state => state.Time("startedAt")).Aggregate((DateTimeOffset?)null, Json.Earlier);

    private static string? WaitingReason(string? reason) =>
        reason is "ContainerCreating" or "PodInitializing" or "CrashLoopBackOff" || reason?.Length > 64 ? null : reason;
}

/// <summary>One container that ended.</summary>
public sealed record ContainerEnd(int ExitCode, string? Reason, DateTimeOffset? At)
{
    internal static ContainerEnd? Read(JsonElement? state) => state.Get("terminated") is { } ended && ((JsonElement?)ended).Number("exitCode") is { } code
        ? new ContainerEnd(code, ended.Text("reason"), ((JsonElement?)ended).Time("finishedAt"))
        : null;

    /// <summary>The later failure, else the later end; ties are broken by content so that the order of arrival does not matter.</summary>
    internal static ContainerEnd? Merge(ContainerEnd? a, ContainerEnd? b)
    {
        if (a is null || b is null) return a ?? b;
        return Compare(a, b) >= 0 ? a : b;
    }

    private static int Compare(ContainerEnd a, ContainerEnd b)
    {
        var order = (a.ExitCode != 0).CompareTo(b.ExitCode != 0);
        if (order == 0) order = Nullable.Compare(a.At, b.At);
        if (order == 0) order = a.ExitCode.CompareTo(b.ExitCode);
        return order != 0 ? order : string.CompareOrdinal(a.Reason, b.Reason);
    }
}
