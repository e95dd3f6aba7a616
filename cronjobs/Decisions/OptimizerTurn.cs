using System.Text.Json;
using System.Text.Json.Nodes;
using Fabrik.CronJobs.Hosting;
using Fabrik.Decisions;
using Fabrik.Experiments;
using Fabrik.Kubernetes;
using Fabrik.Storage;

namespace Fabrik.CronJobs.Decisions;

/// <summary>
/// The one place where steps of changes are made: one turn at a time reads all there is, closes what a crash left open, lets the rules plan, and
/// for each step records the intent, writes the status of the object as it was read, and records what became of it. After a kill between any
/// two of these the next turn finds in status.transition whether the step was taken. Only the holder of the Lease has turns.
/// </summary>
public sealed partial class OptimizerTurn(
    KubernetesClient cluster, OptimizerObjects objects, TransitionStore record, AnalysisStore analyses, SchedulerMetrics leading, OptimizerMetrics metrics, TimeProvider clock, ILogger<OptimizerTurn> logger) : IDisposable
{
    /// <summary>A step that the server refused is not tried again before, unless the object has changed.</summary>
    private static readonly TimeSpan RefusedFor = TimeSpan.FromMinutes(10);

    private readonly SemaphoreSlim turn = new(1, 1);

    /// <param name="plan">Pure rules over what was read.</param>
    /// <param name="ct">Ends the turn between two writes, or in the middle of one.</param>
    /// <returns>False where another replica leads.</returns>
    /// <exception cref="KubernetesException">The objects could not be read.</exception>
    /// <exception cref="StorageException">The record could not be read or written: nothing was done that it does not know.</exception>
    public async Task<bool> TakeAsync(Func<OptimizerView, IReadOnlyList<Step>> plan, CancellationToken ct)
    {
        await turn.WaitAsync(ct);
        try
        {
            if (!leading.Leading) return false;
            var (changes, present) = await objects.ChangesAsync(ct);
            Note(changes, present);
            metrics.Seen(changes);
            var view = new OptimizerView(clock.GetUtcNow(), await objects.PolicyAsync(ct), changes, await objects.NamespacesAsync(ct), record.RolledBack(), Findings);
            foreach (var step in plan(view))
            {
                if (!leading.Leading) return false;
                await TakeAsync(step, ct);
            }

            return true;
        }
        finally
        {
            turn.Release();
        }
    }

    public void Dispose() => turn.Dispose();

    private void Note(IReadOnlyList<OptimizationChange> changes, IReadOnlySet<string> present)
    {
        var now = clock.GetUtcNow();
        var state = record.State([.. changes.Select(change => change.Status.Transition).OfType<string>()]);
        var told = Bookkeeping.Of(changes, present, state, now, () => NewId(now));
        if (!told.IsEmpty) record.Note(told, now);
        metrics.Incidents(state.Incidents.Count - told.Reviews.Count);
    }

    private async Task TakeAsync(Step step, CancellationToken ct)
    {
        var transition = Transition.Of(step, NewId(clock.GetUtcNow()), clock.GetUtcNow());
        if (record.WasRefused(transition.ChangeUid, transition.ResourceVersion, step.To, transition.At - RefusedFor)) return;
        record.Intend(transition);
        try
        {
            await cluster.PatchAsync(Kinds.OptimizationChange, Names.SystemNamespace, step.Change.Name, PatchType.Merge, Patch(step, transition), ct, new WriteOptions { FieldManager = Names.FieldManager, Subresource = "status" });
        }
        catch (KubernetesException e) when (!e.IsTransient)
        {
            var result = e.IsConflict ? TransitionResult.Overtaken : e.IsNotFound ? TransitionResult.Gone : TransitionResult.Refused;
            record.Became(transition.Id, result, e.Message, clock.GetUtcNow());
            Log.NotTaken(logger, step.Change.Name, WireNames.Of(step.To), e.Message);
            return;
        }
        catch (KubernetesException e)
        {
            // Whether it was written is not known; the next turn sees.
            Log.NotTaken(logger, step.Change.Name, WireNames.Of(step.To), e.Message);
            return;
        }

        record.Became(transition.Id, TransitionResult.Written, null, clock.GetUtcNow());
        metrics.Taken(step);
        if (step.Incident is null) Log.Taken(logger, step.Change.Name, WireNames.Of(step.To), step.Next.Reason);
        else Log.RolledBack(logger, step.Change.Name, step.Incident, step.Next.Reason);
        await TellAsync(step, transition, ct);
    }

    /// <summary>The whole status: nulls take away what is not in it any more. The version makes the write fail where anybody else wrote since.</summary>
    private static JsonObject Patch(Step step, Transition transition)
    {
        var status = JsonSerializer.SerializeToNode(step.Next with { Transition = transition.Id }, ObjectJson.Default.ChangeStatus)!.AsObject();
        foreach (var property in ObjectJson.Default.ChangeStatus.Properties) status.TryAdd(property.Name, null);
        return new JsonObject { ["metadata"] = new JsonObject { ["resourceVersion"] = transition.ResourceVersion }, ["status"] = status };
    }

    /// <summary>An Event on the change, for kubectl describe. It is a courtesy: the record does not depend on it.</summary>
    private async Task TellAsync(Step step, Transition transition, CancellationToken ct)
    {
        var about = new JsonObject { ["kind"] = Kinds.OptimizationChange.Kind, ["namespace"] = Names.SystemNamespace, ["name"] = step.Change.Name, ["uid"] = step.Change.Metadata.Uid };
        var reason = step.From == step.To ? "Updated" : step.To.ToString();
        var message = step.Next.Reason is { Length: > 1000 } text ? text[..1000] : step.Next.Reason;
        try
        {
            await Told.EventAsync(cluster, Names.SystemNamespace, $"{step.Change.Name}.{transition.Id[^12..]}", about, step.Incident is not null, reason, message, transition.At, ct);
        }
        catch (KubernetesException e)
        {
            Log.Untold(logger, step.Change.Name, e.Message);
        }
    }

    private Findings? Findings(OptimizationChange change) =>
        analyses.Find(Bookkeeping.Uid(change), change.Status.StartedAt ?? change.Metadata.CreationTimestamp ?? DateTimeOffset.UnixEpoch) is { } found ? new Findings(found.AnalyzedAt, found.Verdict, found.State) : null;

    private static string NewId(DateTimeOffset now) => Guid.CreateVersion7(now).ToString();

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Information, Message = "Change {Change} is {Phase}: {Why}")]
        public static partial void Taken(ILogger logger, string change, string phase, string? why);

        [LoggerMessage(Level = LogLevel.Error, Message = "Change {Change} was rolled back ({Incident}): {Why}")]
        public static partial void RolledBack(ILogger logger, string change, string incident, string? why);

        [LoggerMessage(Level = LogLevel.Warning, Message = "Change {Change} did not become {Phase}, which is decided anew: {Why}")]
        public static partial void NotTaken(ILogger logger, string change, string phase, string why);

        [LoggerMessage(Level = LogLevel.Debug, Message = "No Event was written for change {Change}: {Why}")]
        public static partial void Untold(ILogger logger, string change, string why);
    }
}
