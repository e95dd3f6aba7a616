using System.Collections.Concurrent;
using Fabrik.Kubernetes;
using Fabrik.Runs;
using Fabrik.Runs.Usage;

namespace Fabrik.CronJobs.Usage;

/// <summary>What the cluster itself tells of the containers of Jobs that run now. It keeps no history.</summary>
public sealed class ClusterReadings(KubernetesClient cluster, UsageMetrics metrics, TimeProvider clock)
{
    private const int NodesAtOnce = 8;

    /// <summary>For one list or one node, with all repetitions.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <summary>metrics.k8s.io: one list for the cluster. Needs "list pods.metrics.k8s.io".</summary>
    public Task<List<ContainerReading>> FromMetricsServerAsync(CancellationToken ct) => BoundedAsync(
        UsageSource.MetricsServer,
        async stop =>
        {
            var readings = new List<ContainerReading>();
            await foreach (var pod in cluster.ListAsync(Kinds.PodMetrics, null, stop, new ListOptions { LabelSelector = Names.Labels.JobName })) readings.AddRange(PodMetrics.Read(pod.Json));
            return readings;
        },
        ct);

    /// <summary>One call for each node. A node that does not answer is left out as long as another one does.</summary>
    public async Task<List<ContainerReading>> FromKubeletsAsync(IEnumerable<string> nodes, CancellationToken ct)
    {
        var readings = new ConcurrentBag<List<ContainerReading>>();
        SourceException? failure = null;
        await Parallel.ForEachAsync(nodes, new ParallelOptions { MaxDegreeOfParallelism = NodesAtOnce, CancellationToken = ct }, async (node, stop) =>
        {
            try
            {
                readings.Add(await BoundedAsync(UsageSource.Kubelet, async bound => KubeletSummary.Read(await cluster.GetFromNodeAsync(node, Names.Paths.KubeletSummary, bound)).ToList(), stop));
            }
            catch (SourceException e)
            {
                failure = e;
            }
        });
        return readings.IsEmpty && failure is not null ? throw failure : [.. readings.SelectMany(one => one)];
    }

    private async Task<List<ContainerReading>> BoundedAsync(UsageSource source, Func<CancellationToken, Task<List<ContainerReading>>> read, CancellationToken ct)
    {
        using var timeout = new CancellationTokenSource(Patience, clock);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(ct, timeout.Token);
        var began = clock.GetTimestamp();
        try
        {
            return await read(stop.Token);
        }
        catch (OperationCanceledException e) when (!ct.IsCancellationRequested)
        {
            throw new SourceException(UsageGap.TimedOut, $"no answer within {Patience.TotalSeconds:0} s", e);
        }
        catch (KubernetesException e)
        {
            throw new SourceException(GapOf(e), e.Message, e);
        }
        catch (ArgumentException e)
        {
            throw new SourceException(UsageGap.BadAnswer, e.Message, e); // the name of a node that cannot be one
        }
        finally
        {
            metrics.Asked(source, clock.GetElapsedTime(began));
        }
    }

    private static UsageGap GapOf(KubernetesException e) => e switch
    {
        { Reason: "TooLarge" } => UsageGap.TooLarge,
        { Reason: KubernetesException.NoCredentials } or { Code: 401 } => UsageGap.Unauthorized,
        { Code: 403 } => UsageGap.Forbidden,
        { Code: 404 } => UsageGap.NotServed,
        { Code: 0, Reason: KubernetesException.TimedOut } => UsageGap.TimedOut,
        { Code: 0 } => UsageGap.Unreachable,
        { Code: 429 or >= 500 } => UsageGap.Unavailable,
        _ => UsageGap.BadAnswer,
    };
}
