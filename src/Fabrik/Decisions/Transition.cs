using Fabrik.Experiments;

namespace Fabrik.Decisions;

/// <summary>A step as it is recorded, before it is written into the object.</summary>
/// <param name="Id">Goes into status.transition.</param>
/// <param name="From">Null where nothing was recorded before.</param>
/// <param name="To">Null: the object was deleted.</param>
/// <param name="Actor">Null where it is not known.</param>
/// <param name="Incident">One word; null where the step is no emergency.</param>
/// <param name="ResourceVersion">Of the object that the step starts from: it is written only there.</param>
public sealed record Transition(
    string Id, string ChangeUid, string Change, string? Experiment, Phase? From, Phase? To, string? Actor, IReadOnlyList<string> Reasons,
    IReadOnlyDictionary<string, double> Evidence, string? Incident, long Generation, string ResourceVersion, DateTimeOffset At)
{
    public static Transition Of(Step step, string id, DateTimeOffset at) => new(
        id, Bookkeeping.Uid(step.Change), step.Change.Name, step.Next.ExperimentId ?? step.Change.Status.ExperimentId, step.From, step.To, step.Actor, step.Reasons,
        step.Evidence, step.Incident, step.Change.Metadata.Generation, step.Change.Metadata.ResourceVersion ?? "", at);
}

/// <summary>What became of a recorded step.</summary>
public enum TransitionResult
{
    Written,

    /// <summary>Someone else wrote the object first; what to do is decided anew.</summary>
    Overtaken,
    Gone,

    /// <summary>The API server does not take it.</summary>
    Refused,
}
