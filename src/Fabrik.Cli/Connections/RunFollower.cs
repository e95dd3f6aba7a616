using System.Text.Json;
using Fabrik.Checks;
using Fabrik.Cli.Installing;
using Fabrik.Cli.Output;
using Fabrik.Kubernetes;

namespace Fabrik.Cli.Connections;

/// <summary>How a run ended.</summary>
/// <param name="Job">As it was last.</param>
/// <param name="ExitCode">Of the container that ended it; 1 where no container did.</param>
/// <param name="Reason">The Job's word for a failure, such as DeadlineExceeded, or the container's, such as OOMKilled.</param>
public sealed record RunEnd(KubeObject Job, int ExitCode, string? Reason);

/// <summary>Follows a Job to its end: what it waits for on the error stream, what its containers write on the other.</summary>
public sealed class RunFollower(KubernetesClient cluster, KubeObject job, Terminal terminal, TimeProvider clock)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(300), RecordPatience = TimeSpan.FromSeconds(6), LogPatience = TimeSpan.FromSeconds(5);
    private readonly HashSet<string> followed = new(StringComparer.Ordinal);
    private readonly List<Task> logs = [];
    private (string State, string Text) told = ("", "");

    /// <exception cref="CommandException">The time is over, or somebody deleted the Job.</exception>
    public async Task<RunEnd> FollowAsync(TimeSpan? limit, CancellationToken ct)
    {
        var began = clock.GetTimestamp();
        while (true)
        {
            var now = await cluster.FindAsync(Kinds.Job, job.Namespace, job.Name, ct);
            if (now is null || now.Uid != job.Uid) throw new CommandException(ExitCode.NotFound, "FAB-1116", $"job/{job.Name} was deleted while it ran", "somebody else did that, or its namespace goes", $"what is known of it: fabrik show {job.Uid}");
            var pods = new List<KubeObject>();
            await foreach (var pod in cluster.ListAsync(Kinds.Pod, job.Namespace, ct, new ListOptions { LabelSelector = $"{Names.Labels.ControllerUid}={job.Uid}" })) pods.Add(pod);
            foreach (var pod in pods.OrderBy(pod => pod.CreationTimestamp)) Follow(pod, ct);
            if (Ended(now) is { } ended)
            {
                await Task.WhenAny(Task.WhenAll(logs), Task.Delay(LogPatience, clock, ct));
                Clear();
                return ended is "Complete" ? new RunEnd(now, 0, null) : Failed(now, pods);
            }

            Tell(now, pods);
            if (clock.GetElapsedTime(began) > limit)
            {
                Clear();
                throw new CommandException(ExitCode.Timeout, "FAB-1117", $"job/{job.Name} has not ended after {limit.Value.TotalSeconds:0} s; it goes on", told.Text.Length > 0 ? told.Text : "it runs", $"fabrik show {job.Name} -n {job.Namespace}, or end it: fabrik destroy {job.Name} -n {job.Namespace}");
            }

            await Task.Delay(Pause, clock, ct);
        }
    }

    /// <summary>What Fabrik's API has of it once it has ended there too; null where it is not recorded within some seconds.</summary>
    public static async Task<JsonElement?> RecordedAsync(ApiConnection api, KubeObject job, TimeProvider clock, CancellationToken ct)
    {
        var began = clock.GetTimestamp();
        JsonElement? last = null;
        while (true)
        {
            try
            {
                using var answer = await api.GetAsync($"{Names.Paths.Runs}/{job.Uid}", ct);
                last = answer.RootElement.Clone();
                if (Cells.Wire(last.Value, "outcome") != "running") return last;
            }
            catch (CommandException e) when (e.Code == ExitCode.NotFound)
            {
                // Seen in a moment.
            }

            if (clock.GetElapsedTime(began) > RecordPatience) return last;
            await Task.Delay(Pause, clock, ct);
        }
    }

    private static string? Ended(KubeObject job) => job.Json.List("status", "conditions").Where(condition => condition.Text("status") == "True").Select(condition => condition.Text("type")).FirstOrDefault(type => type is "Complete" or "Failed");

    private static RunEnd Failed(KubeObject job, List<KubeObject> pods)
    {
        var terminated = pods.OrderBy(pod => pod.CreationTimestamp).SelectMany(pod => pod.Json.List("status", "containerStatuses")).Select(status => status.At("state", "terminated")).LastOrDefault(state => state.ValueKind == JsonValueKind.Object && state.Number("exitCode") != 0);
        var code = terminated.ValueKind == JsonValueKind.Object ? terminated.Number("exitCode") : 1;
        var reason = terminated.Text("reason") is { } word and not "Error" ? word : job.Json.Condition("Failed")?.Text("reason");
        return new RunEnd(job, code is > 0 and < 256 ? code : 1, reason);
    }

    /// <summary>Each container's log once, from when it has begun.</summary>
    private void Follow(KubeObject pod, CancellationToken ct)
    {
        foreach (var status in pod.Json.List("status", "containerStatuses"))
        {
            if (status.At("state", "running").ValueKind != JsonValueKind.Object && status.At("state", "terminated").ValueKind != JsonValueKind.Object) continue;
            var name = status.Text("name")!;
            if (followed.Add($"{pod.Uid}/{name}")) logs.Add(PrintAsync(pod, name, pod.Json.List("spec", "containers").Count() > 1 ? $"[{name}] " : "", ct));
        }
    }

    private async Task PrintAsync(KubeObject pod, string container, string prefix, CancellationToken ct)
    {
        try
        {
            await foreach (var line in cluster.FollowLogsAsync(pod.Namespace!, pod.Name, ct, container))
            {
                Clear();
                terminal.Out.WriteLine(prefix + (terminal.Interactive ? TableWriter.WithoutControls(line) : line));
            }
        }
        catch (KubernetesException e)
        {
            terminal.Error.WriteLine($"  no log of {pod.Name}/{container}: {(e.StatusMessage.Length > 0 ? e.StatusMessage : e.Message)}");
        }
        catch (Exception e) when (e is IOException or HttpRequestException)
        {
            terminal.Error.WriteLine($"  the log of {pod.Name}/{container} broke off: {e.Message}");
        }
    }

    private void Tell(KubeObject now, List<KubeObject> pods)
    {
        var (state, text) = pods.Count > 0 ? Waiting(pods[^1].Json) ?? Same("running") : Same(now.Json.At("spec", "suspend").ValueKind == JsonValueKind.True ? "suspended" : "waiting for its Pod");
        if (state == told.State) return;
        told = (state, text);
        var line = TableWriter.WithoutControls($"… {text}");
        if (terminal.Interactive)
        {
            // A line that wraps could not be taken back.
            Clear();
            terminal.Error.Write(line.Length < terminal.Width ? line : $"{line[..(terminal.Width - 2)]}…");
        }
        else if (text != "running") terminal.Error.WriteLine(line);
    }

    /// <summary>What a Pod waits for; null when it runs. The state stays the same while only the wording changes: a kubelet tries an image again and again, with other ports and times in its message.</summary>
    /// <param name="pod">As the API server has it.</param>
    public static (string State, string Text)? Waiting(JsonElement pod)
    {
        if (pod.Condition("PodScheduled") is { } scheduled && scheduled.Text("status") == "False") return ("unscheduled", $"no node yet: {scheduled.Text("message")}");
        foreach (var container in pod.List("status", "initContainerStatuses").Concat(pod.List("status", "containerStatuses")))
        {
            if (container.Text("state", "waiting", "reason") is not { } reason) continue;
            var message = container.Text("state", "waiting", "message") ?? "";
            if (reason is "ErrImagePull" or "ImagePullBackOff")
                return ($"image {container.Text("image")}", $"image {container.Text("image")} was not pulled, and the kubelet tries again: {(message.Length > 0 ? message : reason)}");
            // Until its turn comes a container waits with this word too.
            if (reason is not "PodInitializing") return (reason, message.Length > 0 ? $"{reason}: {message}" : reason);
        }

        return pod.Text("status", "phase") == "Pending" ? Same("starting") : null;
    }

    private static (string State, string Text) Same(string text) => (text, text);

    private void Clear()
    {
        if (terminal.Interactive) terminal.Error.Write("\r\e[2K");
    }
}
