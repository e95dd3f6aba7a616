using Fabrik.Experiments;

namespace Fabrik.Decisions;

/// <summary>What the record says before a turn.</summary>
/// <param name="Open">Steps without a result, and those that seemed overtaken and that a status names nevertheless.</param>
/// <param name="Last">The last written step of each change, by UID.</param>
/// <param name="Incidents">Not reviewed yet.</param>
public sealed record RecordState(IReadOnlyList<OpenStep> Open, IReadOnlyDictionary<string, LastStep> Last, IReadOnlyList<OpenIncident> Incidents);

/// <param name="HasResult">It seemed overtaken, gone or refused.</param>
public sealed record OpenStep(string Id, string ChangeUid, Phase? To, bool HasResult);

/// <param name="Phase">Null: deleted.</param>
public sealed record LastStep(string Change, Phase? Phase);

public sealed record OpenIncident(string Transition, string ChangeUid, DateTimeOffset At);

public sealed record IncidentReview(string Transition, string? Actor, string? Reason, DateTimeOffset At);

/// <summary>
/// What the objects tell that the record does not know yet: whether a step that was cut off was taken, what others did, what is gone, and
/// which rollbacks a person has looked at. Empty when all is told; doing it twice adds nothing.
/// </summary>
public sealed record Bookkeeping(IReadOnlyList<(string Transition, TransitionResult Result)> Results, IReadOnlyList<Transition> Observed, IReadOnlyList<IncidentReview> Reviews)
{
    public bool IsEmpty => Results.Count == 0 && Observed.Count == 0 && Reviews.Count == 0;

    /// <param name="changes">Those that can be read.</param>
    /// <param name="present">UIDs of all there are.</param>
    /// <param name="recorded">What the record says.</param>
    /// <param name="now">Time of what is seen now.</param>
    /// <param name="newId">Gives a new identifier each time.</param>
    public static Bookkeeping Of(IReadOnlyList<OptimizationChange> changes, IReadOnlySet<string> present, RecordState recorded, DateTimeOffset now, Func<string> newId)
    {
        var byUid = changes.ToDictionary(Uid);
        var results = new List<(string, TransitionResult)>();
        var last = recorded.Last.ToDictionary();
        foreach (var step in recorded.Open)
        {
            if (byUid.TryGetValue(step.ChangeUid, out var change) && change.Status.Transition == step.Id)
            {
                results.Add((step.Id, TransitionResult.Written));
                last[step.ChangeUid] = new LastStep(change.Name, step.To);
            }
            else if (!step.HasResult)
            {
                results.Add((step.Id, present.Contains(step.ChangeUid) ? TransitionResult.Overtaken : TransitionResult.Gone));
            }
        }

        var observed = new List<Transition>();
        foreach (var (uid, change) in byUid)
        {
            var known = last.GetValueOrDefault(uid);
            if (known is null) observed.Add(Seen(change.Metadata.CreationTimestamp ?? now, change, null, change.Spec.Rationale is { Length: > 0 } rationale ? [rationale] : []));
            else if (known.Phase != change.Phase) observed.Add(Seen(now, change, known.Phase, ["written by someone other than the scheduler"]));
        }

        foreach (var (uid, step) in last)
        {
            if (step.Phase is not { } phase || present.Contains(uid)) continue;
            var why = phase is Phase.ExperimentRunning or Phase.Analyzing ? "the object was deleted; its trial ended with it" : "the object was deleted";
            observed.Add(new Transition(newId(), uid, step.Change, null, phase, null, null, [why], new Dictionary<string, double>(), null, 0, "", now));
        }

        var reviews = recorded.Incidents.Select(incident =>
            !present.Contains(incident.ChangeUid) ? new IncidentReview(incident.Transition, null, "the change was deleted", now)
            : byUid.GetValueOrDefault(incident.ChangeUid)?.Spec.Approval is { At: { } at } word && at > incident.At ? new IncidentReview(incident.Transition, word.By, word.Reason, at)
            : null).OfType<IncidentReview>().ToList();
        return new Bookkeeping(results, observed, reviews);

        Transition Seen(DateTimeOffset at, OptimizationChange change, Phase? from, IReadOnlyList<string> reasons) => new(
            newId(), Uid(change), change.Name, change.Status.ExperimentId, from, change.Phase, null, reasons, new Dictionary<string, double>(), null, change.Metadata.Generation, change.Metadata.ResourceVersion ?? "", at);
    }

    public static string Uid(OptimizationChange change) => change.Metadata.Uid ?? change.Name;
}
