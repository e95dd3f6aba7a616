using Fabrik.Analysis;
using Fabrik.CronJobs.Hosting;
using Fabrik.Experiments;
using Fabrik.Kubernetes;
using Fabrik.Runs;
using Fabrik.Storage;
using Quartz;

namespace Fabrik.CronJobs;

/// <summary>
/// Looks at every change that is on trial or applied: takes in what was written of its runs since the last look, bets with the blocks that are
/// full, and stores what that shows. Looks cost nothing statistically, and harm should be seen at once. Decides nothing.
/// </summary>
[DisallowConcurrentExecution]
public sealed partial class AnalyseExperiments(KubernetesClient cluster, MemberReader members, AnalysisStore analyses, SchedulerMetrics metrics, TimeProvider clock, ILogger<AnalyseExperiments> logger) : IJob
{
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(20);
    private const int PageSize = 10_000;

    public async ValueTask Execute(IJobExecutionContext context, CancellationToken cancellationToken = default)
    {
        if (!metrics.Leading) return;
        try
        {
            await AnalyseAsync(cancellationToken);
            metrics.Succeeded(nameof(AnalyseExperiments));
        }
        catch (Exception e) when (e is KubernetesException or HttpRequestException or StorageException)
        {
            // The next look takes in what this one did not.
            Log.Failed(logger, e.Message);
        }
    }

    /// <exception cref="KubernetesException">The API server did not tell the changes or the policy.</exception>
    public async Task AnalyseAsync(CancellationToken ct)
    {
        var changes = new List<OptimizationChange>();
        await foreach (var one in cluster.ListAsync(Kinds.OptimizationChange, Names.SystemNamespace, ct))
            if (Read(one) is { } change) changes.Add(change);
        var policy = changes.Exists(IsWatched) ? await PolicyAsync(ct) : new PolicySpec();
        var alerts = new List<Alert>();
        foreach (var change in changes.Where(IsWatched))
        {
            var verdict = Judge(change, changes, policy);
            alerts.AddRange(verdict.Alerts);
        }

        metrics.Alerts(alerts);
    }

    /// <summary>Looks at one change, and keeps what that showed where it is anything new.</summary>
    private Verdict Judge(OptimizationChange change, IReadOnlyCollection<OptimizationChange> all, PolicySpec policy)
    {
        var now = clock.GetUtcNow();
        var look = ExperimentLook.Of(change, all, policy, now);
        var uid = change.Metadata.Uid ?? change.Name;
        var before = analyses.Find(uid, look.StartedAt);
        var state = before?.State ?? new ExperimentState();
        var (revision, phases) = (state.Revision, state.Phases.Count);
        state.Begin(look, now);
        while (true)
        {
            var page = members.Updated(change.Name, state.Revision, PageSize).ToList();
            if (page.Count == 0) break;
            state.Take(page, look);
        }

        var released = state.Release(now, look.IsMemory, look.Rules);
        var verdict = Judgement.Of(state, look);
        if (before is null || released > 0 || state.Revision != revision || state.Phases.Count != phases || !before.Verdict.Says(verdict))
            analyses.Save(new StoredAnalysis(uid, look.StartedAt, change.Name, change.Status.ExperimentId, change.Metadata.Generation, now, change.Spec.Goal, verdict, look.Rules.Threshold, state));
        return verdict;
    }

    private async Task<PolicySpec> PolicyAsync(CancellationToken ct)
    {
        try
        {
            return ObjectJson.Policy((await cluster.GetAsync(Kinds.OptimizerPolicy, null, Names.PolicyName, ct)).Json).Spec;
        }
        catch (KubernetesException e) when (e.IsNotFound)
        {
            return new PolicySpec();
        }
    }

    /// <summary>Null for one that was edited into something else: it must not keep the others from being looked at.</summary>
    private OptimizationChange? Read(KubeObject one)
    {
        try
        {
            return ObjectJson.Change(one.Json);
        }
        catch (System.Text.Json.JsonException e)
        {
            Log.Unreadable(logger, one.Name, e.Message);
            return null;
        }
    }

    /// <summary>On trial, or applied after a trial.</summary>
    private static bool IsWatched(OptimizationChange change) => change.Phase is Phase.ExperimentRunning or Phase.Analyzing || change is { Phase: Phase.Applied, Status.StartedAt: not null };

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Warning, Message = "Experiments were not analysed: {Why}")]
        public static partial void Failed(ILogger logger, string why);

        [LoggerMessage(Level = LogLevel.Warning, Message = "Change {Change} cannot be read and is left out: {Why}")]
        public static partial void Unreadable(ILogger logger, string change, string why);
    }
}
