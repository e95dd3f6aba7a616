namespace Fabrik.Runs.Usage;

/// <summary>Pods that are asked for together, so that thousands of Jobs an hour make tens of queries.</summary>
/// <param name="Step">Null: every sample is asked for. Else they are so many and so far apart that one for each step will do.</param>
public sealed record PrometheusBatch(IReadOnlyList<PodWindow> Pods, TimeSpan? Step)
{
    /// <summary>A query with so many names stays below 16 KiB and reads only the series of these Pods.</summary>
    public const int MaximumPods = 100;

    /// <summary>Up to here every sample is asked for: 480 of them, where one is taken each 15 s.</summary>
    public static readonly TimeSpan Long = TimeSpan.FromHours(2);

    /// <summary>A range of Pods that ended at different times may be so much wider.</summary>
    private static readonly TimeSpan Spread = TimeSpan.FromHours(1);

    /// <summary>Several scrapes fall into one step: where in it the last one was matters little.</summary>
    private static readonly TimeSpan ShortestStep = TimeSpan.FromMinutes(5);
    private const int Steps = 500;

    public DateTimeOffset From => Pods.Min(pod => pod.From);

    public DateTimeOffset To => Pods.Max(pod => pod.To);

    /// <summary>Every Pod is in one batch.</summary>
    public static IReadOnlyList<PrometheusBatch> Plan(IEnumerable<PodWindow> pods)
    {
        var batches = new List<PrometheusBatch>();
        foreach (var alike in pods.GroupBy(pod => pod.To - pod.From > Long).OrderBy(group => group.Key))
        {
            List<PodWindow> next = [];
            var (from, to) = (DateTimeOffset.MaxValue, DateTimeOffset.MinValue);
            foreach (var pod in alike.OrderBy(pod => pod.To).ThenBy(pod => pod.Key, StringComparer.Ordinal))
            {
                var (earliest, latest) = (pod.From < from ? pod.From : from, pod.To > to ? pod.To : to);
                if (next.Count > 0 && (next.Count == MaximumPods || latest - earliest > Widest(alike.Key, next[0])))
                {
                    batches.Add(Of(next, from, to, alike.Key));
                    next = [];
                    (earliest, latest) = (pod.From, pod.To);
                }

                next.Add(pod);
                (from, to) = (earliest, latest);
            }

            if (next.Count > 0) batches.Add(Of(next, from, to, alike.Key));
        }

        return batches;
    }

    /// <summary>Two halves, for an answer that was too large; one Pod cannot be halved.</summary>
    public IReadOnlyList<PrometheusBatch> Halve() => [this with { Pods = [.. Pods.Take(Pods.Count / 2)] }, this with { Pods = [.. Pods.Skip(Pods.Count / 2)] }];

    private static TimeSpan Widest(bool isLong, PodWindow first) => isLong ? 2 * (first.To - first.From) : Long + Spread;

    private static PrometheusBatch Of(List<PodWindow> pods, DateTimeOffset from, DateTimeOffset to, bool isLong)
    {
        var step = TimeSpan.FromSeconds(Math.Ceiling((to - from).TotalSeconds / Steps));
        return new PrometheusBatch(pods, !isLong ? null : step > ShortestStep ? step : ShortestStep);
    }
}
