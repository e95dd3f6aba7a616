namespace Fabrik.Runs.Usage;

/// <summary>One Pod of a run, and when it can have been sampled.</summary>
/// <param name="Since">When its first ordinary container was started, or as near to it as is known; null: not known.</param>
public sealed record PodWindow(string Run, string Namespace, string Pod, DateTimeOffset From, DateTimeOffset To, DateTimeOffset? Since)
{
    /// <summary>Of the Pods of one run, so many at most are asked for.</summary>
    public const int MaximumPods = 2_000;

    /// <summary>Clocks of nodes, API server and Prometheus differ.</summary>
    private static readonly TimeSpan Slack = TimeSpan.FromMinutes(1);

    public string Key => $"{Namespace}/{Pod}";

    /// <summary>The Pods of a run that has ended.</summary>
    public static IReadOnlyList<PodWindow> Of(Run run, Evidence evidence)
    {
        var from = run.StartedAt ?? run.CreatedAt;
        var to = run.FinishedAt ?? from;
        return [.. evidence.Pods.OrderBy(pod => pod.Key, StringComparer.Ordinal).Take(MaximumPods)
            .Select(pod => new PodWindow(run.Id, run.Namespace, pod.Key, from - Slack, (to < from ? from : to) + Slack, pod.Value.StartedAt ?? (evidence.Pods.Count == 1 ? run.StartedAt : null)))];
    }
}
