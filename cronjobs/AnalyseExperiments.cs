using Fabrik.Analysis;
using Fabrik.CronJobs.Decisions;
using Fabrik.CronJobs.Hosting;
using Fabrik.Decisions;
using Fabrik.Experiments;
using Fabrik.Storage;

namespace Fabrik.CronJobs;

/// <summary>
/// Looks at every change that is on trial or applied: takes in what was written of its runs since the last look, bets with the blocks that are
/// full, stores what that shows, and at once takes back what does harm. Looks cost nothing statistically. Everything else that may be made of
/// what they show is for <see cref="DecideExperiments"/>.
/// </summary>
public sealed class AnalyseExperiments(OptimizerTurn turn, MemberReader members, ModelCallStore calls, AnalysisStore analyses, OptimizerMetrics told, CronJobsOptions options, SchedulerMetrics metrics, ILogger<AnalyseExperiments> logger)
    : OptimizerTask(metrics, logger)
{
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(20);
    private const int PageSize = 10_000;

    public override Task<bool> RunAsync(CancellationToken ct) => turn.TakeAsync(view =>
    {
        told.Alerts([.. view.Changes.Where(IsWatched).SelectMany(change => Judge(change, view).Alerts)]);
        return Guarding.Plan(view);
    }, ct);

    /// <summary>Looks at one change, and keeps what that showed where it is anything new.</summary>
    private Verdict Judge(OptimizationChange change, OptimizerView view)
    {
        var look = ExperimentLook.Of(change, view.Changes, view.Policy, view.Now) with { Prices = options.Prices };
        var uid = change.Metadata.Uid ?? change.Name;
        var before = analyses.Find(uid, look.StartedAt);
        var state = before?.State ?? new ExperimentState();
        var (revision, phases) = (state.Revision, state.Phases.Count);
        state.Begin(look, view.Now);
        while (true)
        {
            var page = members.Updated(change.Name, state.Revision, PageSize).ToList();
            if (page.Count == 0) break;
            state.Take(page, look);
        }

        var due = state.Due(view.Now, PageSize);
        if (due.Count > 0) state.Pay(due, calls.OfRuns(due.Select(run => run.RunId)));
        var released = state.Release(view.Now, look.IsMemory, look.Rules);
        var verdict = Judgement.Of(state, look);
        if (before is null || released > 0 || due.Count > 0 || state.Revision != revision || state.Phases.Count != phases || !before.Verdict.Says(verdict))
            analyses.Save(new StoredAnalysis(uid, look.StartedAt, change.Name, change.Status.ExperimentId, change.Metadata.Generation, view.Now, change.Spec.Goal, verdict, look.Rules.Threshold, state));
        return verdict;
    }

    /// <summary>On trial, waiting for a decision or a person, or applied after a trial.</summary>
    private static bool IsWatched(OptimizationChange change) => change.Phase is Phase.ExperimentRunning or Phase.Analyzing or Phase.Approved || change is { Phase: Phase.Applied, Status.StartedAt: not null };
}
